"""Messages to columns in one compiled pass: rows, lists of rows and columnar batches that are written plainly.

A message with anything unusual (an escape, a value of the wrong kind) is not judged here: it is marked as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.columns import COLUMNS
from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.byte_column import ByteColumn
from stream_app.columns.compiled import compiled
from stream_app.wire.decode.capacity import row_capacity
from stream_app.wire.decode.field_names import ASSET_ID, FIELD_NAMES, FIRST_READING, TIMESTAMP, FieldNames, field_at
from stream_app.wire.decode.plain_stamps import stamp
from stream_app.wire.decode.timestamps import UNREAD
from stream_app.wire.decode.tokens import (
    COLON,
    COMMA,
    LBRACE,
    LBRACKET,
    NULL,
    ODD,
    QUOTE,
    RBRACE,
    RBRACKET,
    Bytes,
    blank,
    byte,
    literal,
    number,
    punctuation,
    same,
    scalar,
)

#: Kinds of messages.
UNUSUAL, ROW, SEVERAL = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Scanned:
    """Rows of the messages that are written plainly, in order, and the tokens that are left to Python.

    Parameters
    ----------
    kind
        Shape ``(m,)``: :data:`UNUSUAL`, :data:`ROW` or :data:`SEVERAL` rows.
    message, position, time_us
        Shape ``(n,)``: where a row stood. ``time_us`` is UNREAD where ``stamps`` names it.
    columns
        Shape ``(columns, n)``, NaN where there is none.
    measured
        Shape ``(columns,)``: whether any row has it.
    stamps
        Shape ``(s, 3)``: row, and where its stamp's token begins and ends.
    numbers
        Shape ``(k, 4)``: column, row, and where the number's token begins and ends.
    """

    kind: NDArray[np.uint8]
    message: IntArray
    position: IntArray
    time_us: IntArray
    columns: FloatArray
    measured: NDArray[np.bool_]
    stamps: IntArray
    numbers: IntArray


class _Rows(NamedTuple):
    """Where rows are written, with room for all of them; ``used`` counts stamps and numbers."""

    time_us: IntArray
    columns: FloatArray
    measured: NDArray[np.bool_]
    stamps: IntArray
    numbers: IntArray
    used: IntArray


def scan(values: ByteColumn, keys: ByteColumn) -> Scanned:
    """Read messages whose asset id is their key."""
    most = row_capacity(values.buffer, values.starts, values.ends)
    kind, message, position = np.zeros(len(values), np.uint8), np.empty(most, np.int64), np.empty(most, np.int64)
    rows = _Rows(
        time_us=np.empty(most, np.int64),
        columns=np.empty((len(COLUMNS), most)),
        measured=np.zeros(len(COLUMNS), np.bool_),
        stamps=np.empty((most, 3), np.int64),
        numbers=np.empty((most * len(COLUMNS), 4), np.int64),
        used=np.zeros(2, np.int64),
    )
    n = _scan(
        FIELD_NAMES,
        (values.buffer, values.starts, values.ends),
        (keys.buffer, keys.starts, keys.ends),
        kind,
        message,
        rows,
    )
    _count(message[:n], position)
    stamps, numbers = rows.used.tolist()
    return Scanned(
        kind,
        message[:n],
        position[:n],
        rows.time_us[:n],
        rows.columns[:, :n],
        rows.measured,
        rows.stamps[:stamps],
        rows.numbers[:numbers],
    )


@compiled
def _count(message: IntArray, position: IntArray) -> None:
    """Position of each row within its message."""
    for row in range(len(message)):
        position[row] = position[row - 1] + 1 if row and message[row] == message[row - 1] else 0


@compiled
def _scan(
    names: FieldNames,
    values: tuple[Bytes, IntArray, IntArray],
    keys: tuple[Bytes, IntArray, IntArray],
    kind: NDArray[np.uint8],
    message: IntArray,
    rows: _Rows,
) -> int:
    """Read all messages; returns the number of their rows."""
    buffer, starts, ends = values
    key_buffer, key_starts, key_ends = keys
    time_us, columns, measured, stamps, numbers, used = rows
    n = 0
    for q in range(len(starts)):
        end, key = ends[q], key_buffer[key_starts[q] : max(key_ends[q], key_starts[q])]
        i = blank(buffer, starts[q], end)
        if i >= end or len(key) == 0:
            continue
        first_stamp, first_number = used[0], used[1]
        if byte(buffer, i) == LBRACE:
            i, count = _object(names, buffer, i + 1, end, key, n, time_us, columns, measured, stamps, numbers, used)
        elif byte(buffer, i) == LBRACKET:
            i, count = _list(names, buffer, i + 1, end, key, n, time_us, columns, measured, stamps, numbers, used)
        else:
            i, count = ODD, 0
        if i == ODD or count == 0 or blank(buffer, i, end) != end:
            used[0], used[1] = first_stamp, first_number
            continue
        kind[q] = ROW if byte(buffer, blank(buffer, starts[q], end)) == LBRACE and count > 0 else SEVERAL
        for row in range(n, n + abs(count)):
            message[row] = q
        n += abs(count)
    return n


@compiled
def _list(
    names: FieldNames,
    buffer: Bytes,
    i: int,
    end: int,
    key: Bytes,
    n: int,
    time_us: IntArray,
    columns: FloatArray,
    measured: NDArray[np.bool_],
    stamps: IntArray,
    numbers: IntArray,
    used: IntArray,
) -> tuple[int, int]:
    """Read a list of rows: position behind it, and their number."""
    first = n
    i = blank(buffer, i, end)
    while i < end and byte(buffer, i) == LBRACE:
        i, count = _object(names, buffer, i + 1, end, key, n, time_us, columns, measured, stamps, numbers, used)
        if i == ODD or count != 1:
            return ODD, 0
        n += 1
        i = blank(buffer, i, end)
        if i < end and byte(buffer, i) == RBRACKET:
            return i + 1, n - first
        if i >= end or byte(buffer, i) != COMMA:
            return ODD, 0
        i = blank(buffer, i + 1, end)
    return ODD, 0


@compiled
def _object(  # noqa: PLR0912, PLR0915  # to hand six arrays on costs a third of the time
    names: FieldNames,
    buffer: Bytes,
    i: int,
    end: int,
    key: Bytes,
    n: int,
    time_us: IntArray,
    columns: FloatArray,
    measured: NDArray[np.bool_],
    stamps: IntArray,
    numbers: IntArray,
    used: IntArray,
) -> tuple[int, int]:
    """Read an object: position behind it, and its rows; as a negative number when it is a columnar batch."""
    control, needed = names.control, names.needed
    seen, lists, guess, length = 0, 0, 0, -1
    i = blank(buffer, i, end)
    while i < end and byte(buffer, i) == QUOTE:
        field, i = field_at(names, buffer, i + 1, end, guess)
        if i == ODD or field == control or (field < control and seen & (1 << field)):
            return ODD, 0
        i = punctuation(buffer, i, end, COLON)
        if i == ODD or i >= end:
            return ODD, 0
        if field > control:
            i = scalar(buffer, i, end)
        else:
            seen |= 1 << field
            guess = field + 1
            if field == ASSET_ID:
                i = same(buffer, i, end, key)
            else:
                is_list, row = byte(buffer, i) == LBRACKET, n
                if is_list:
                    i = blank(buffer, i + 1, end)
                while i < end:
                    start = i
                    if field == TIMESTAMP:
                        i, time = stamp(buffer, i, end)
                        time_us[row] = time
                        if time == UNREAD and i != ODD:
                            at = used[0]
                            stamps[at, 0], stamps[at, 1], stamps[at, 2] = row, start, i
                            used[0] = at + 1
                    elif byte(buffer, i) == NULL[0]:
                        columns[field - FIRST_READING, row] = np.nan
                        i = literal(buffer, i, end, NULL)
                    else:
                        i, value, exact = number(buffer, i, end)
                        columns[field - FIRST_READING, row] = value
                        if not measured[field - FIRST_READING]:
                            # A column that nobody measures is left out, and needs no NaN in each row.
                            measured[field - FIRST_READING] = True
                            for r in range(row):
                                columns[field - FIRST_READING, r] = np.nan
                        if not exact and i != ODD:
                            at = used[1]
                            numbers[at, 0], numbers[at, 1] = field - FIRST_READING, row
                            numbers[at, 2], numbers[at, 3] = start, i
                            used[1] = at + 1
                    row += 1
                    if i == ODD or not is_list:
                        break
                    i = blank(buffer, i, end)
                    if i >= end or byte(buffer, i) != COMMA:
                        break
                    i = blank(buffer, i + 1, end)
                if is_list:
                    if i == ODD or i >= end or byte(buffer, i) != RBRACKET or (length >= 0 and row - n != length):
                        return ODD, 0
                    lists |= 1 << field
                    i, length = i + 1, row - n
        if i == ODD:
            return ODD, 0
        i = blank(buffer, i, end)
        if i >= end or byte(buffer, i) != COMMA:
            break
        i = blank(buffer, i + 1, end)
        if i >= end or byte(buffer, i) != QUOTE:
            return ODD, 0
    if i >= end or byte(buffer, i) != RBRACE or seen & needed != needed:
        return ODD, 0
    if lists and lists != seen & ~(1 << ASSET_ID):
        return ODD, 0  # some fields are lists and others not
    for field in range(FIRST_READING, control):
        if measured[field - FIRST_READING] and not seen & (1 << field):
            for row in range(n, n + max(length, 1)):
                columns[field - FIRST_READING, row] = np.nan
    return i + 1, 1 if length < 0 else -length
