"""Frames of an Arrow IPC stream: how large the stream will be in memory, known before any of it is decompressed.

A stream is a sequence of messages: a marker, the metadata's length, the metadata (a flatbuffer), a body. Only the sizes
are read here; Arrow's own reader reads everything else.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from stream_app.wire.decode.refusal import Refusal

#: Begins each message of a stream. No JSON text begins so: the bytes are not valid UTF-8.
MARKER: Final = b"\xff\xff\xff\xff"

#: How large a message may become in memory, in bytes of its columns, and as a multiple of its own size: a fetch of many
#: small messages must not fill the memory either. Readings that never change compress to a hundredth.
MAX_BYTES: Final = 64 << 20
MAX_EXPANSION: Final = 256

_ROW_BYTES: Final = 80  # of a decoded row, counted beside the bytes of its columns: some types need none
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3  # kinds of messages
#: Ends a stream.
END: Final = MARKER + bytes(4)
_VERSION_5: Final = 4  # of the metadata, counted from 0; since Arrow 1.0
_UNCOMPRESSED: Final = -1
_KNOWN_BYTES: Final = 4096  # longer metadata is not remembered
_FRAME, _U8, _U16, _I32, _U32, _I64 = (struct.Struct(f"<{form}") for form in ("4sI", "B", "H", "i", "I", "q"))


def check(value: memoryview) -> None:
    """Look at a stream's frames.

    Raises
    ------
    Refusal
        When they do not fit together, when bytes follow the stream's end, or when the stream expands to too many bytes.
    """
    try:
        held = _held(value)
    except (struct.error, ValueError, IndexError):
        raise unreadable("its lengths do not fit its bytes") from None
    most = min(MAX_BYTES, MAX_EXPANSION * len(value))
    if held > most:
        cure = "send fewer rows per message, or leave the compression to Kafka"
        reason = f"the Arrow stream expands to {held} bytes, more than {most}: {cure}"
        raise Refusal("bad_arrow", reason)


def unreadable(why: str) -> Refusal:
    """Refusal of a message that is not a whole stream."""
    return Refusal("bad_arrow", f"the Arrow stream cannot be read ({why}): send all bytes of an IPC stream")


class Extent(NamedTuple):
    """Where a body begins and ends."""

    start: int
    end: int


def first_batch(value: memoryview) -> Extent | None:
    """Body of the record batch of a stream that has been checked; None when it is not all that follows the schema."""
    start = at = 0
    for kind in (_SCHEMA, _BATCH):
        if value[at:] in (b"", END):
            return None
        start = at + _FRAME.size + int(_FRAME.unpack_from(value, at)[1])
        frame = _frame(bytes(value[at + _FRAME.size : start]))
        if frame.kind != kind:
            return None
        at = start + frame.body
    return Extent(start, at) if value[at:] in (b"", END) else None


class _Frame(NamedTuple):
    """A message of a stream: kind, length of its body, bytes in memory beside compressed buffers, and those buffers."""

    kind: int
    body: int
    held: int
    buffers: Sequence[tuple[int, int]]  # offset in the body, length


def _held(value: memoryview) -> int:
    held, at = 0, 0
    while at < len(value):
        mark, length = _FRAME.unpack_from(value, at)
        if mark != MARKER:
            raise unreadable(f"no message begins at byte {at}")
        at += _FRAME.size
        if length == 0:
            break
        metadata = bytes(value[at : at + length])
        # A producer's messages differ in their readings, not in their metadata.
        frame = _known_frame(metadata) if length <= _KNOWN_BYTES else _frame(metadata)
        at += length
        if at + frame.body > len(value):
            raise unreadable("it is cut off")
        held += frame.held
        for offset, size in frame.buffers:
            (expanded,) = _I64.unpack_from(value, at + offset)
            if expanded < _UNCOMPRESSED:
                raise unreadable("a compressed buffer has no size")
            held += size if expanded == _UNCOMPRESSED else expanded
        at += frame.body
    if at != len(value):
        raise Refusal(
            "bad_arrow", f"{len(value) - at} bytes follow the end of the Arrow stream: send one stream per message"
        )
    return held


def _frame(metadata: bytes) -> _Frame:
    """Read the metadata of a message."""
    message = _root(metadata, 0)
    body = _number(metadata, message, 3, _I64)
    if body < 0:
        raise ValueError
    if _number(metadata, message, 0, _U16) != _VERSION_5:
        raise Refusal("bad_arrow", "the Arrow stream has a format older than 1.0: write it with Arrow 1.0 or later")
    kind = _number(metadata, message, 1, _U8)
    if kind not in (_DICTIONARY, _BATCH):
        return _Frame(kind, body, 0, ())
    batch = _table(metadata, message, 2)
    if kind == _DICTIONARY:
        batch = _table(metadata, batch, 1)
    rows = _number(metadata, batch, 0, _I64)
    vector = _table(metadata, batch, 2)
    (count,) = _U32.unpack_from(metadata, vector)
    buffers = np.frombuffer(metadata, "<i8", 2 * count, vector + 4).reshape(count, 2)
    if rows < 0 or (buffers < 0).any():
        raise ValueError
    held = rows * _ROW_BYTES
    if _field(metadata, batch, 3):
        return _Frame(kind, body, held, [(offset, size) for offset, size in buffers.tolist() if size])
    return _Frame(kind, body, held + sum(buffers[:, 1].tolist()), ())


_known_frame = lru_cache(maxsize=1024)(_frame)


def _root(metadata: bytes, at: int) -> int:
    return at + int(_U32.unpack_from(metadata, at)[0])


def _field(metadata: bytes, table: int, number: int) -> int:
    """Where a field of a flatbuffer's table stands; 0 when it has its default."""
    names = table - _I32.unpack_from(metadata, table)[0]
    slot = 4 + 2 * number
    if names < 0 or slot >= _U16.unpack_from(metadata, names)[0]:
        return 0
    offset = int(_U16.unpack_from(metadata, names + slot)[0])
    return table + offset if offset else 0


def _number(metadata: bytes, table: int, number: int, form: struct.Struct) -> int:
    at = _field(metadata, table, number)
    return int(form.unpack_from(metadata, at)[0]) if at else 0


def _table(metadata: bytes, table: int, number: int) -> int:
    """Where a table or vector, that a field refers to, stands."""
    at = _field(metadata, table, number)
    if not at:
        raise ValueError
    return _root(metadata, at)
