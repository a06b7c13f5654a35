"""Messages to columns in one compiled pass: rows, lists of rows and columnar batches that are written plainly.

A message with anything unusual (an escape, a value of the wrong kind) is not judged here: it is marked as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.columns import COLUMNS
from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.byte_column import ByteColumn
from stream_app.columns.compiled import borrowing
from stream_app.wire.decode.capacity import row_capacity
from stream_app.wire.decode.field_names import FIELD_NAMES, FieldNames
from stream_app.wire.decode.fitting import NUMBERS, STAMPS, Templates
from stream_app.wire.decode.objects import ALL_REMEMBERED, UNFIT, Rows, read_object
from stream_app.wire.decode.templates import KnownTemplates
from stream_app.wire.decode.tokens import COMMA, LBRACE, LBRACKET, ODD, RBRACKET, Bytes, blank, byte

#: Kinds of messages.
UNUSUAL, ROW, SEVERAL = 0, 1, 2

_WORTH_LEARNING: Final = 16  # a template for fewer than every sixteenth row would save little


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
        Shape ``(columns,)``: whether any row has it, or every row must name it.
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


def scan(values: ByteColumn, keys: ByteColumn, templates: KnownTemplates) -> Scanned:
    """Read messages whose asset id is their key; learns how they are written for the next time."""
    most = row_capacity(values.buffer, values.starts, values.ends)
    kind, message, position = np.zeros(len(values), np.uint8), np.empty(most, np.int64), np.empty(most, np.int64)
    rows = Rows.of(most)
    n = _scan(
        FIELD_NAMES,
        templates.compiled,
        (values.buffer, values.starts, values.ends),
        (keys.buffer, keys.starts, keys.ends),
        kind,
        message,
        rows,
    )
    _count(message[:n], position)
    unfit, start, end = rows.remembered[UNFIT:ALL_REMEMBERED].tolist()
    if unfit * _WORTH_LEARNING > n:
        templates.learn(values.buffer[start:end].tobytes())
    stamps, numbers, measured = rows.used.tolist()
    return Scanned(
        kind,
        message[:n],
        position[:n],
        rows.time_us[:n],
        rows.columns[:, :n],
        np.array([bool(measured >> column & 1) for column in range(len(COLUMNS))]),
        rows.stamps[:stamps],
        rows.numbers[:numbers],
    )


@borrowing
def _count(message: IntArray, position: IntArray) -> None:
    """Position of each row within its message."""
    for row in range(len(message)):
        position[row] = position[row - 1] + 1 if row and message[row] == message[row - 1] else 0


@borrowing
def _scan(
    names: FieldNames,
    templates: Templates,
    values: tuple[Bytes, IntArray, IntArray],
    keys: tuple[Bytes, IntArray, IntArray],
    kind: NDArray[np.uint8],
    message: IntArray,
    rows: Rows,
) -> int:
    """Read all messages; returns the number of their rows."""
    buffer, starts, ends = values
    key_buffer, key_starts, key_ends = keys
    used = rows.used
    n = 0
    for q in range(len(starts)):
        end, key = ends[q], key_buffer[key_starts[q] : max(key_ends[q], key_starts[q])]
        i = blank(buffer, starts[q], end)
        if i >= end or len(key) == 0:
            continue
        first_stamp, first_number = used[STAMPS], used[NUMBERS]
        listed, last, read, count = byte(buffer, i) == LBRACKET, False, 0, 0
        if listed:
            i = blank(buffer, i + 1, end)
        while not last:
            count = 0
            if i < end and byte(buffer, i) == LBRACE:
                i, count = read_object(names, templates, buffer, i, end, key, n + read, rows)
            if count == 0 or i == ODD or (listed and count != 1):
                i = ODD
                break
            read += abs(count)
            i = blank(buffer, i, end)
            last = not listed
            if listed:
                last = i < end and byte(buffer, i) == RBRACKET
                if not last and (i >= end or byte(buffer, i) != COMMA):
                    i = ODD
                    break
                i = blank(buffer, i + 1, end)
        if i != end:
            used[STAMPS], used[NUMBERS] = first_stamp, first_number
            continue
        kind[q] = SEVERAL if listed or count < 0 else ROW
        for row in range(n, n + read):
            message[row] = q
        n += read
    return n
