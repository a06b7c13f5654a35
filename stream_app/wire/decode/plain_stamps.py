"""Stamps as most producers write them, read from bytes by compiled code: ISO 8601 in UTC or with an offset, and epochs.

Others are left to :mod:`stream_app.wire.decode.timestamps`; what is read here has the value that it has there.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stream_app.columns.calendar import compiled_days_from_civil, compiled_days_in_month
from stream_app.columns.compiled import borrowing
from stream_app.wire.decode.timestamps import MAX_TIME_US, MIN_TIME_US, UNREAD
from stream_app.wire.decode.tokens import (
    BLANK,
    COLON,
    MINUS,
    NINE,
    ODD,
    PLUS,
    POINT,
    QUOTE,
    ZERO,
    Bytes,
    byte,
    digits,
    number,
    string,
)

_LARGE_T, _LARGE_Z = ord("T"), ord("Z")
_EPOCH_DIGITS: Final = 19  # of which all that are nanoseconds before 2200 fit into 64 bits
_CLOCK_AT, _FRACTION_AT = 11, 19  # in 2022-04-13T00:00:02.5Z


@borrowing
def stamp(buffer: Bytes, i: int, end: int) -> tuple[int, int]:
    """Read a stamp: position behind it, and its time; UNREAD when it is not written plainly."""
    start = i
    if byte(buffer, i) != QUOTE:
        i, _, _ = number(buffer, i, end)
        return i, UNREAD if i == ODD else epoch_time(buffer, start, i)
    start += 1
    i = string(buffer, start, end)
    return i, UNREAD if i == ODD else iso_time(buffer, start, i - 1)


@borrowing
def _digit(buffer: Bytes, i: int) -> int:
    """Value of a digit, signed."""
    value: int = np.int64(byte(buffer, i)) - ZERO  # type: ignore[assignment]  # int() of an unsigned number stays so
    return value


@borrowing
def pair(buffer: Bytes, i: int) -> int:
    """Two digits as a number; -1 when they are not digits."""
    if ZERO <= byte(buffer, i) <= NINE and ZERO <= byte(buffer, i + 1) <= NINE:
        return _digit(buffer, i) * 10 + _digit(buffer, i + 1)
    return -1


@borrowing
def day_time(buffer: Bytes, i: int) -> int:
    """Microseconds since 1970 of ``2022-04-13T``, whatever follows; else UNREAD. A blank may stand for the T."""
    if byte(buffer, i + 10) != _LARGE_T and byte(buffer, i + 10) != BLANK:
        return UNREAD
    if byte(buffer, i + 4) != MINUS or byte(buffer, i + 7) != MINUS:
        return UNREAD
    century, year = pair(buffer, i), pair(buffer, i + 2)
    month, day = pair(buffer, i + 5), pair(buffer, i + 8)
    if min(century, year) < 0 or month < 1 or month > 12 or day < 1:
        return UNREAD
    year += 100 * century
    if day > compiled_days_in_month(year, month):
        return UNREAD
    days: int = compiled_days_from_civil(year, month, day)
    return days * 86_400_000_000


@borrowing
def iso_time(buffer: Bytes, i: int, end: int) -> int:
    """Microseconds since 1970 of ``2022-04-13T00:00:02.5+01:00``, also without fraction or zone; else UNREAD."""
    if end - i < _FRACTION_AT:
        return UNREAD
    day_us = day_time(buffer, i)
    at = i + _CLOCK_AT
    if day_us == UNREAD or byte(buffer, at + 2) != COLON or byte(buffer, at + 5) != COLON:
        return UNREAD
    hour, minute, second = pair(buffer, at), pair(buffer, at + 3), pair(buffer, at + 6)
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return UNREAD
    at = i + _FRACTION_AT
    fraction = 0
    if at < end and byte(buffer, at) == POINT:
        first = at + 1
        at = digits(buffer, first, end)
        if at == first or at > first + 9:
            return UNREAD
        for k in range(first, first + 6):
            fraction = fraction * 10 + (_digit(buffer, k) if k < at else 0)
    offset_us = zone(buffer, at, end)
    if offset_us == UNREAD:
        return UNREAD
    time_us = day_us + ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction - offset_us
    return time_us if MIN_TIME_US <= time_us < MAX_TIME_US else UNREAD


@borrowing
def zone(buffer: Bytes, i: int, end: int) -> int:
    """Offset from UTC [us] of ``Z``, ``+01:00``, ``+0100``, ``+01`` or nothing, up to the end; else UNREAD."""
    if i == end or (i + 1 == end and byte(buffer, i) == _LARGE_Z):
        return 0
    if end < i + 3 or (byte(buffer, i) != PLUS and byte(buffer, i) != MINUS):
        return UNREAD
    hours, minutes, at = pair(buffer, i + 1), 0, i + 3
    if at < end:
        at += byte(buffer, at) == COLON
        if at + 2 != end:
            return UNREAD
        minutes = pair(buffer, at)
    if hours < 0 or hours > 23 or minutes < 0 or minutes > 59:
        return UNREAD
    offset_us = (hours * 60 + minutes) * 60_000_000
    return -offset_us if byte(buffer, i) == MINUS else offset_us


@borrowing
def epoch_time(buffer: Bytes, i: int, end: int) -> int:
    """Microseconds since 1970 of a whole number of s, ms, us or ns; else UNREAD."""
    if end - i > _EPOCH_DIGITS or digits(buffer, i, end) != end:
        return UNREAD
    whole = 0
    for k in range(i, end):
        whole = whole * 10 + _digit(buffer, k)
    return epoch_us(whole)


@borrowing
def epoch_us(whole: int) -> int:
    """Microseconds since 1970 of s, ms, us or ns, told by their magnitude; else UNREAD."""
    time_us = UNREAD
    if 10**9 <= whole < 10**11:
        time_us = whole * 1_000_000
    elif 10**12 <= whole < 10**14:
        time_us = whole * 1_000
    elif 10**15 <= whole < 10**17:
        time_us = whole
    elif whole >= 10**18:
        time_us = whole // 1_000
    return time_us if MIN_TIME_US <= time_us < MAX_TIME_US else UNREAD
