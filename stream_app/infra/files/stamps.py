"""Times of a file's rows. How its stamps are written is decided once for the file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Final, Literal

import numpy as np

from stream_app.columns.arrays import BoolArray, IntArray
from stream_app.infra.files.block import Block, iso
from stream_app.infra.files.dates import DAY_US, clock_us, date_us, is_number, is_zoned
from stream_app.infra.files.units import UNCHANGED, Conversion
from stream_app.infra.files.zones import LocalClock
from stream_app.wire.decode.timestamps import (
    MAX_TIME_US,
    MIN_TIME_US,
    UNREAD,
    TimestampError,
    parse_timestamp,
    parse_timestamps,
)

#: ``text``: dates, or epoch times, which their magnitude tells apart; ``days``: of a spreadsheet or MATLAB;
#: ``counted``: there are none, and each row of an asset comes one ``unit`` after the row before.
Kind = Literal["text", "elapsed", "days", "counted"]

_ROUNDED: Final = re.compile(r"\d\.\d{0,8}[eE]\+?\d{1,2}")
_EXCEL_DAYS, _MATLAB_DAYS = 25_569, 719_529  # 1970-01-01
_EXCEL: Final = (32_874.0, 80_000.0)  # 1990 to 2119
_MATLAB: Final = (726_834.0, 767_000.0)
_FIRST_EPOCH: Final = 1e9
_WRAP_US: Final = 23 * 3_600_000_000


@dataclass(slots=True)
class Stamps:
    """Reads the stamps of a file.

    Parameters
    ----------
    kind
        How they are written.
    day_first
        Of 05/07/2024.
    year_first
        Of 24-05-07.
    first_day
        Number of 1970-01-01, of day numbers.
    unit
        Of elapsed numbers, and of counted rows.
    start_us
        When elapsed time was 0; time of the first counted row.
    clock
        Of stamps that name no zone; None: UTC.
    """

    kind: Kind = "text"
    day_first: bool = False
    year_first: bool = False
    first_day: int = 0
    unit: Conversion = UNCHANGED
    start_us: int = 0
    clock: LocalClock | None = None
    _last_us: int = 0
    _wrapped_us: int = 0
    _rows: Counter[str] = field(default_factory=Counter)  # counted so far, by asset

    @property
    def plain(self) -> bool:
        """Whether compiled code may read them."""
        return self.kind == "text"

    def local(self, block: Block) -> Block | None:
        """The block, whose times compiled code has read, with wall time as UTC; None when a stamp names its zone."""
        if self.clock is None:
            return block
        if any(map(is_zoned, map(str, block.timestamps))):
            return None
        time_us = self.clock.utc_us(block.time_us, np.ones(len(block), np.bool_), block.asset_ids)
        return replace(block, timestamps=iso(time_us), time_us=time_us)

    def restart(self) -> None:
        """Begin with the first row again."""
        self._last_us = self._wrapped_us = 0
        self._rows.clear()
        if self.clock is not None:
            self.clock.restart()

    def read(self, stamps: Sequence[str], assets: Sequence[str] | None) -> tuple[IntArray, BoolArray, bool]:
        """Microseconds since 1970 UTC, 0 where a stamp cannot be read; and which can, both of shape ``(n,)``.

        Third: whether messages may hold the stamps as they are written.
        """
        if self.kind == "text":
            time_us, ok, common = self._dates(stamps)
            if self.clock is not None:
                naive = np.fromiter((not is_zoned(stamp) for stamp in stamps), np.bool_, len(stamps))
                time_us = self.clock.utc_us(time_us, ok & naive, assets)
            return time_us, ok, common and self.clock is None
        if self.kind == "counted":
            read: Iterable[int] = map(self._next, assets or repeat("", len(stamps)))
        else:
            read = (self._day(text) if self.kind == "days" else self._elapsed(text) for text in stamps)
        time_us = np.fromiter(read, np.int64, len(stamps))
        ok = (time_us >= MIN_TIME_US) & (time_us < MAX_TIME_US)
        return np.where(ok, time_us, 0), ok, False

    def _next(self, asset: str) -> int:
        """Time of the next row of an asset."""
        row = self._rows[asset]
        self._rows[asset] += 1
        return self.start_us + round(row * self.unit.scale * 1e6)

    def why(self, stamp: str) -> str:
        """Why a stamp cannot be read."""
        if _ROUNDED.fullmatch(stamp):
            return f"{stamp[:40]} was rounded by a spreadsheet: write its column as whole numbers, or as dates"
        try:
            parse_timestamp(stamp)
        except TimestampError as error:
            return str(error)
        return f"{stamp[:40]!r} is not a time like the others of the file"

    def _dates(self, stamps: Sequence[str]) -> tuple[IntArray, BoolArray, bool]:
        if self.year_first:
            stamps = [f"20{stamp}" for stamp in stamps]
        if not self.day_first:
            time_us, ok = parse_timestamps(stamps)
            if ok.all():
                return time_us, ok, not self.year_first
        else:
            time_us, ok = np.zeros(len(stamps), np.int64), np.zeros(len(stamps), np.bool_)
        known: dict[str, int] = {}
        for i in np.flatnonzero(~ok).tolist():
            text = stamps[i]
            if text not in known:
                known[text] = date_us(text, self.day_first)
            time_us[i] = known[text]
        ok = (time_us >= MIN_TIME_US) & (time_us < MAX_TIME_US)
        return np.where(ok, time_us, 0), ok, False

    def _day(self, text: str) -> int:
        if not is_number(text):
            return UNREAD
        # A day number has some microseconds of resolution: clocks tick whole milliseconds.
        return round((float(text) - self.first_day) * 86_400_000) * 1000

    def _elapsed(self, text: str) -> int:
        if is_number(text):
            return self.start_us + round(float(text) * self.unit.scale * 1e6)
        since_us = clock_us(text)
        if since_us is None:
            return UNREAD
        if since_us < DAY_US and self._last_us - since_us > _WRAP_US:  # past midnight
            self._wrapped_us += DAY_US
        self._last_us = since_us
        return self.start_us + self._wrapped_us + since_us


def first_day_of(numbers: Sequence[float]) -> int | None:
    """Number of 1970-01-01 when all numbers may be those of days; else None."""
    for (low, high), first in ((_EXCEL, _EXCEL_DAYS), (_MATLAB, _MATLAB_DAYS)):
        if all(low <= number < high for number in numbers):
            return first
    return None


def is_elapsed(numbers: Sequence[float]) -> bool:
    """Whether numbers are too small for epoch times."""
    return all(abs(number) < _FIRST_EPOCH for number in numbers)
