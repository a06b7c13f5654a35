"""``stream-app export``: the history store as Parquet files."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from stream_app.commands.options import require_history, settings_from


def export(
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder to write; its files are replaced")],
) -> None:
    """Write the history store as Parquet files, one per day and window size: for analysts, and as a back-up."""
    from stream_app.infra.history.archive import export as write

    def tell(file: str, rows: int) -> None:
        typer.echo(f"{file}: {rows} rows")

    asyncio.run(write(require_history(settings_from()), to, tell))
