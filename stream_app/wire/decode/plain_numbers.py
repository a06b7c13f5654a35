"""Short numbers, read eight digits at a time by compiled code.

What is read here has the value that :func:`stream_app.wire.decode.tokens.number` gives it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stream_app.columns.compiled import inlined
from stream_app.columns.words import trailing_zeros, word_at
from stream_app.wire.decode.tokens import MINUS, ODD, POINT, POWERS, ZERO, Bytes, byte

_U64 = np.uint64
_DIGITS: Final = 8  # of a word

_ZEROS: Final = np.uint64(0x3030303030303030)
_TO_HIGH_BIT: Final = np.uint64(0x7676767676767676)  # added to a byte above 9 it sets the high bit
_HIGH_BITS: Final = np.uint64(0x8080808080808080)
_PAIRS: Final = np.uint64(0x000000FF000000FF)
_OUTER: Final = np.uint64(100 + (1_000_000 << 32))
_INNER: Final = np.uint64(1 + (10_000 << 32))
_LOW_HALF: Final = np.uint64(0xFFFFFFFF)
WHOLE_POWERS: Final = np.array([10**i for i in range(_DIGITS + 1)])


@inlined
def leading_digits(word: np.uint64) -> tuple[int, int]:
    """How many of eight bytes are digits, up to the first that is not; and the number that those make."""
    digits = word ^ _ZEROS
    others = ((digits + _TO_HIGH_BIT) | digits) & _HIGH_BITS
    count = 8 if others == 0 else trailing_zeros(others) >> 3
    if count == 0:
        return 0, 0
    # The digits to the high end, zeros before them; then two, four and eight at a time become one number.
    digits = digits << _U64(64 - 8 * count)
    pairs = digits * _U64(10) + (digits >> _U64(8))
    whole = ((pairs & _PAIRS) * _OUTER + ((pairs >> _U64(16)) & _PAIRS) * _INNER) >> _U64(32)
    number: int = np.int64(whole & _LOW_HALF)  # type: ignore[assignment]  # int() of an unsigned number stays unsigned
    return count, number


@inlined
def short_number(buffer: Bytes, i: int) -> tuple[int, float]:
    """Read a number of up to seven digits before the point and seven behind: position behind it, and value; else ODD.

    What follows (an exponent?) is the caller's to judge.
    """
    negative = byte(buffer, i) == MINUS
    if negative:
        i += 1
    count, whole = leading_digits(word_at(buffer, i))
    if not 0 < count < _DIGITS or (count > 1 and byte(buffer, i) == ZERO):
        return ODD, 0.0
    i += count
    value = np.float64(whole)
    if byte(buffer, i) == POINT:
        count, part = leading_digits(word_at(buffer, i + 1))
        if not 0 < count < _DIGITS:
            return ODD, 0.0
        i += 1 + count
        value = np.float64(whole * WHOLE_POWERS[_U64(count)] + part) / POWERS[_U64(count)]
    return i, -value if negative else value
