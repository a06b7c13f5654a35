"""``stream-app query``: what a worker knows of an asset."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from schemas.lookup import AssetAnswer
from stream_app.terminal import metrics_table, stdout
from stream_app.worker_client import WorkerClient


def query(
    asset: Annotated[str, typer.Argument(help="Id of the asset")],
    url: Annotated[str, typer.Option(help="Any worker")] = "http://127.0.0.1:8000",
    as_json: Annotated[bool, typer.Option("--json", help="The answer as the worker gave it")] = False,
) -> None:
    """Look an asset up: its lifetime and its open windows."""
    body = asyncio.run(_ask(url, asset))
    if as_json:
        typer.echo(body.decode())
        return
    answer = AssetAnswer.model_validate_json(body)
    console = stdout()
    behind = f", {'?' if answer.meta.lag is None else answer.meta.lag} messages behind" if answer.meta.stale else ""
    console.print(f"{answer.rows} rows, {answer.first_time} to {answer.last_time}{behind}")
    lifetime = [] if answer.lifetime is None else [answer.lifetime]
    console.print(metrics_table([*lifetime, *answer.open_windows]))


async def _ask(url: str, asset: str) -> bytes:
    async with WorkerClient(url) as worker:
        return await worker.asset_json(asset)
