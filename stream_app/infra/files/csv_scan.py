"""Rows of a CSV table, read from bytes by compiled code.

Cells written plainly are read, with the values that Python gives them. At anything else the scan stops, and the caller
has the block read cell by cell.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import IntArray
from stream_app.columns.compiled import borrowing, inlined
from stream_app.infra.files.csv_cells import LINE_FEED, RETURN, cell_bounds, decimal, ends_cell
from stream_app.wire.decode.plain_numbers import short_number
from stream_app.wire.decode.plain_stamps import epoch_time, iso_time
from stream_app.wire.decode.timestamps import UNREAD
from stream_app.wire.decode.tokens import ODD, PLUS, POINT, Bytes, byte

#: What a cell is, in place of the number of a reading's column.
STAMP, ASSET, UNUSED = -1, -2, -3

#: Columns of places: first byte and end.
START, END = range(2)
#: Counts: stamps that are UNREAD, lines of ``owners`` and of ``long``; and the bytes of the last stamp.
UNREADS, CHANGES, LONGS, STAMP_SIZE = range(4)
#: Columns of long numbers: which reading, row, first byte, end.
LONG_READING, LONG_ROW, LONG_START, LONG_END = range(4)


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
    stamps: IntArray,
    owner: IntArray,
    owners: IntArray,
    long: IntArray,
    counts: IntArray,
) -> tuple[int, int, int]:
    """Read as many lines as there is room for, or fewer when the text ends; lines without any character are no rows.

    Parameters
    ----------
    text
        Lines that each end in a line feed, up to ``end``; at least 64 bytes follow.
    decimal_mark
        The decimal point or comma.
    kinds
        Of each cell of a row: the number of a reading, or what else it is.
    readings, time_us, stamps, owner, owners, long, counts
        Filled in: shapes ``(readings, n)``, ``(n,)``, ``(n, 2)``, ``(n,)``, ``(n, 2)``, ``(readings * n, 4)`` and
        ``(4,)``. A time is UNREAD where a stamp is not written plainly. ``owner`` is a line of ``owners``, which has a
        new one whenever a row's asset differs from that of the row before. ``long`` holds numbers of too many digits,
        whose reading is not filled in.

    Returns
    -------
    at, lines, rows
        Position behind the last line, lines and rows read. The position is ODD when a cell or a line is not written
        plainly.
    """
    lines = rows = 0
    counts[:] = 0
    while lines < len(time_us) and at < end:
        lines += 1
        start = at + (byte(text, at) == RETURN)
        if byte(text, start) == LINE_FEED:
            at = start + 1
            continue
        for cell in range(len(kinds)):
            kind = kinds[cell]
            behind = _usual_cell(
                text, at, end, separator, decimal_mark, kind, rows, readings, time_us, stamps, owner, owners, counts
            )
            if behind == ODD:
                behind = _cell(
                    text,
                    at,
                    separator,
                    decimal_mark,
                    kind,
                    rows,
                    readings,
                    time_us,
                    stamps,
                    owner,
                    owners,
                    long,
                    counts,
                )
            if behind == ODD:
                return ODD, 0, 0
            at = behind
            if cell + 1 < len(kinds):
                if byte(text, at) != separator:
                    return ODD, 0, 0
            else:
                at += byte(text, at) == RETURN
                if byte(text, at) != LINE_FEED:
                    return ODD, 0, 0
            at += 1
        rows += 1
    return at, lines, rows


@inlined
def _usual_cell(
    text: Bytes,
    at: int,
    end: int,
    separator: int,
    decimal_mark: int,
    kind: int,
    row: int,
    readings: NDArray[np.float64],
    time_us: IntArray,
    stamps: IntArray,
    owner: IntArray,
    owners: IntArray,
    counts: IntArray,
) -> int:
    """Read a cell that is like most: a short number, a stamp as long as the one before, the asset of the row before."""
    if kind >= 0:
        last, value = short_number(text, at)  # it knows the point only
        if last != ODD and ends_cell(byte(text, last), separator) and decimal_mark == POINT:
            readings[kind, row] = value
            return last
    elif kind == STAMP:
        last = at + counts[STAMP_SIZE]
        if last < end and ends_cell(byte(text, last), separator):
            time_us[row] = _time(text, at, last)
            stamps[row, START], stamps[row, END] = at, last
            return last if time_us[row] != UNREAD else ODD
    elif kind == ASSET and counts[CHANGES] > 0:
        last = _same(text, at, end, owners, counts[CHANGES] - 1)
        if last != ODD and ends_cell(byte(text, last), separator):
            owner[row] = counts[CHANGES] - 1
            return last
    return ODD


@borrowing
def _cell(
    text: Bytes,
    at: int,
    separator: int,
    decimal_mark: int,
    kind: int,
    row: int,
    readings: NDArray[np.float64],
    time_us: IntArray,
    stamps: IntArray,
    owner: IntArray,
    owners: IntArray,
    long: IntArray,
    counts: IntArray,
) -> int:
    """Read any cell that is written plainly."""
    first, last, at = cell_bounds(text, at, separator)
    if at == ODD or (kind == STAMP and first == last):
        return ODD
    if kind >= 0:
        value, exact = np.nan, True
        if first < last:
            first += byte(text, first) == PLUS
            i, value, exact = decimal(text, first, last, decimal_mark)
            if i != last:
                return ODD
        readings[kind, row] = value
        if not exact:
            number = counts[LONGS]
            long[number, LONG_READING], long[number, LONG_ROW] = kind, row
            long[number, LONG_START], long[number, LONG_END] = first, last
            counts[LONGS] += 1
    elif kind == STAMP:
        time_us[row] = _time(text, first, last)
        stamps[row, START], stamps[row, END] = first, last
        counts[UNREADS] += time_us[row] == UNREAD
        counts[STAMP_SIZE] = last - first
    elif kind == ASSET:
        owner[row] = counts[CHANGES]
        owners[owner[row], START], owners[owner[row], END] = first, last
        counts[CHANGES] += 1
    return at


@borrowing
def after_lines(text: Bytes, at: int, end: int, count: int) -> tuple[int, int]:
    """Position behind so many lines, or behind the last one; and how many there were."""
    lines = 0
    while lines < count and at < end:
        lines += byte(text, at) == LINE_FEED
        at += 1
    return at, lines


@inlined
def _same(text: Bytes, at: int, end: int, places: IntArray, line: int) -> int:
    """Skip the text that stands at a place too; else ODD."""
    start, size = places[line, START], places[line, END] - places[line, START]
    if at + size >= end:
        return ODD
    for x in range(size):
        if byte(text, start + x) != byte(text, at + x):
            return ODD
    behind: int = at + size
    return behind


@borrowing
def gather(
    text: Bytes, long: IntArray, count: int, decimal_mark: int, gathered: Bytes, bounds: NDArray[np.int32]
) -> None:
    """Copy long numbers one behind the other, with a point as decimal mark; ``bounds`` has one more than there are."""
    at = 0
    bounds[0] = 0
    for number in range(count):
        for i in range(long[number, LONG_START], long[number, LONG_END]):
            gathered[at] = POINT if byte(text, i) == decimal_mark else byte(text, i)
            at += 1
        bounds[number + 1] = at


@inlined
def _time(text: Bytes, at: int, end: int) -> int:
    """Time of a stamp that is written plainly; else UNREAD."""
    time_us: int = iso_time(text, at, end)
    if time_us == UNREAD:
        time_us = epoch_time(text, at, end)
    return time_us
