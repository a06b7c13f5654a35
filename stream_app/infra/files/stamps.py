"""Times of a file's rows. How its stamps are written is decided once for the file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import numpy as np

from stream_app.columns.arrays import BoolArray, IntArray
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

#: ``text``: dates, or epoch times, which their magnitude tells apart; ``days``: of a spreadsheet or MATLAB.
Kind = Literal["text", "elapsed", "days"]

_MONTHS: Final = {
    name: month
    for month, names in enumerate(
        ["jan", "feb", "mar,mär,maer,mrz", "apr", "may,mai", "jun", "jul", "aug", "sep", "oct,okt", "nov", "dec,dez"],
        start=1,
    )
    for name in names.split(",")
}
_PART = r"(\d{1,4}|[^\W\d_]{3,9})"
_DATED: Final = re.compile(
    rf"(?:[^\W\d_]{{2,9}}[,.]? +)?{_PART}[-/. ]+{_PART}[-/., ]+(\d{{1,4}})"
    r"(?:[,;T ]+(?:at +)?(\d{1,2})[:.](\d\d)(?:[:.](\d\d)(?:[.,:](\d{1,9}))?)?"
    r"(?:[ \u202f\u00a0]?([AaPp])\.?[Mm]\.?)?)? ?(Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?(?: ?\[[\w/]+\])?"
)
_COMPACT: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?:[T _-]?(\d\d)(\d\d)(?:(\d\d)(?:[.,](\d{1,9}))?)?)? ?(Z|UTC)?")
_CLOCK: Final = re.compile(
    r"(?:(\d+)(?:d|\.| days?,?|[: ](?=\d+:\d\d:\d\d)) *)?"
    r"(\d{1,5}):(\d\d)(?::(\d\d)(?:[.,:](\d{1,9}))?)?(?: ?([AaPp])\.?[Mm]\.?)?"
)
_ZONED: Final = re.compile(r"\d.*(?:[Zz]|UTC|GMT|[T ].*\d[+-]\d\d(?::?\d\d)?)(?: ?\[[\w/]+\])?$")
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,2})?")
_DAY_US: Final = 86_400_000_000
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
    first_day
        Number of 1970-01-01, of day numbers.
    unit
        Of elapsed numbers.
    start_us
        When elapsed time was 0.
    clock
        Of stamps that name no zone; None: UTC.
    """

    kind: Kind = "text"
    day_first: bool = False
    first_day: int = 0
    unit: Conversion = UNCHANGED
    start_us: int = 0
    clock: LocalClock | None = None
    _last_us: int = 0
    _wrapped_us: int = 0

    @property
    def plain(self) -> bool:
        """Whether compiled code may read them."""
        return self.kind == "text" and self.clock is None

    def restart(self) -> None:
        """Begin with the first row again."""
        self._last_us = self._wrapped_us = 0
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
        read = (self._day(text) if self.kind == "days" else self._elapsed(text) for text in stamps)
        time_us = np.fromiter(read, np.int64, len(stamps))
        ok = (time_us >= MIN_TIME_US) & (time_us < MAX_TIME_US)
        return np.where(ok, time_us, 0), ok, False

    def why(self, stamp: str) -> str:
        """Why a stamp cannot be read."""
        try:
            parse_timestamp(stamp)
        except TimestampError as error:
            return str(error)
        return f"{stamp[:40]!r} is not a time like the others of the file"

    def _dates(self, stamps: Sequence[str]) -> tuple[IntArray, BoolArray, bool]:
        if not self.day_first:
            time_us, ok = parse_timestamps(stamps)
            if ok.all():
                return time_us, ok, True
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
        if not _NUMBER.fullmatch(text):
            return UNREAD
        # A day number has some microseconds of resolution: clocks tick whole milliseconds.
        return round((float(text) - self.first_day) * 86_400_000) * 1000

    def _elapsed(self, text: str) -> int:
        if _NUMBER.fullmatch(text):
            return self.start_us + round(float(text) * self.unit.scale * 1e6)
        since_us = clock_us(text)
        if since_us is None:
            return UNREAD
        if since_us < _DAY_US and self._last_us - since_us > _WRAP_US:  # past midnight
            self._wrapped_us += _DAY_US
        self._last_us = since_us
        return self.start_us + self._wrapped_us + since_us


def date_us(text: str, day_first: bool) -> int:
    """Microseconds since 1970 UTC of a date, with its time if it has one; UNREAD when it is none."""
    if match := _COMPACT.fullmatch(text):
        year, month, day, hour, minute, second, fraction, _ = match.groups()
        return _composed((int(year), int(month), int(day)), (hour, minute, second), fraction, None, None)
    match = _DATED.fullmatch(text)
    if match is None:
        try:
            return parse_timestamp(text)
        except TimestampError:
            return UNREAD
    first, second_part, third, hour, minute, second, fraction, half, zone = match.groups()
    date = _date(first, second_part, third, day_first)
    return UNREAD if date is None else _composed(date, (hour, minute, second), fraction, half, zone)


def _date(first: str, second: str, third: str, day_first: bool) -> tuple[int, int, int] | None:
    """Year, month, day of a date's parts."""
    if first.isalpha():  # May 7, 2024
        month = _MONTHS.get(first.casefold()[:3])
        return (_year(third), month, int(second)) if month and second.isdigit() else None
    if second.isalpha():  # 7 May 2024
        month = _MONTHS.get(second.casefold()[:3])
        if month is None:
            return None
        return (int(first), month, int(third)) if len(first) == 4 else (_year(third), month, int(first))
    if len(first) == 4:
        return int(first), int(second), int(third)
    day, month = (int(first), int(second)) if day_first else (int(second), int(first))
    return _year(third), month, day


def _year(text: str) -> int:
    return int(text) if len(text) == 4 else 2000 + int(text) if len(text) == 2 else 0


def _composed(
    date: tuple[int, int, int],
    clock: tuple[str | None, str | None, str | None],
    fraction: str | None,
    half: str | None,
    zone: str | None,
) -> int:
    hour, minute, second = (int(part or 0) for part in clock)
    if half:
        if not 1 <= hour <= 12:
            return UNREAD
        hour = hour % 12 + (12 if half in "Pp" else 0)
    try:
        moment = datetime(*date, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return UNREAD
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    time_us = since.days * _DAY_US + since.seconds * 1_000_000 + int(f"{fraction or '':0<6.6}")
    if zone and zone[0] in "+-":
        digits = zone[1:].replace(":", "").ljust(4, "0")
        offset_us = (int(digits[:2]) * 3600 + int(digits[2:]) * 60) * 1_000_000
        time_us += offset_us if zone[0] == "-" else -offset_us
    return time_us


def clock_us(text: str) -> int | None:
    """Microseconds of a clock's time or a duration, such as 26:03:04.5 or 1d 02:03:04; None when it is none."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return None
    days, hours, minutes, seconds, fraction, half = match.groups()
    hour = int(hours)
    if half:
        hour = hour % 12 + (12 if half in "Pp" else 0)
    whole = (int(days or 0) * 24 + hour) * 3600 + int(minutes) * 60 + int(seconds or 0)
    return whole * 1_000_000 + int(f"{fraction or '':0<6.6}")


def is_zoned(text: str) -> bool:
    """Whether a stamp names its zone, or is an epoch time."""
    return bool(_NUMBER.fullmatch(text)) or bool(_ZONED.search(text))


def is_number(text: str) -> bool:
    """Whether a stamp is a number."""
    return bool(_NUMBER.fullmatch(text))


def first_day_of(numbers: Sequence[float]) -> int | None:
    """Number of 1970-01-01 when all numbers may be those of days; else None."""
    for (low, high), first in ((_EXCEL, _EXCEL_DAYS), (_MATLAB, _MATLAB_DAYS)):
        if all(low <= number < high for number in numbers):
            return first
    return None


def is_elapsed(numbers: Sequence[float]) -> bool:
    """Whether numbers are too small for epoch times."""
    return all(abs(number) < _FIRST_EPOCH for number in numbers)
