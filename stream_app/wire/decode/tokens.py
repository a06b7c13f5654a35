"""JSON's tokens, read from bytes by compiled code: numbers, stamps, strings.

Every function takes the position of a token's first byte and returns the position behind it; :data:`ODD` when the token
is unusual or wrong, and a real parser must read the message.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.calendar import compiled_days_from_civil, compiled_days_in_month
from stream_app.columns.compiled import compiled
from stream_app.wire.decode.timestamps import MAX_TIME_US, MIN_TIME_US, UNREAD

Bytes = NDArray[np.uint8]

ODD: Final = -1

_POWERS: Final = np.array([10.0**i for i in range(16)])  # each exact
_EXACT_DIGITS: Final = 15  # a mantissa of so many digits is exact, and divided by an exact power is rounded once
_FINITE_EXPONENT: Final = 280
_EPOCH_DIGITS: Final = 19  # of which all that are nanoseconds before 2200 fit into 64 bits

QUOTE, COMMA, COLON = (ord(c) for c in '",:')
LBRACE, RBRACE, LBRACKET, RBRACKET = (ord(c) for c in "{}[]")
_BACKSLASH, _MINUS, _PLUS, _POINT, _ZERO, _NINE = (ord(c) for c in "\\-+.09")
_BLANK, _TAB, _LINE_FEED, _RETURN = (ord(c) for c in " \t\n\r")
_SMALL_E, _LARGE_E, _LARGE_T, _LARGE_Z = (ord(c) for c in "eETZ")
NULL, _TRUE, _FALSE = (np.frombuffer(word, np.uint8) for word in (b"null", b"true", b"false"))


@compiled
def byte(buffer: Bytes, i: int) -> int:
    """Read a byte. A signed index could be negative, and to look whether it is took a seventh of the scan."""
    value: int = buffer[np.uint64(i)]
    return value


@compiled
def blank(buffer: Bytes, i: int, end: int) -> int:
    """Skip white space."""
    while i < end and (
        byte(buffer, i) == _BLANK
        or byte(buffer, i) == _LINE_FEED
        or byte(buffer, i) == _RETURN
        or byte(buffer, i) == _TAB
    ):
        i += 1
    return i


@compiled
def digits(buffer: Bytes, i: int, end: int) -> int:
    """Skip decimal digits."""
    while i < end and _ZERO <= byte(buffer, i) <= _NINE:
        i += 1
    return i


@compiled
def literal(buffer: Bytes, i: int, end: int, word: Bytes) -> int:
    """Skip a word such as ``null``."""
    if i + len(word) > end:
        return ODD
    for x in range(len(word)):
        if byte(buffer, i + x) != word[x]:
            return ODD
    return i + len(word)


@compiled
def string(buffer: Bytes, i: int, end: int) -> int:
    """Skip a string of plain ASCII without escapes; ``i`` stands behind its opening quote."""
    while i < end and byte(buffer, i) != QUOTE:
        if byte(buffer, i) < _BLANK or byte(buffer, i) >= 128 or byte(buffer, i) == _BACKSLASH:
            return ODD
        i += 1
    return i + 1 if i < end else ODD


@compiled
def number(buffer: Bytes, i: int, end: int) -> tuple[int, float, bool]:
    """Read a number: position behind it, value, and whether the value is exact (else Python has to read the token)."""
    negative = i < end and byte(buffer, i) == _MINUS
    if negative:
        i += 1
    whole, mantissa = i, np.int64(0)
    while i < end:
        digit = byte(buffer, i) - _ZERO
        if digit > 9 or digit < 0:
            break
        mantissa = mantissa * 10 + digit  # may run over: then there are too many digits, and it is not used
        i += 1
    count, power = i - whole, 0
    if count == 0 or (count > 1 and byte(buffer, whole) == _ZERO):
        return ODD, 0.0, False
    if i < end and byte(buffer, i) == _POINT:
        i += 1
        point = i
        while i < end:
            digit = byte(buffer, i) - _ZERO
            if digit > 9 or digit < 0:
                break
            mantissa = mantissa * 10 + digit
            i += 1
        power = i - point
        if power == 0:
            return ODD, 0.0, False
    exact = count + power <= _EXACT_DIGITS
    if i < end and (byte(buffer, i) == _SMALL_E or byte(buffer, i) == _LARGE_E):
        i, exact = _exponent(buffer, i + 1, end), False
        if i == ODD:
            return ODD, 0.0, False
    if count > _FINITE_EXPONENT // 10:
        return ODD, 0.0, False
    value = mantissa / _POWERS[min(power, _EXACT_DIGITS)]
    return i, -value if negative else value, exact


@compiled
def _exponent(buffer: Bytes, i: int, end: int) -> int:
    """Skip an exponent that leaves the number finite."""
    if i < end and (byte(buffer, i) == _MINUS or byte(buffer, i) == _PLUS):
        i += 1
    start, exponent = i, 0
    i = digits(buffer, i, end)
    if i == start or i > start + 3:
        return ODD
    for k in range(start, i):
        exponent = exponent * 10 + byte(buffer, k) - _ZERO
    return i if exponent <= _FINITE_EXPONENT else ODD


@compiled
def _pair(buffer: Bytes, i: int) -> int:
    """Two digits as a number; -1 when they are not digits."""
    if _ZERO <= byte(buffer, i) <= _NINE and _ZERO <= byte(buffer, i + 1) <= _NINE:
        return (np.int64(byte(buffer, i)) - _ZERO) * 10 + (np.int64(byte(buffer, i + 1)) - _ZERO)
    return -1


@compiled
def iso_time(buffer: Bytes, i: int, end: int) -> int:
    """Microseconds since 1970 of ``2022-04-13T00:00:02.123456Z`` (the fraction may be missing); else UNREAD."""
    n = end - i
    if n < 20 or n == 21 or n > 30 or byte(buffer, end - 1) != _LARGE_Z or byte(buffer, i + 10) != _LARGE_T:
        return UNREAD
    if (
        byte(buffer, i + 4) != _MINUS
        or byte(buffer, i + 7) != _MINUS
        or byte(buffer, i + 13) != COLON
        or byte(buffer, i + 16) != COLON
    ):
        return UNREAD
    century, year = _pair(buffer, i), _pair(buffer, i + 2)
    month, day = _pair(buffer, i + 5), _pair(buffer, i + 8)
    hour, minute, second = _pair(buffer, i + 11), _pair(buffer, i + 14), _pair(buffer, i + 17)
    if min(century, year) < 0 or month < 1 or month > 12 or day < 1:
        return UNREAD
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return UNREAD
    year += 100 * century
    if day > compiled_days_in_month(year, month):
        return UNREAD
    fraction = 0
    if n > 20:
        if byte(buffer, i + 19) != _POINT or digits(buffer, i + 20, end) != end - 1:
            return UNREAD
        for k in range(i + 20, i + 26):
            fraction = fraction * 10 + (np.int64(byte(buffer, k)) - _ZERO if k < end - 1 else 0)
    days = compiled_days_from_civil(year, month, day)
    time_us = ((days * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000 + fraction
    return time_us if MIN_TIME_US <= time_us < MAX_TIME_US else UNREAD


@compiled
def epoch_time(buffer: Bytes, i: int, end: int) -> int:
    """Microseconds since 1970 of a whole number of s, ms, us or ns, told by its magnitude; else UNREAD."""
    if end - i > _EPOCH_DIGITS or digits(buffer, i, end) != end:
        return UNREAD
    number = 0
    for k in range(i, end):
        number = number * 10 + (np.int64(byte(buffer, k)) - _ZERO)
    time_us = UNREAD
    if 10**9 <= number < 10**11:
        time_us = number * 1_000_000
    elif 10**12 <= number < 10**14:
        time_us = number * 1_000
    elif 10**15 <= number < 10**17:
        time_us = number
    elif number >= 10**18:
        time_us = number // 1_000
    return time_us if MIN_TIME_US <= time_us < MAX_TIME_US else UNREAD


@compiled
def punctuation(buffer: Bytes, i: int, end: int, mark: int) -> int:
    """Skip a mark, such as a colon, and the white space around it."""
    i = blank(buffer, i, end)
    return blank(buffer, i + 1, end) if i < end and byte(buffer, i) == mark else ODD


@compiled
def same(buffer: Bytes, i: int, end: int, key: Bytes) -> int:
    """Skip a string that equals the key, byte by byte."""
    n = len(key)
    if byte(buffer, i) != QUOTE or i + n + 1 >= end or byte(buffer, i + n + 1) != QUOTE:
        return ODD
    for x in range(n):
        if byte(buffer, i + 1 + x) != key[x]:
            return ODD
    return i + n + 2


@compiled
def stamp(buffer: Bytes, i: int, end: int) -> tuple[int, int]:
    """Read a stamp: position behind it, and its time; UNREAD when it is not written plainly."""
    start = i
    if byte(buffer, i) != QUOTE:
        i, _, _ = number(buffer, i, end)
        return i, UNREAD if i == ODD else epoch_time(buffer, start, i)
    start += 1
    i = string(buffer, start, end)
    return i, UNREAD if i == ODD else iso_time(buffer, start, i - 1)


@compiled
def scalar(buffer: Bytes, i: int, end: int) -> int:
    """Skip the value of a field that is not ours."""
    if byte(buffer, i) == QUOTE:
        return string(buffer, i + 1, end)
    for word in (NULL, _TRUE, _FALSE):
        if byte(buffer, i) == word[0]:
            return literal(buffer, i, end, word)
    i, _, _ = number(buffer, i, end)
    return i
