"""``stream-app produce``: files to the measurements topic."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from enum import StrEnum
from typing import Annotated

import typer

from stream_app.commands import file_options as options
from stream_app.commands.options import Broker, settings_from
from stream_app.errors import ExpectedError


class MessageForm(StrEnum):
    """What one message holds."""

    ROWS = "rows"
    COLUMNS = "columns"
    ARROW = "arrow"


def produce(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE|-", help="CSV, JSON, workbook, Parquet or Arrow; - is stdin")
    ],
    *,
    asset: Annotated[
        str | None, typer.Option(help="Asset of rows that name none, or the one to read of several")
    ] = None,
    form: Annotated[
        MessageForm,
        typer.Option("--format", help="A JSON row a message; or a thousand rows, as JSON columns or an Arrow stream"),
    ] = MessageForm.ROWS,
    rate: Annotated[float | None, typer.Option(min=0.001, help="Rows per second at most")] = None,
    from_row: Annotated[int, typer.Option(min=1, help="Begin with this row of those that count, in time order")] = 1,
    topic: Annotated[str | None, typer.Option(help="[STREAM_KAFKA__MEASUREMENTS_TOPIC]")] = None,
    broker: Broker = None,
    spec: options.Spec = None,
    columns: options.Map = None,
    timezone: options.Timezone = None,
    day_first: options.DayFirst = None,
    decimal: options.DecimalMark = None,
    encoding: options.Encoding = None,
    no_value: options.NoValue = None,
    start: options.Start = None,
    profile: options.Profile = None,
    hold: options.Hold = None,
    current_sign: options.Sign = None,
    soc_scale: options.Scale = None,
    strict: options.Strict = None,
    allow_rejected: options.AllowRejected = None,
) -> None:
    """Send the rows of files to Kafka. Every file is checked before the first row is sent.

    Sign and scale are sent as they are: put the asset's spec to say them.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from stream_app.commands.file_sender import FileSender
    from stream_app.infra.files import MeasurementFile
    from stream_app.infra.files.measurement_file import KEPT_ROWS
    from stream_app.usecases.errors import InvalidError

    file_spec = options.file_spec(
        spec,
        columns,
        timezone=timezone,
        day_first=day_first,
        decimal=decimal,
        encoding=encoding,
        no_value=tuple(no_value) if no_value else None,
        start=start,
        profile=profile,
        hold=hold,
        current_sign=current_sign,
        soc_scale=soc_scale,
        strict=strict,
        allow_rejected=allow_rejected,
    )
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
    with ExitStack() as stack:
        name, sent = "", 0
        try:
            checked = []
            names = options.files_of(files)
            for name in names:
                file = MeasurementFile(
                    stack.enter_context(options.opened(name)), file_spec, asset, kept_rows=KEPT_ROWS // len(names)
                )
                told = file.check().told()
                if asset is None and not file.assets:
                    detail = "the file has no asset column (such as asset_id or device_id): add one, or name the asset"
                    raise InvalidError("no_asset", f"{detail} of the rows with --asset", None, "asset_id")
                checked.append((name, file))
                for line in told:
                    typer.echo(f"{name}: {line}", err=True)
            stack.enter_context(progress)
            for _, file in checked:
                task = progress.add_task("", total=file.findings.rows, rows=0)
                sender = FileSender(settings.kafka, progress, task)
                asyncio.run(sender.send(file, asset, form.value, rate, from_row=from_row))
                sent += sender.rows
        except InvalidError as error:
            msg = f"{name}: {error.detail} ({sent} rows before it were sent)"
            raise ExpectedError(msg) from None
    typer.echo(f"{sent} rows sent to topic {settings.kafka.measurements_topic!r}")
