"""Reading Kafka's record batches into columns, without an object per record.

The format is version 2 of KIP-98 (Kafka's docs, "Message Format"). Batches of older versions, which a broker may still
hold, are read by aiokafka.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, overload

import numpy as np
from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c, decode_varint
from numpy.typing import NDArray

from stream_app.columns.arrays import IntArray
from stream_app.columns.byte_column import ByteColumn
from stream_app.columns.compiled import compiled
from stream_app.wire.batch import Headers

#: Base offset, length, leader epoch, magic, checksum, attributes, last offset delta, first and last timestamp,
#: producer's id, epoch and sequence, count of records.
_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
_LENGTH_END: Final = 12  # the length counts from here
_MAGIC_AT: Final = 16  # in every version
_CHECKED_FROM: Final = 21
_MAGIC: Final = 2
_CODEC, _LOG_APPEND_TIME, _CONTROL = 0x07, 0x08, 0x20
_DECOMPRESS: Final[Mapping[int, Callable[[Any], bytes]]] = {
    0: bytes,
    1: gzip_decode,
    2: snappy_decode,
    3: lz4_decode,
    4: zstd_decode,
}


@dataclass(frozen=True, slots=True, eq=False)
class HeaderColumn(Sequence[Headers]):
    """Headers of records, decoded on access: record ``i``'s begin at ``buffer[at[i]]`` with their count."""

    buffer: NDArray[np.uint8]
    at: IntArray

    def __len__(self) -> int:
        return len(self.at)

    @overload
    def __getitem__(self, i: int) -> Headers: ...
    @overload
    def __getitem__(self, i: slice) -> HeaderColumn: ...
    def __getitem__(self, i: int | slice) -> Headers | HeaderColumn:
        if isinstance(i, slice):
            return HeaderColumn(self.buffer, self.at[i])
        at = int(self.at[i])
        if self.buffer[at] == 0:
            return ()
        return _headers(self.buffer.data, at)


def _headers(buffer: memoryview, at: int) -> Headers:
    count, at = decode_varint(buffer, at)
    headers = []
    for _ in range(count):
        length, at = decode_varint(buffer, at)
        name, at = bytes(buffer[at : at + length]).decode(), at + length
        length, at = decode_varint(buffer, at)
        headers.append((name, bytes(buffer[at : at + max(length, 0)])))
        at += max(length, 0)
    return headers


@dataclass(frozen=True, slots=True)
class Records:
    """``m`` records of one partition, offsets ascending; each column has shape (m,)."""

    offsets: IntArray
    timestamps_ms: IntArray
    keys: ByteColumn
    values: ByteColumn
    headers: HeaderColumn

    @property
    def size_bytes(self) -> int:
        """Size of the decompressed batch that they were read from."""
        return self.values.buffer.nbytes

    def since(self, offset: int) -> Records:
        """Records at and above an offset."""
        i = int(np.searchsorted(self.offsets, offset))
        if i == 0:
            return self
        return Records(self.offsets[i:], self.timestamps_ms[i:], self.keys[i:], self.values[i:], self.headers[i:])


class RecordBatch:
    """One batch of a fetch response."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._legacy: Any = None
        self._is_whole = len(data) >= _HEADER.size
        if len(data) > _MAGIC_AT and data[_MAGIC_AT] < _MAGIC:
            self._legacy = MemoryRecords(bytes(data)).next_batch()
            self.base_offset: int = int.from_bytes(data[:8], "big")
            self.next_offset: int = self._legacy.next_offset
            self.is_control = False
            return
        head = bytes(data[: _HEADER.size]).ljust(_HEADER.size, b"\0")  # a damaged length may cut it off
        (self.base_offset, _, _, _, self._checksum, self._attributes, last, self._first_ms, self._last_ms, *_,
         self._count) = _HEADER.unpack(head)  # fmt: skip
        self.next_offset = self.base_offset + last + 1
        self.is_control = bool(self._attributes & _CONTROL)

    def is_sound(self) -> bool:
        """Whether the checksum is right."""
        if self._legacy is not None:
            return bool(self._legacy.validate_crc())
        return self._is_whole and bool(calc_crc32c(self._data[_CHECKED_FROM:]) == self._checksum)

    def records(self) -> Records:
        """Decompress the batch and read its records."""
        if self._legacy is not None:
            return _legacy_records(list(self._legacy))
        content = _DECOMPRESS[self._attributes & _CODEC](self._data[_HEADER.size :])
        buffer = np.frombuffer(content, np.uint8)
        offsets, times_ms, key, key_end, value, value_end, headers = _walk(buffer, self._count)
        times_ms += self._first_ms
        if self._attributes & _LOG_APPEND_TIME:
            times_ms[:] = self._last_ms
        keys, values = ByteColumn(buffer, key, key_end), ByteColumn(buffer, value, value_end)
        return Records(offsets + self.base_offset, times_ms, keys, values, HeaderColumn(buffer, headers))


def batches(data: bytes) -> Iterator[RecordBatch]:
    """Split the bytes of a fetch response into batches; a last one that is cut off is left out."""
    view, at = memoryview(data), 0
    while len(view) - at > _LENGTH_END:
        end = at + _LENGTH_END + int.from_bytes(view[at + 8 : at + _LENGTH_END], "big")
        if end > len(view):
            return
        yield RecordBatch(view[at:end])
        at = end


def concatenated(parts: Sequence[Records]) -> Records:
    """Join the records of several batches (or of none)."""
    if len(parts) == 1:
        return parts[0]
    buffer = np.concatenate([np.zeros(1, np.uint8), *(part.keys.buffer for part in parts)])
    shifts = np.cumsum([1, *(len(part.keys.buffer) for part in parts)])[:-1].tolist()

    def joined(name: str) -> ByteColumn:
        columns: list[ByteColumn] = [getattr(part, name) for part in parts]
        starts = [column.starts + by for column, by in zip(columns, shifts, strict=True)]
        ends = [np.where(column.ends < 0, -1, column.ends + by) for column, by in zip(columns, shifts, strict=True)]
        return ByteColumn(buffer, _joined(starts), _joined(ends))

    return Records(
        _joined([part.offsets for part in parts]),
        _joined([part.timestamps_ms for part in parts]),
        joined("keys"),
        joined("values"),
        HeaderColumn(buffer, _joined([part.headers.at + by for part, by in zip(parts, shifts, strict=True)])),
    )


def _joined(arrays: Sequence[IntArray]) -> IntArray:
    return np.concatenate([np.zeros(0, np.int64), *arrays])


def _legacy_records(records: Sequence[Any]) -> Records:
    keys, values = (ByteColumn.of([getattr(record, name) for record in records]) for name in ("key", "value"))
    buffer = np.concatenate([keys.buffer, values.buffer, np.zeros(1, np.uint8)])  # the zero: no headers
    shift = len(keys.buffer)
    return Records(
        np.array([record.offset for record in records], np.int64),
        np.array([record.timestamp if record.timestamp is not None else -1 for record in records], np.int64),
        ByteColumn(buffer, keys.starts, keys.ends),
        ByteColumn(buffer, values.starts + shift, np.where(values.ends < 0, -1, values.ends + shift)),
        HeaderColumn(buffer, np.full(len(records), len(buffer) - 1)),
    )


@compiled
def _varint(buffer: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """Zigzag number at a position, and the position after it."""
    number, shift = np.uint64(0), np.uint64(0)
    while True:
        byte = np.uint64(buffer[at])
        at += 1
        number |= (byte & np.uint64(0x7F)) << shift
        if byte < 128 or shift > 63:
            return np.int64(number >> np.uint64(1)) ^ -np.int64(number & np.uint64(1)), at
        shift += np.uint64(7)


@compiled
def _walk(buffer: NDArray[np.uint8], count: int) -> Any:
    """Walk the records: offsets and times relative to the batch, the bounds of keys and values, where headers begin."""
    offset, time_ms, headers = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    key, key_end = np.empty(count, np.int64), np.empty(count, np.int64)
    value, value_end = np.empty(count, np.int64), np.empty(count, np.int64)
    at = 0
    for q in range(count):
        length, at = _varint(buffer, at)
        end = at + length
        time_ms[q], at = _varint(buffer, at + 1)  # after the attributes, which are unused
        offset[q], at = _varint(buffer, at)
        length, at = _varint(buffer, at)
        key[q], key_end[q] = at, -1 if length < 0 else at + length
        at += max(length, 0)
        length, at = _varint(buffer, at)
        value[q], value_end[q] = at, -1 if length < 0 else at + length
        at += max(length, 0)
        headers[q], at = at, end
    return offset, time_ms, key, key_end, value, value_end, headers
