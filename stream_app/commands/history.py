"""``stream-app history``: keep the metrics topic in PostgreSQL; sort its months; restore it from files."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stream_app.commands.options import Broker, require_history, settings_from

app = typer.Typer(invoke_without_command=True, help="Keep the metrics topic in PostgreSQL, until Ctrl-C or SIGTERM.")


@app.callback()
def run(
    context: typer.Context,
    *,
    broker: Broker = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Answer probes and figures here [STREAM_HISTORY__PORT]")
    ] = None,
) -> None:
    """Keep the metrics topic in PostgreSQL (STREAM_HISTORY__URL), until Ctrl-C or SIGTERM.

    It may run several times: the partitions are shared.
    """
    if context.invoked_subcommand is not None:
        return
    from stream_app.history import run_history
    from stream_app.infra.telemetry import configure_logging

    settings = settings_from(kafka={"bootstrap_servers": broker}, history={"port": port})
    require_history(settings)
    configure_logging(settings.log_level, json=settings.log_json)

    async def until_signalled() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await run_history(settings, stop)

    asyncio.run(until_signalled())


@app.command("import")
def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `stream-app export` has written")],
) -> None:
    """Restore files of `stream-app export`: of windows that are there already the newer state stays."""
    from stream_app.infra.history.archive import restore as merge

    def tell(file: str, rows: int) -> None:
        typer.echo(f"{file}: {rows} rows")

    asyncio.run(merge(require_history(settings_from()), folder, tell))


@app.command()
def maintain() -> None:
    """Sort the tables of months that are over by asset: long charts then read a tenth of the pages. Run it daily.

    A month is sorted once, two days after its end; questions to it wait meanwhile.
    """
    from stream_app.infra.history.maintenance import maintain as sort

    def tell(table: str) -> None:
        typer.echo(f"{table} is sorted")

    asyncio.run(sort(require_history(settings_from()), datetime.now(UTC), tell))
