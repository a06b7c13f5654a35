"""``stream-app compute``: metrics of files, by the same code that a worker runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream_app.commands import file_options as options
from stream_app.commands.options import settings_from
from stream_app.errors import ExpectedError

if TYPE_CHECKING:
    from schemas.file import FileSpec
    from stream_app.infra.files import MeasurementFile
    from stream_app.usecases.compute import Computed
    from stream_app.usecases.ports import RowMessage


def compute(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE|-", help="CSV, JSON, workbook, Parquet or Arrow; - is stdin")
    ],
    *,
    nominal_capacity: options.Capacity = None,
    asset: Annotated[
        str | None,
        typer.Option(help="Asset of all rows, or the one to read of several [all in the file, else its name]"),
    ] = None,
    window: Annotated[
        list[str] | None, typer.Option(help="Show the windows of this size too, such as 1h; repeatable")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each metrics update as a line of JSON")] = False,
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
    max_gap: options.MaxGap = None,
    period: options.Period = None,
    reporting: options.ReportingMode = None,
    strict: options.Strict = None,
    allow_rejected: options.AllowRejected = None,
) -> None:
    """Compute the metrics of files, without Kafka. Several files of one asset are one: name it with --asset."""
    from schemas.metrics import MetricsUpdate
    from stream_app.terminal import metrics_table, stdout

    file_spec = options.file_spec(
        spec,
        columns,
        nominal_capacity_ah=nominal_capacity,
        windows=tuple(window) if window else None,
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
        max_gap_s=max_gap,
        sampling_period_s=period,
        reporting=reporting,
        strict=strict,
        allow_rejected=allow_rejected,
    )
    computed = computed_of(files, file_spec, asset)
    updates = [update.json for update in computed.updates if update.window.end is None or window]
    if as_json:
        for update in updates:
            typer.echo(update)
    else:
        stdout().print(metrics_table([MetricsUpdate.model_validate_json(update) for update in updates]))


def computed_of(files: Sequence[str], file_spec: FileSpec, asset: str | None) -> Computed:
    """Compute the metrics of files.

    Raises
    ------
    ExpectedError
        There is no nominal capacity, a file cannot be read, or more than 1 % of its rows were left out.
    """
    from schemas.asset import window_size_s
    from schemas.file import too_many_left_out
    from stream_app.infra.files.measurement_file import KEPT_ROWS
    from stream_app.usecases.compute import compute as compute_metrics

    if file_spec.nominal_capacity_ah is None:
        msg = "say the nominal capacity: --nominal-capacity AH, or nominal_capacity_ah in --spec"
        raise ExpectedError(msg)
    sizes_s = tuple(window_size_s(size) for size in settings_from().upload_windows)
    with ExitStack() as stack:
        names = options.files_of(files)
        checked = [_checked(name, file_spec, asset, stack, KEPT_ROWS // len(names)) for name in names]
        checked.sort(key=lambda pair: pair[1].first_us)
        messages = (message for name, file in checked for message in _messages(name, file, asset))
        computed = compute_metrics(messages, file_spec.of_asset(), window_sizes_s=sizes_s)
    if computed.rejected_rows:
        typer.echo(f"{computed.rejected_rows} rows left out, the first because: {computed.reason}", err=True)
        if not file_spec.allow_rejected and too_many_left_out(
            computed.rejected_rows, computed.rows + computed.rejected_rows
        ):
            msg = "more than 1 % of the rows were left out: --allow-rejected accepts that"
            raise ExpectedError(msg)
    return computed


def _checked(
    name: str, spec: FileSpec, asset: str | None, stack: ExitStack, kept_rows: int
) -> tuple[str, MeasurementFile]:
    from stream_app.infra.files import MeasurementFile
    from stream_app.usecases.errors import InvalidError

    file = MeasurementFile(stack.enter_context(options.opened(name)), spec, asset, kept_rows=kept_rows)
    try:
        told: Sequence[str] = file.check().told()
    except InvalidError as error:
        msg = f"{name}: {error.detail}"
        raise ExpectedError(msg) from None
    for line in told:
        typer.echo(f"{name}: {line}", err=True)
    return name, file


def _messages(name: str, file: MeasurementFile, asset: str | None) -> Iterator[tuple[str, RowMessage]]:
    from stream_app.infra.row_messages import encode

    own = asset or ("stdin" if name == options.STDIN else re.sub(r"\s+", "-", Path(name).stem))
    for block in file.blocks():
        yield from encode(block, own if block.owners is None else asset, "arrow")
