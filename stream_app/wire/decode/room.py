"""Room for rows: how many the messages of a fetch may hold."""

from __future__ import annotations

from stream_app.columns.arrays import IntArray
from stream_app.columns.compiled import compiled
from stream_app.wire.decode.tokens import Bytes, byte

_OPEN, _BEGIN, _COMMA = (ord(c) for c in "{[,")


@compiled
def room(buffer: Bytes, starts: IntArray, ends: IntArray) -> int:
    """How many rows there are at most: far more room would cost more than to look."""
    most = 0
    for q in range(len(starts)):
        objects, commas, nested = 0, 0, False
        for each in buffer[starts[q] + 1 : max(ends[q], starts[q] + 1)]:
            nested |= each == _BEGIN
        if nested or (ends[q] > starts[q] and byte(buffer, starts[q]) != _OPEN):
            for each in buffer[starts[q] : max(ends[q], starts[q])]:
                objects += each == _OPEN
                commas += each == _COMMA
        most += commas + 1 if nested else max(objects, 1)
    return most
