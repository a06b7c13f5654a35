"""Cells of a CSV table, read from bytes by compiled code: where one ends, and numbers."""

from __future__ import annotations

from typing import Final

import numpy as np

from stream_app.columns.compiled import borrowing, inlined
from stream_app.wire.decode.tokens import BLANK, MINUS, NINE, ODD, PLUS, POWERS, QUOTE, ZERO, Bytes, byte

_TAB, LINE_FEED, RETURN, _SMALL_E, _LARGE_E = (ord(c) for c in "\t\n\reE")
_EXACT_DIGITS: Final = 15  # a whole number of so many digits is exact, and divided by an exact power is rounded once
_MOST_WHOLE_DIGITS: Final = 28  # with an exponent of two digits the number is finite


@inlined
def ends_cell(mark: int, separator: int) -> bool:
    """Whether a character ends a cell that has no quotes."""
    ends: bool = mark in (separator, LINE_FEED, RETURN)
    return ends


@borrowing
def cell_bounds(text: Bytes, at: int, separator: int) -> tuple[int, int, int]:
    """Where a cell's content begins and ends, without blanks around it, and where the cell ends, ODD if nowhere."""
    if byte(text, at) == QUOTE:
        first = at = at + 1
        while byte(text, at) != QUOTE:
            if byte(text, at) == LINE_FEED:
                return 0, 0, ODD
            at += 1
        last = at
        at += 1
    else:
        first = at
        while not ends_cell(byte(text, at), separator):
            at += 1
        last = at
    while first < last and (byte(text, first) == BLANK or byte(text, first) == _TAB):
        first += 1
    while first < last and (byte(text, last - 1) == BLANK or byte(text, last - 1) == _TAB):
        last -= 1
    return first, last, at


@borrowing
def decimal(text: Bytes, at: int, end: int, decimal_mark: int) -> tuple[int, float, bool]:
    """Read a number: position behind it, value, and whether that is exact; the position is ODD when it is no number.

    Beside what JSON allows, zeros may lead and digits before or behind the point may be left out.
    """
    negative = byte(text, at) == MINUS
    at += negative
    mantissa = np.int64(0)
    digits = whole = power = significant = 0
    pointed = False
    while at < end:
        mark = byte(text, at)
        if ZERO <= mark <= NINE:
            mantissa = mantissa * 10 + (np.int64(mark) - ZERO)  # may run over: then there are too many digits
            digits += 1
            significant += significant > 0 or mark != ZERO
            power += pointed
            whole += not pointed
        elif not pointed and mark == decimal_mark:
            pointed = True
        else:
            break
        at += 1
    if digits == 0 or whole > _MOST_WHOLE_DIGITS:
        return ODD, 0.0, False
    exact = significant <= _EXACT_DIGITS and power <= _EXACT_DIGITS
    if at < end and (byte(text, at) == _SMALL_E or byte(text, at) == _LARGE_E):
        exact = False
        at += 1
        at += byte(text, at) == MINUS or byte(text, at) == PLUS
        first = at
        while at < end and ZERO <= byte(text, at) <= NINE:
            at += 1
        if at == first or at > first + 2:
            return ODD, 0.0, False
    value = mantissa / POWERS[min(power, _EXACT_DIGITS)]
    return at, -value if negative else value, exact
