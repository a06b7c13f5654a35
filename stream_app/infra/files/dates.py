"""Dates and times as text, in the forms that loggers, spreadsheets and people give them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from stream_app.wire.decode.timestamps import UNREAD, TimestampError, parse_timestamp

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
    r"(?:[ \u202f\u00a0]?([AaPp])\.?[Mm]\.?)?)? ?((?:Z|z|UTC|GMT)?(?:[+-]\d\d(?::?\d\d)?)?|[A-Z]{3,4})?"
    r"(?: ?\[[\w/]+\]| ?\([\w ]+\))?"
)
#: As C's ctime writes it; the year goes to its place.
_CTIME: Final = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d(?:\.\d+)?) (?:[A-Z]{3,4} )?(\d{4})"
)
#: Offsets of zones by name [h]; those that several zones share are not among them.
_ZONES_H: Final = {
    "UTC": 0,
    "GMT": 0,
    "Z": 0,
    "WET": 0,
    "WEST": 1,
    "CET": 1,
    "MEZ": 1,
    "CEST": 2,
    "MESZ": 2,
    "EET": 2,
    "EEST": 3,
    "EST": -5,
    "EDT": -4,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "JST": 9,
    "AEST": 10,
    "AEDT": 11,
    "ACST": 9.5,
    "AWST": 8,
    "NZST": 12,
    "NZDT": 13,
}
_EXPONENT: Final = re.compile(r"(\d\.\d{9,})[eE]\+?(\d{1,2})")
_COMPACT: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?:[T _-]?(\d\d)(\d\d)(?:(\d\d)(?:[.,](\d{1,9}))?)?)? ?(Z|UTC)?")
_CLOCK: Final = re.compile(
    r"(?:(\d+)(?:d|\.| days?,?|[: ](?=\d+:\d\d:\d\d)) *)?"
    r"(\d{1,5}):(\d\d)(?::(\d\d)(?:[.,:](\d{1,9}))?)?(?: ?([AaPp])\.?[Mm]\.?)?"
)
_ZONED: Final = re.compile(
    r"\d.*(?:[Zz]|[T ].*\d ?(?:UTC|GMT)?[+-]\d\d(?::?\d\d)?|\d ?[A-Z]{3,4})(?: ?\[[\w/]+\]| ?\([\w ]+\))?$"
)
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,2})?")
DAY_US: Final = 86_400_000_000


def date_us(text: str, day_first: bool) -> int:
    """Microseconds since 1970 UTC of a date, with its time if it has one; UNREAD when it is none."""
    if match := _COMPACT.fullmatch(text):
        year, month, day, hour, minute, second, fraction, _ = match.groups()
        return _composed((int(year), int(month), int(day)), (hour, minute, second), fraction, None, None)
    if match := _CTIME.fullmatch(text):
        text = f"{match[1]} {match[2]} {match[4]} {match[3]}"
    elif match := _EXPONENT.fullmatch(text):
        text = f"{Decimal(match[1]).scaleb(int(match[2])):f}"
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
    next_day_us = 0
    if (hour, minute, second) == (24, 0, 0):
        hour, next_day_us = 0, DAY_US
    try:
        moment = datetime(*date, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return UNREAD
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    time_us = next_day_us + since.days * DAY_US + since.seconds * 1_000_000 + int(f"{fraction or '':0<6.6}")
    offset_us = _offset_us(zone or "")
    return UNREAD if offset_us is None else time_us - offset_us


def _offset_us(zone: str) -> int | None:
    """Offset of a zone from UTC; None when its name may be that of several."""
    zone = zone.removeprefix("UTC").removeprefix("GMT")
    if zone[:1] in ("+", "-"):
        digits = zone[1:].replace(":", "").ljust(4, "0")
        offset_us = (int(digits[:2]) * 3600 + int(digits[2:]) * 60) * 1_000_000
        return -offset_us if zone[0] == "-" else offset_us
    hours = _ZONES_H.get(zone.upper(), None if zone else 0)
    return None if hours is None else int(hours * 3_600_000_000)


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
    if text[-1:].isdigit() and "+" not in text and "-" not in text[10:]:  # as most stamps that name none
        return bool(_NUMBER.fullmatch(text))
    return bool(_NUMBER.fullmatch(text)) or bool(_ZONED.search(text))


def is_number(text: str) -> bool:
    """Whether a stamp is a number."""
    return bool(_NUMBER.fullmatch(text))
