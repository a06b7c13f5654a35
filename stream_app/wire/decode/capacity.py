"""How many rows the messages of a fetch may hold, so that arrays for them can be made before they are read."""

from __future__ import annotations

from stream_app.columns.arrays import IntArray
from stream_app.columns.compiled import borrowing
from stream_app.wire.decode.tokens import COMMA, LBRACE, LBRACKET, Bytes, byte


@borrowing
def row_capacity(buffer: Bytes, starts: IntArray, ends: IntArray) -> int:
    """Count the rows that there are at most; arrays that are far too large would cost more than the counting."""
    most = 0
    for q in range(len(starts)):
        objects, commas, nested = 0, 0, False
        for each in buffer[starts[q] + 1 : max(ends[q], starts[q] + 1)]:
            nested |= each == LBRACKET
        if nested or (ends[q] > starts[q] and byte(buffer, starts[q]) != LBRACE):
            for each in buffer[starts[q] : max(ends[q], starts[q])]:
                objects += each == LBRACE
                commas += each == COMMA
        most += commas + 1 if nested else max(objects, 1)
    return most
