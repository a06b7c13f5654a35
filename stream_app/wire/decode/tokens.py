"""JSON's tokens, read from bytes by compiled code: numbers, strings, white space.

Every function takes the position of a token's first byte and returns the position behind it; :data:`ODD` when the token
is unusual or wrong, and a real parser must read the message.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.compiled import borrowing

Bytes = NDArray[np.uint8]

ODD: Final = -1

POWERS: Final = np.array([10.0**i for i in range(16)])  # each exact
_EXACT_DIGITS: Final = 15  # a mantissa of so many digits is exact, and divided by an exact power is rounded once
_FINITE_EXPONENT: Final = 280

QUOTE, COMMA, COLON = (ord(c) for c in '",:')
LBRACE, RBRACE, LBRACKET, RBRACKET = (ord(c) for c in "{}[]")
MINUS, PLUS, POINT, ZERO, NINE, BLANK = (ord(c) for c in "-+.09 ")
_BACKSLASH, _TAB, _LINE_FEED, _RETURN = (ord(c) for c in "\\\t\n\r")
_SMALL_E, _LARGE_E = (ord(c) for c in "eE")
NULL, _TRUE, _FALSE = (np.frombuffer(word, np.uint8) for word in (b"null", b"true", b"false"))


@borrowing
def byte(buffer: Bytes, i: int) -> int:
    """Read a byte. A signed index could be negative, and to look whether it is took a seventh of the scan."""
    value: int = buffer[np.uint64(i)]
    return value


@borrowing
def blank(buffer: Bytes, i: int, end: int) -> int:
    """Skip white space."""
    while i < end and (
        byte(buffer, i) == BLANK
        or byte(buffer, i) == _LINE_FEED
        or byte(buffer, i) == _RETURN
        or byte(buffer, i) == _TAB
    ):
        i += 1
    return i


@borrowing
def digits(buffer: Bytes, i: int, end: int) -> int:
    """Skip decimal digits."""
    while i < end and ZERO <= byte(buffer, i) <= NINE:
        i += 1
    return i


@borrowing
def literal(buffer: Bytes, i: int, end: int, word: Bytes) -> int:
    """Skip a word such as ``null``."""
    if i + len(word) > end:
        return ODD
    for x in range(len(word)):
        if byte(buffer, i + x) != word[x]:
            return ODD
    return i + len(word)


@borrowing
def string(buffer: Bytes, i: int, end: int) -> int:
    """Skip a string of plain ASCII without escapes; ``i`` stands behind its opening quote."""
    while i < end and byte(buffer, i) != QUOTE:
        if byte(buffer, i) < BLANK or byte(buffer, i) >= 128 or byte(buffer, i) == _BACKSLASH:
            return ODD
        i += 1
    return i + 1 if i < end else ODD


@borrowing
def number(buffer: Bytes, i: int, end: int) -> tuple[int, float, bool]:
    """Read a number: position behind it, value, and whether the value is exact (else Python has to read the token)."""
    negative = i < end and byte(buffer, i) == MINUS
    if negative:
        i += 1
    whole, mantissa = i, np.int64(0)
    while i < end:
        digit = byte(buffer, i) - ZERO
        if digit > 9 or digit < 0:
            break
        mantissa = mantissa * 10 + digit  # may run over: then there are too many digits, and it is not used
        i += 1
    count, power = i - whole, 0
    if count == 0 or (count > 1 and byte(buffer, whole) == ZERO):
        return ODD, 0.0, False
    if i < end and byte(buffer, i) == POINT:
        i += 1
        point = i
        while i < end:
            digit = byte(buffer, i) - ZERO
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
    value = mantissa / POWERS[min(power, _EXACT_DIGITS)]
    return i, -value if negative else value, exact


@borrowing
def _exponent(buffer: Bytes, i: int, end: int) -> int:
    """Skip an exponent that leaves the number finite."""
    if i < end and (byte(buffer, i) == MINUS or byte(buffer, i) == PLUS):
        i += 1
    start, exponent = i, 0
    i = digits(buffer, i, end)
    if i == start or i > start + 3:
        return ODD
    for k in range(start, i):
        exponent = exponent * 10 + byte(buffer, k) - ZERO
    return i if exponent <= _FINITE_EXPONENT else ODD


@borrowing
def punctuation(buffer: Bytes, i: int, end: int, mark: int) -> int:
    """Skip a mark, such as a colon, and the white space around it."""
    i = blank(buffer, i, end)
    return blank(buffer, i + 1, end) if i < end and byte(buffer, i) == mark else ODD


@borrowing
def same(buffer: Bytes, i: int, end: int, key: Bytes) -> int:
    """Skip a string that equals the key, byte by byte."""
    n = len(key)
    if byte(buffer, i) != QUOTE or i + n + 1 >= end or byte(buffer, i + n + 1) != QUOTE:
        return ODD
    for x in range(n):
        if byte(buffer, i + 1 + x) != key[x]:
            return ODD
    return i + n + 2


@borrowing
def scalar(buffer: Bytes, i: int, end: int) -> int:
    """Skip the value of a field that is not ours."""
    if byte(buffer, i) == QUOTE:
        return string(buffer, i + 1, end)
    for word in (NULL, _TRUE, _FALSE):
        if byte(buffer, i) == word[0]:
            return literal(buffer, i, end, word)
    i, _, _ = number(buffer, i, end)
    return i
