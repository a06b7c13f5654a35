"""``stream-app forget``: deletes assets, asked of a worker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from stream_app.commands.options import Key

if TYPE_CHECKING:
    from stream_app.worker_client import WorkerClient


def forget(
    assets: Annotated[list[str] | None, typer.Argument(help="Ids of the assets", show_default=False)] = None,
    prefix: Annotated[str | None, typer.Option(help="Delete all assets whose id begins so")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before assets are deleted by prefix")] = False,
    url: Annotated[str, typer.Option(help="URL of any worker")] = "http://127.0.0.1:8000",
    key: Key = None,
) -> None:
    """Delete assets with their windows; rows that come later begin anew."""
    from stream_app.errors import ExpectedError

    if bool(assets) == bool(prefix):
        msg = "name the assets to delete, or --prefix with at least one character"
        raise ExpectedError(msg)
    count = asyncio.run(_forget(url, key, assets or [], prefix, yes=yes))
    typer.echo(f"{count} {'asset is' if count == 1 else 'assets are'} deleted")


async def _forget(url: str, key: str | None, assets: list[str], prefix: str | None, *, yes: bool) -> int:
    from stream_app.worker_client import WorkerClient

    async with WorkerClient(url, key=key) as worker:
        return await forget_assets(worker, assets, prefix, yes=yes)


async def forget_assets(worker: WorkerClient, assets: list[str], prefix: str | None, *, yes: bool) -> int:
    """Delete the assets, or those with the prefix unless the user says no (typer.Abort); returns how many."""
    if prefix is not None:
        assets = await _with_prefix(worker, prefix)
        if assets and not yes:
            typer.confirm(f"delete {len(assets)} assets, {assets[0]} to {assets[-1]}?", abort=True, err=True)
    for asset_id in assets:
        await worker.forget(asset_id)
    return len(assets)


async def _with_prefix(worker: WorkerClient, prefix: str) -> list[str]:
    found, cursor = list[str](), ""
    while True:
        page = await worker.assets(prefix, cursor)
        found += [asset.asset_id for asset in page.assets]
        if page.next_cursor is None:
            return found
        cursor = page.next_cursor
