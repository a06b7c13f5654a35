"""``stream-app produce``: a file to the measurements topic."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from stream_app.commands.options import Broker, settings_from
from stream_app.errors import ExpectedError
from stream_app.infra.files import read_blocks
from stream_app.infra.kafka.log import topics
from stream_app.infra.kafka.log.measurements import MeasurementTopic
from stream_app.infra.row_messages import Form, encode
from stream_app.settings import KafkaSettings
from stream_app.usecases.errors import InvalidError
from stream_app.usecases.ports import RowMessage

#: A throttled producer sends so often.
_TICK_S = 0.25


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
        sending = _Sending(settings.kafka, progress, progress.add_task("", total=size, rows=0))
        try:
            asyncio.run(sending.run(source, asset, form.value, rate))
        except InvalidError as error:
            cure = " with --asset" if error.code == "no_asset" else ""
            msg = f"{file}: {error.detail}{cure} ({sending.rows} rows before it were sent)"
            raise ExpectedError(msg) from None
    typer.echo(f"{sending.rows} rows sent to topic {settings.kafka.measurements_topic!r}")


@contextmanager
def _opened(file: str) -> Iterator[tuple[BinaryIO, int | None]]:
    if file == "-":
        yield sys.stdin.buffer, None
        return
    path = Path(file)
    with path.open("rb") as source:
        yield source, path.stat().st_size or None


class _Sending:
    def __init__(self, kafka: KafkaSettings, progress: Progress, task: TaskID) -> None:
        self._kafka = kafka
        self._progress, self._task = progress, task
        self.rows = 0

    async def run(self, source: BinaryIO, asset: str | None, form: Form, rate: float | None) -> None:
        name = self._kafka.measurements_topic
        if problems := [line for line in await topics.check(self._kafka) if line.startswith(f"topic {name!r} ")]:
            raise ExpectedError("; ".join(problems))
        measurements = MeasurementTopic(self._kafka)
        await measurements.start()
        try:
            blocks = read_blocks(source, asset)
            while (block := await asyncio.to_thread(next, blocks, None)) is not None:
                for asset_id, messages in itertools.groupby(encode(block, asset, form), key=lambda pair: pair[0]):
                    await self._append(measurements, asset_id, [message for _, message in messages], rate)
                if source is not sys.stdin.buffer:
                    self._progress.update(self._task, completed=source.tell())
        finally:
            await measurements.stop()

    async def _append(
        self, measurements: MeasurementTopic, asset_id: str, messages: Sequence[RowMessage], rate: float | None
    ) -> None:
        key = asset_id.encode()
        portion = len(messages) if rate is None else max(1, int(rate * _TICK_S / messages[0].rows))
        for start in range(0, len(messages), portion):
            some = messages[start : start + portion]
            began = asyncio.get_running_loop().time()
            await measurements.append(key, [message.value for message in some])
            rows = sum(message.rows for message in some)
            self.rows += rows
            self._progress.update(self._task, rows=self.rows)
            if rate is not None:
                await asyncio.sleep(max(0.0, began + rows / rate - asyncio.get_running_loop().time()))
