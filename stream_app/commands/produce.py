"""``stream-app produce``: a file to the measurements topic."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from stream_app.commands.options import Broker, settings_from
from stream_app.errors import ExpectedError


class MessageForm(StrEnum):
    """What one message holds."""

    ROWS = "rows"
    COLUMNS = "columns"
    ARROW = "arrow"


def produce(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="CSV with a header, or a JSON row per line")],
    *,
    asset: Annotated[str | None, typer.Option(help="Asset of all rows of a file that names none")] = None,
    form: Annotated[
        MessageForm,
        typer.Option("--format", help="A JSON row a message; or a thousand rows, as JSON columns or an Arrow stream"),
    ] = MessageForm.ROWS,
    rate: Annotated[float | None, typer.Option(min=0.001, help="Rows per second at most")] = None,
    topic: Annotated[str | None, typer.Option(help="[STREAM_KAFKA__MEASUREMENTS_TOPIC]")] = None,
    broker: Broker = None,
) -> None:
    """Send a file's rows to Kafka."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from stream_app.commands.file_sender import FileSender
    from stream_app.usecases.errors import InvalidError

    settings = settings_from(kafka={"bootstrap_servers": broker, "measurements_topic": topic})
    console = Console(stderr=True)
    progress = Progress(
        TextColumn("{task.fields[rows]} rows"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with _opened(file) as (source, size), progress:
        sender = FileSender(settings.kafka, progress, progress.add_task("", total=size, rows=0))
        try:
            asyncio.run(sender.send(source, asset, form.value, rate))
        except InvalidError as error:
            cure = " with --asset" if error.code == "no_asset" else ""
            msg = f"{file}: {error.detail}{cure} ({sender.rows} rows before it were sent)"
            raise ExpectedError(msg) from None
    typer.echo(f"{sender.rows} rows sent to topic {settings.kafka.measurements_topic!r}")


@contextmanager
def _opened(file: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """Give the file and its size; of stdin the size is unknown."""
    if file == "-":
        yield sys.stdin.buffer, None
        return
    path = Path(file)
    with path.open("rb") as source:
        yield source, path.stat().st_size or None
