"""``stream-app query``: an asset's metrics, asked of a worker."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from stream_app.commands.options import Key


def query(
    asset: Annotated[str, typer.Argument(help="Id of the asset")],
    url: Annotated[str, typer.Option(help="URL of any worker")] = "http://127.0.0.1:8000",
    as_json: Annotated[bool, typer.Option("--json", help="Print the worker's answer as it is")] = False,
    key: Key = None,
) -> None:
    """Look up an asset: its lifetime and its open windows."""
    asyncio.run(_query(url, asset, key, as_json=as_json))


async def _query(url: str, asset: str, key: str | None, *, as_json: bool) -> None:
    from stream_app.terminal import metrics_table, stdout
    from stream_app.worker_client import WorkerClient

    async with WorkerClient(url, key=key) as worker:
        if as_json:
            typer.echo((await worker.asset_json(asset)).decode())
            return
        answer = await worker.asset(asset)
    console = stdout()
    behind = f", {'?' if answer.meta.lag is None else answer.meta.lag} messages behind" if answer.meta.stale else ""
    console.print(f"{answer.rows} rows, {answer.first_time} to {answer.last_time}{behind}")
    lifetime = [] if answer.lifetime is None else [answer.lifetime]
    console.print(metrics_table([*lifetime, *answer.open_windows]))
