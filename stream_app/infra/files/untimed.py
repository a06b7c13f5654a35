"""Tables without a time: their rows are a sampling period apart, where no column may hold the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from schemas.file import FileSpec
from stream_app.infra.files.dates import clock_us, date_us, is_number
from stream_app.infra.files.findings import Findings
from stream_app.infra.files.header import HEADER_ROW
from stream_app.infra.files.layout import Layout
from stream_app.infra.files.numbers import NO_VALUE
from stream_app.infra.files.stamps import Stamps
from stream_app.infra.files.titles import TIMESTAMP
from stream_app.infra.files.units import Conversion
from stream_app.usecases.errors import InvalidError
from stream_app.wire.decode.timestamps import UNREAD

#: Of a spec that names no sampling period [s].
DEFAULT_PERIOD_S: Final = 1.0
#: Time of the first row, where the spec names no start: the same whenever the file is read.
DEFAULT_START: Final = "2000-01-01T00:00:00Z"
_EPOCH: Final = 1e9
_MOST: Final = 0.9
_SOME: Final = 0.5


def counted(layout: Layout, rows: Sequence[Sequence[str]], spec: FileSpec, findings: Findings) -> Stamps:
    """Times of rows that have none.

    Parameters
    ----------
    rows
        Cells of the first rows.

    Raises
    ------
    InvalidError
        A column may hold the times, or the file is read strictly.
    """
    none = f"--map {TIMESTAMP}= says that there is none"
    if spec.strict:
        detail = (
            "the header has no column timestamp, and the file is read strictly: add the times, or leave out --strict"
        )
        raise InvalidError("missing_column", detail, HEADER_ROW, TIMESTAMP)
    if TIMESTAMP not in spec.columns:  # else the user says that there is none
        for index in _unread(layout):
            if _may_be_times([row[index].strip() for row in rows if index < len(row)]):
                title = layout.titles[index]
                detail = f"the header has no column timestamp, and column {title!r} may hold the times"
                cure = f"say --map {TIMESTAMP}=#{index + 1} if it does; {none}"
                raise InvalidError("missing_column", f"{detail}: {cure}", HEADER_ROW, TIMESTAMP)
    period_s = spec.sampling_period_s or DEFAULT_PERIOD_S
    start = spec.start or DEFAULT_START
    start_us = start_of(start, spec, TIMESTAMP)
    findings.warn(
        f"the file has no column of times: its rows are taken to be {period_s:g} s apart, the first at {start}: say "
        "--period and --start if they are not"
    )
    return Stamps("counted", unit=Conversion(period_s, 0.0), start_us=start_us)


def start_of(text: str, spec: FileSpec, column: str) -> int:
    """The spec's start in microseconds since 1970 UTC.

    Raises
    ------
    InvalidError
        It is no date.
    """
    start_us = date_us(text.strip(), spec.day_first is True)
    if start_us == UNREAD:
        detail = f"--start {text!r} is not a date or time: write 2024-05-07T09:00:00Z"
        raise InvalidError("bad_timestamp", detail, HEADER_ROW, column)
    return start_us


def _unread(layout: Layout) -> list[int]:
    """Columns that are not read."""
    read = {column.index for column in (layout.assets, layout.state, *layout.readings, *layout.outflows) if column}
    return [index for index in range(layout.width) if index not in read]


def _may_be_times(cells: Sequence[str]) -> bool:
    """Whether cells are dates, times of day, epoch times, or numbers that rise as elapsed time does.

    Numbers that rise by 1 from 0 or 1 on are those of the rows.
    """
    texts = [cell for cell in cells if cell.casefold() not in NO_VALUE]
    numbers = np.array([float(text) for text in texts if is_number(text)])
    if texts and len(numbers) >= _MOST * len(texts):
        steps = np.diff(numbers)
        if (steps == 1).all() and numbers[0] in (0, 1):
            return False
        rise = len(steps) > 0 and (steps >= 0).all() and (steps > 0).mean() > _SOME
        return bool(rise or (numbers >= _EPOCH).all())
    dated = sum(1 for text in texts if clock_us(text) is not None or date_us(text, False) != UNREAD)
    return bool(texts) and dated >= _MOST * len(texts)
