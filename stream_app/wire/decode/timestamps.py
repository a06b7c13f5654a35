"""Event time as users write it, parsed to microseconds since 1970 UTC.

:func:`parse_timestamp` reads one stamp and tells what is wrong; :func:`parse_timestamps` reads columns, the same way.
:func:`read_timestamps` adds the refusals of those that cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import BoolArray, FloatArray, IntArray
from stream_app.columns.calendar import days_from_civil, days_in_month
from stream_app.wire.decode.refusal import Refusal, bad_timestamp, quoted

Stamp = str | int | float

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MIN_TIME_US: Final = int((datetime(1990, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds()) * 1_000_000
MAX_TIME_US: Final = int((datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds()) * 1_000_000  # exclusive
#: In place of a time: the stamp has not been read, or cannot be.
UNREAD: Final = -(1 << 62)
_CURE: Final = "send ISO 8601 such as 2022-04-13T00:00:02Z, or epoch seconds, ms, us or ns"

_FRACTION = r"(?:[.,](\d{1,9}))?"
_ISO = re.compile(
    rf"(\d{{4}})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d){_FRACTION})? ?([Zz]|UTC|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)
_CLOCK = rf"(\d{{1,2}}):(\d\d)(?::(\d\d){_FRACTION})?"
_US = re.compile(rf"(\d{{1,2}})/(\d{{1,2}})/(\d{{4}}),? +{_CLOCK}(?:[ \u202f]?([AaPp])[Mm])?", re.ASCII)
_DOTTED = re.compile(rf"(\d{{1,2}})\.(\d{{1,2}})\.(\d{{4}}),? +{_CLOCK}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d{1,2}([/.])\d{1,2}\1\d{4}", re.ASCII)
_NUMBER = re.compile(r"(\d{1,25})(\.\d{1,9})?", re.ASCII)

#: Lower and upper magnitude of an epoch number, units per second.
_EPOCH_UNITS: Final = ((10**9, 10**11, 1), (10**12, 10**14, 10**3), (10**15, 10**17, 10**6), (10**18, 10**20, 10**9))
_US_PER_S: Final = 1_000_000
_HOURS_ON_A_DIAL: Final = 12


class TimestampError(ValueError):
    """A stamp that cannot be read; the message says why and what to send instead."""


def parse_timestamp(stamp: Stamp) -> int:
    """Read one stamp as microseconds since 1970 UTC, finer fractions cut off.

    Raises
    ------
    TimestampError
        When the stamp cannot be read, or lies outside the years 1990 to 2199.
    """
    time_us = _parse_text(stamp.strip()) if isinstance(stamp, str) else _parse_epoch(stamp)
    if not MIN_TIME_US <= time_us < MAX_TIME_US:
        msg = f"{_shown(stamp)} is outside the years 1990 to 2199: check the year, or the unit of an epoch time"
        raise TimestampError(msg)
    return time_us


def parse_timestamps(stamps: Sequence[Stamp] | IntArray | FloatArray) -> tuple[IntArray, BoolArray]:
    """Read a column of stamps, each as :func:`parse_timestamp` does.

    Returns
    -------
    time_us, ok
        Both of shape ``(n,)``; ``time_us`` is 0 where ``ok`` is false.
    """
    if isinstance(stamps, np.ndarray):
        time_us = _parse_epochs(stamps)
    elif len(kinds := set(map(type, stamps))) == 1:
        time_us = _parse_kind(stamps, kinds.pop())
    else:
        time_us = np.zeros(len(stamps), np.int64)
        for kind in kinds:
            at = [i for i, stamp in enumerate(stamps) if type(stamp) is kind]
            time_us[at] = _parse_kind([stamps[i] for i in at], kind)
    ok = (time_us >= MIN_TIME_US) & (time_us < MAX_TIME_US)
    return np.where(ok, time_us, 0), ok


def read_timestamps(stamps: Sequence[Stamp] | IntArray | FloatArray) -> tuple[IntArray, dict[int, Refusal]]:
    """Read a column of stamps: microseconds, UNREAD where a stamp cannot be read; and its refusal, by position."""
    time_us, ok = parse_timestamps(stamps)
    return np.where(ok, time_us, UNREAD), {i: _refusal(stamps[i]) for i in np.flatnonzero(~ok).tolist()}


def _refusal(stamp: Stamp) -> Refusal:
    try:
        parse_timestamp(stamp.item() if isinstance(stamp, np.generic) else stamp)
    except TimestampError as error:
        return bad_timestamp(str(error))
    msg = f"the column parser refuses {stamp!r}, the single parser does not"
    raise AssertionError(msg)


def _shown(stamp: Stamp) -> str:
    if isinstance(stamp, str):
        return quoted(stamp)
    return "a number beyond 1e20" if abs(stamp) >= _EPOCH_UNITS[-1][1] else repr(stamp)


def _parse_text(text: str) -> int:
    if _DATE.fullmatch(text):
        text += " 00:00"
    if match := _ISO.fullmatch(text):
        year, month, day, hour, minute, second, fraction, zone = match.groups()
        time_us = _compose(text, (year, month, day), (hour, minute, second), fraction)
        return time_us - _offset_s(text, zone) * _US_PER_S
    if match := _US.fullmatch(text):
        month, day, year, hour, minute, second, fraction, half = match.groups()
        if int(month) > 12:
            msg = f"{_shown(text)}: slashes mean month/day/year, and {month} is not a month; {_CURE}"
            raise TimestampError(msg)
        if half:
            if not 1 <= int(hour) <= _HOURS_ON_A_DIAL:
                msg = f"{_shown(text)}: {hour} is not an hour of AM or PM; {_CURE}"
                raise TimestampError(msg)
            hour = str(int(hour) % _HOURS_ON_A_DIAL + (_HOURS_ON_A_DIAL if half in "Pp" else 0))
        return _compose(text, (year, month, day), (hour, minute, second), fraction)
    if match := _DOTTED.fullmatch(text):
        day, month, year, hour, minute, second, fraction = match.groups()
        return _compose(text, (year, month, day), (hour, minute, second), fraction)
    if match := _NUMBER.fullmatch(text):
        return _parse_epoch(float(text) if match[2] else int(text))
    msg = f"{_shown(text)} is not a date or time in a known format; {_CURE}"
    raise TimestampError(msg)


def _compose(text: str, date: tuple[str, str, str], clock: tuple[str, str, str | None], fraction: str | None) -> int:
    try:
        moment = datetime(*map(int, date), *(int(part or 0) for part in clock), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError as error:
        msg = f"{_shown(text)} is not a valid date or time ({error}); {_CURE}"
        raise TimestampError(msg) from None
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * _US_PER_S + int(f"{fraction or '':0<6.6}")


def _offset_s(text: str, zone: str | None) -> int:
    if zone in (None, "Z", "z", "UTC"):
        return 0
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        msg = f"{_shown(text)}: {zone} is not a valid offset from UTC; {_CURE}"
        raise TimestampError(msg)
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)


def _parse_epoch(number: float) -> int:
    for low, high, per_second in _EPOCH_UNITS:
        if low <= number < high:
            if isinstance(number, int):
                return number * _US_PER_S // per_second
            return round(number * (_US_PER_S / per_second))
    msg = f"{_shown(number)} is not an epoch time after 2001; {_CURE}"
    raise TimestampError(msg)


def _parse_kind(stamps: Sequence[Stamp], kind: type) -> IntArray:
    """Stamps of one type; 0 for what cannot be read."""
    if kind is str:
        return _parse_texts(stamps)  # type: ignore[arg-type]  # the caller has looked
    try:
        return _parse_epochs(np.array(stamps, np.int64) if kind is int else np.array(stamps, np.float64))
    except OverflowError:
        return np.array([_or_zero(stamp) for stamp in stamps], np.int64)


def _parse_epochs(numbers: IntArray | FloatArray) -> IntArray:
    time_us = np.zeros(len(numbers), np.int64)
    for low, high, per_second in _EPOCH_UNITS:
        here = (numbers >= low) & (numbers < high)
        if not here.any():
            continue
        chosen = numbers[here]
        if numbers.dtype == np.int64:  # the multiplication of 1e11 s at most stays far below 2**63
            time_us[here] = chosen * (_US_PER_S // per_second) if per_second <= _US_PER_S else chosen // 1000
        else:
            time_us[here] = np.rint(chosen * (_US_PER_S / per_second)).astype(np.int64)
    return time_us


def _or_zero(stamp: Stamp) -> int:
    try:
        return parse_timestamp(stamp)
    except TimestampError:
        return 0


def _parse_texts(stamps: Sequence[str]) -> IntArray:
    lengths = set(map(len, stamps))
    if len(lengths) == 1:
        time_us, read = _parse_iso(stamps, lengths.pop())
        if read.all():
            return time_us
        for i in np.flatnonzero(~read).tolist() if read.any() else ():
            time_us[i] = _or_zero(stamps[i])
        if read.any():
            return time_us
    # Stamps of mixed or other shapes repeat often (cut to the minute: ~30 rows each), so each is read once.
    known = dict.fromkeys(stamps, 0)
    by_length: dict[int, list[str]] = {}
    for text in known:
        by_length.setdefault(len(text), []).append(text)
    for length, texts in by_length.items():
        time_us, read = _parse_iso(texts, length)
        known.update(zip(texts, time_us.tolist(), strict=True))
        if not read.all():
            known.update((texts[i], _or_zero(texts[i])) for i in np.flatnonzero(~read).tolist())
    return np.fromiter(map(known.__getitem__, stamps), np.int64, len(stamps))


_DATE_MINUTE: Final = 16  # length of 2022-04-13T00:00
_DATE_SECOND: Final = 19
_LONGEST: Final = 35  # nine digits of fraction and an offset
_DIGITS: Final = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15)


def _parse_iso(stamps: Sequence[str], length: int) -> tuple[IntArray, BoolArray]:
    """ISO 8601 stamps of one length that end alike; second: which were read (others may still be valid)."""
    n = len(stamps)
    nothing = np.zeros(n, np.int64), np.zeros(n, np.bool_)
    shape = _ISO.fullmatch(stamps[0]) if _DATE_MINUTE <= length <= _LONGEST else None
    joined = "".join(stamps) if shape else ""
    if shape is None or not joined.isascii():
        return nothing
    try:
        offset_s = _offset_s(stamps[0], shape[8])
    except TimestampError:
        return nothing
    text = np.ascontiguousarray(np.frombuffer(joined.encode(), np.uint8).reshape(n, length).T)
    seconds, fraction = shape[6] is not None, len(shape[7] or "")
    ends = _DATE_SECOND if seconds else _DATE_MINUTE
    digits = [*_DIGITS, *((17, 18) if seconds else ()), *range(ends + 1, ends + 1 + fraction)]
    marks = [i for i in range(length) if i not in digits]
    number = text - np.uint8(ord("0"))
    ok = (number[digits] <= 9).all(axis=0)  # unsigned: what is below "0" wraps to above 9
    ok &= (text[marks] == text[marks, :1]).all(axis=0)

    def pair(at: int) -> NDArray[np.uint8]:
        value: NDArray[np.uint8] = number[at] * np.uint8(10) + number[at + 1]
        return value

    year = pair(0).astype(np.int64) * 100 + pair(2)
    month, day, hour, minute = pair(5).astype(np.int64), pair(8).astype(np.int64), pair(11), pair(14)
    ok &= (year >= 1) & (month >= 1) & (month <= 12) & (hour <= 23) & (minute <= 59)
    ok &= (day >= 1) & (day <= days_in_month(year, month))
    time_s = days_from_civil(year, month, day) * 86_400 + hour * np.int32(3600) + minute * np.int32(60) - offset_s
    if seconds:
        ok &= pair(17) <= 59
        time_s += pair(17)
    time_us = time_s * _US_PER_S
    for i in range(min(fraction, 6)):
        time_us += number[_DATE_SECOND + 1 + i] * np.int64(10 ** (5 - i))
    return np.where(ok, time_us, 0), ok
