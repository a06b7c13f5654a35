"""``stream-app doctor``: what a file is, what is odd about it, and the command that reads it."""

from __future__ import annotations

from typing import Annotated

import typer

from stream_app.commands import file_options as options
from stream_app.errors import ExpectedError


def doctor(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="CSV, JSON, workbook, Parquet or Arrow; - is stdin")],
    *,
    nominal_capacity: options.Capacity = None,
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
) -> None:
    """Say how a file is read, what is odd about it, and the command that reads it."""
    from stream_app.infra.files import MeasurementFile
    from stream_app.infra.files.diagnosis import diagnosis, lines
    from stream_app.usecases.errors import InvalidError

    file_spec = options.file_spec(
        spec,
        columns,
        nominal_capacity_ah=nominal_capacity,
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
    )
    with options.opened(file) as source:
        found = MeasurementFile(source, file_spec)
        try:
            found.examine()
        except InvalidError as error:
            msg = f"{file}: {error.detail}"
            raise ExpectedError(msg) from None
        for line in lines(diagnosis(found, file_spec, file)):
            typer.echo(line)
