"""Rows of a CSV table, read from bytes by compiled code.

Cells written plainly are read, with the values that Python gives them. At anything else the scan stops, and the caller
has the block read cell by cell.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import IntArray
from stream_app.columns.compiled import borrowing
from stream_app.wire.decode.plain_numbers import short_number
from stream_app.wire.decode.plain_stamps import epoch_time, iso_time
from stream_app.wire.decode.timestamps import UNREAD
from stream_app.wire.decode.tokens import (
    BLANK,
    MINUS,
    NINE,
    ODD,
    PLUS,
    POINT,
    POWERS,
    QUOTE,
    ZERO,
    Bytes,
    byte,
)

#: What a cell is, in place of the number of a reading's column.
STAMP, ASSET, UNUSED = -1, -2, -3

#: Columns of the places that a scan fills in, a line per row: first byte and end of stamp and of asset.
STAMP_START, STAMP_END, ASSET_START, ASSET_END = range(4)
#: Columns of long numbers: which reading, row, first byte, end.
LONG_READING, LONG_ROW, LONG_START, LONG_END = range(4)

_TAB, LINE_FEED, RETURN, _SMALL_E, _LARGE_E = (ord(c) for c in "\t\n\reE")
_EXACT_DIGITS: Final = 15  # a whole number of so many digits is exact, and divided by an exact power is rounded once
_MOST_WHOLE_DIGITS: Final = 28  # with an exponent of two digits the number is finite


@borrowing
def scan(
    text: Bytes,
    at: int,
    end: int,
    separator: int,
    decimal_mark: int,
    kinds: IntArray,
    readings: NDArray[np.float64],
    time_us: IntArray,
    places: IntArray,
    long: IntArray,
) -> tuple[int, int, int, int, int]:
    """Read as many lines as there is room for, or fewer when the text ends; lines without any character are no rows.

    Parameters
    ----------
    text
        Lines that each end in a line feed, up to ``end``; at least 64 bytes follow.
    decimal_mark
        May stand for the decimal point.
    kinds
        Of each cell of a row: the number of a reading, or what else it is.
    readings, time_us, places, long
        Filled in: shapes ``(readings, n)``, ``(n,)``, ``(n, 4)``, ``(readings * n, 4)``. A time is UNREAD where a
        stamp is not written plainly; ``long`` holds numbers of too many digits, whose reading is not filled in.

    Returns
    -------
    at, lines, rows, unread, longs
        Position behind the last line, lines and rows read, stamps that are UNREAD, and lines of ``long``. The position
        is ODD when a cell or a line is not written plainly.
    """
    lines = rows = unread = longs = 0
    while lines < len(time_us) and at < end:
        lines += 1
        start = at + (byte(text, at) == RETURN)
        if byte(text, start) == LINE_FEED:
            at = start + 1
            continue
        for cell in range(len(kinds)):
            kind = kinds[cell]
            if kind >= 0:
                i, value = short_number(text, at)
                mark = byte(text, i) if i != ODD else ZERO
                if mark == separator or mark == LINE_FEED or mark == RETURN:
                    readings[kind, rows] = value
                    at = cell_end(text, i, separator, cell + 1 == len(kinds))
                    if at == ODD:
                        return ODD, 0, 0, 0, 0
                    continue
            first, last, at = _bounds(text, at, separator)
            if at == ODD:
                return ODD, 0, 0, 0, 0
            if kind >= 0:
                value, exact = np.nan, True
                if first < last:
                    first += byte(text, first) == PLUS
                    i, value, exact = decimal(text, first, last, decimal_mark)
                    if i != last:
                        return ODD, 0, 0, 0, 0
                readings[kind, rows] = value
                if not exact:
                    long[longs, LONG_READING], long[longs, LONG_ROW] = kind, rows
                    long[longs, LONG_START], long[longs, LONG_END] = first, last
                    longs += 1
            elif kind == STAMP:
                if first == last:
                    return ODD, 0, 0, 0, 0
                time = iso_time(text, first, last)
                if time == UNREAD:
                    time = epoch_time(text, first, last)
                    unread += time == UNREAD
                time_us[rows] = time
                places[rows, STAMP_START], places[rows, STAMP_END] = first, last
            elif kind == ASSET:
                places[rows, ASSET_START], places[rows, ASSET_END] = first, last
            at = cell_end(text, at, separator, cell + 1 == len(kinds))
            if at == ODD:
                return ODD, 0, 0, 0, 0
        rows += 1
    return at, lines, rows, unread, longs


@borrowing
def after_lines(text: Bytes, at: int, end: int, count: int) -> tuple[int, int]:
    """Position behind so many lines, or behind the last one; and how many there were."""
    lines = 0
    while lines < count and at < end:
        lines += byte(text, at) == LINE_FEED
        at += 1
    return at, lines


@borrowing
def changes(text: Bytes, places: IntArray, rows: int, changed: IntArray) -> int:
    """Count the rows whose asset is another one than that of the row before; their numbers go into ``changed``."""
    count = 0
    for row in range(rows):
        start, size = places[row, ASSET_START], places[row, ASSET_END] - places[row, ASSET_START]
        same = row > 0 and size == places[row - 1, ASSET_END] - places[row - 1, ASSET_START]
        x = 0
        while same and x < size:
            same = byte(text, start + x) == byte(text, places[row - 1, ASSET_START] + x)
            x += 1
        if not same:
            changed[count] = row
            count += 1
    return count


@borrowing
def gather(text: Bytes, long: IntArray, count: int, decimal_mark: int, gathered: Bytes, bounds: NDArray[np.int32]) -> None:
    """Copy long numbers one behind the other, with a point as decimal mark; ``bounds`` has one more than there are."""
    at = 0
    bounds[0] = 0
    for number in range(count):
        for i in range(long[number, LONG_START], long[number, LONG_END]):
            gathered[at] = POINT if byte(text, i) == decimal_mark else byte(text, i)
            at += 1
        bounds[number + 1] = at


@borrowing
def cell_end(text: Bytes, at: int, separator: int, last: bool) -> int:
    """Skip what ends a cell: the separator; of a row's last cell the line's end. Else ODD."""
    if not last:
        return at + 1 if byte(text, at) == separator else ODD
    at += byte(text, at) == RETURN
    return at + 1 if byte(text, at) == LINE_FEED else ODD


@borrowing
def _bounds(text: Bytes, at: int, separator: int) -> tuple[int, int, int]:
    """Where a cell's content begins and ends, without blanks around it, and where the cell ends: ODD when it does not."""
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
        while byte(text, at) != separator and byte(text, at) != LINE_FEED and byte(text, at) != RETURN:
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
        elif not pointed and (mark == POINT or mark == decimal_mark):
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
