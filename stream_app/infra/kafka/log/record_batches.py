"""Reading Kafka's record batches into columns, without an object per record.

The format is version 2 of KIP-98 (Kafka's docs, "Message Format"). Batches of older versions, which a broker may still
hold, are read by aiokafka and written anew.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, overload

import cramjam
import numpy as np
from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c, decode_varint
from cramjam import DecompressionError
from numpy.typing import NDArray

from stream_app.columns.arrays import IntArray
from stream_app.columns.byte_column import ByteColumn
from stream_app.columns.compiled import borrowing
from stream_app.columns.words import PADDING
from stream_app.wire.batch import Headers, header_name, header_name_bytes

#: Base offset, length, leader epoch, magic, checksum, attributes, last offset delta, first and last timestamp,
#: producer's id, epoch and sequence, count of records.
_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
_LENGTH_END: Final = 12  # the length counts from here
_MAGIC_AT: Final = 16  # in every version
_CHECKED_FROM: Final = 21
_MAGIC: Final = 2
_CODEC, _LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20
_CONTROL_KEY: Final = struct.Struct(">hh")  # version, type
_ABORT: Final = 0
_UNPACK_INTO: Final[Mapping[int, Callable[[Any, Any], int]]] = {
    3: cramjam.lz4.decompress_into,
    4: cramjam.zstd.decompress_into,
}
_UNPACK: Final[Mapping[int, Callable[[Any], bytes]]] = {
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

    def messages_with(self, name: str) -> Sequence[int]:
        """Indices of the records that have a header of this name: their bytes are searched, few are decoded."""
        if not len(self.at) or not self.buffer[self.at].any():
            return ()
        whole, wanted, found = self.buffer.tobytes(), header_name_bytes(name), list[int]()
        hit = whole.find(wanted, int(self.at[0]))
        while hit >= 0:
            i = int(np.searchsorted(self.at, hit)) - 1
            if i > (found[-1] if found else -1) and any(each == name for each, _ in self[i]):
                found.append(i)
            # On to the headers of the next record: it may have the name in its value too.
            hit = whole.find(wanted, int(self.at[i + 1])) if i + 1 < len(self.at) else -1
        return found


def _headers(buffer: memoryview, at: int) -> Headers:
    count, at = decode_varint(buffer, at)
    headers = []
    for _ in range(count):
        length, at = decode_varint(buffer, at)
        name, at = header_name(bytes(buffer[at : at + length])), at + length
        length, at = decode_varint(buffer, at)
        headers.append((name, None if length < 0 else bytes(buffer[at : at + length])))
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

    def since(self, offset: int) -> Records:
        """Records at and above an offset."""
        i = int(np.searchsorted(self.offsets, offset))
        if i == 0:
            return self
        return Records(self.offsets[i:], self.timestamps_ms[i:], self.keys[i:], self.values[i:], self.headers[i:])


class RecordBatch:
    """One batch of a fetch response."""

    def __init__(self, data: memoryview) -> None:
        self._legacy: Any = None
        if len(data) > _MAGIC_AT and data[_MAGIC_AT] < _MAGIC:
            self._legacy = MemoryRecords(bytes(data)).next_batch()
            data = _renewed(list(self._legacy), 2 * len(data))
        self._data = data
        self._is_whole = len(data) >= _HEADER.size
        head = bytes(data[: _HEADER.size]).ljust(_HEADER.size, b"\0")  # a damaged length may cut it off
        (self.base_offset, _, _, _, self._checksum, self._attributes, last, self.first_ms, last_ms,
         self.producer_id, *_, self.count) = _HEADER.unpack(head)  # fmt: skip
        self.next_offset = self.base_offset + last + 1
        self.is_control = bool(self._attributes & _CONTROL)
        self.is_transactional = bool(self._attributes & _TRANSACTIONAL)
        #: Stamp of all records, if the broker gives them theirs.
        self.append_ms: int | None = last_ms if self._attributes & _LOG_APPEND_TIME else None

    def is_sound(self) -> bool:
        """Whether the checksum is right."""
        if self._legacy is not None:
            return bool(self._legacy.validate_crc())
        return self._is_whole and bool(calc_crc32c(self._data[_CHECKED_FROM:]) == self._checksum)

    def is_abort(self) -> bool:
        """Whether this control batch ends a transaction whose records do not count."""
        if not self.is_control or not self.count:  # compaction may leave an empty batch
            return False
        portion = Portion(0)
        portion.add(self)
        key = portion.records().keys[0]
        return key is not None and len(key) >= _CONTROL_KEY.size and _CONTROL_KEY.unpack_from(key)[1] == _ABORT

    def unpack_into(self, room: NDArray[np.uint8]) -> int | None:
        """Decompress the records to the beginning of ``room``; returns their size, or None if they do not fit."""
        unpack = _UNPACK_INTO.get(self._attributes & _CODEC)
        if unpack is None:
            return None
        try:
            return unpack(self._data[_HEADER.size :], room)
        except DecompressionError:  # or they are damaged, which `unpacked` then tells
            return None

    def unpacked(self) -> bytes:
        """Decompress the records."""
        return _UNPACK[self._attributes & _CODEC](self._data[_HEADER.size :])


class Portion:
    """Records of consecutive batches, decompressed one behind the other into one buffer.

    Parameters
    ----------
    room_bytes
        For how many bytes there is room at first.
    """

    def __init__(self, room_bytes: int) -> None:
        self._buffer = np.empty(room_bytes + PADDING, np.uint8)
        self._batches: list[tuple[RecordBatch, int]] = []
        #: Of the decompressed records.
        self.size_bytes = 0

    def add(self, batch: RecordBatch) -> None:
        """Take the records of a batch."""
        at = self.size_bytes
        size = batch.unpack_into(self._buffer[at : len(self._buffer) - PADDING])
        if size is None:
            content = batch.unpacked()
            size = len(content)
            if at + size + PADDING > len(self._buffer):
                grown = np.empty(2 * (at + size) + PADDING, np.uint8)
                grown[:at] = self._buffer[:at]
                self._buffer = grown
            self._buffer[at : at + size] = np.frombuffer(content, np.uint8)
        self._batches.append((batch, at))
        self.size_bytes = at + size

    def records(self) -> Records:
        """Read the records; nothing may be added any more."""
        end = self.size_bytes + PADDING
        buffer = self._buffer[:end]
        buffer[self.size_bytes :] = 0  # whoever reads eight bytes at a time may read on behind the last one
        n = sum(batch.count for batch, _ in self._batches)
        offsets, times_ms, headers = (np.empty(n, np.int64) for _ in range(3))
        key, key_end, value, value_end = (np.empty(n, np.int64) for _ in range(4))
        first = 0
        for batch, at in self._batches:
            rows = slice(first, first + batch.count)
            bounds = key[rows], key_end[rows], value[rows], value_end[rows], headers[rows]
            _walk(buffer, at, batch.base_offset, batch.first_ms, offsets[rows], times_ms[rows], bounds)
            if batch.append_ms is not None:
                times_ms[rows] = batch.append_ms
            first = rows.stop
        keys, values = ByteColumn(buffer, key, key_end), ByteColumn(buffer, value, value_end)
        return Records(offsets, times_ms, keys, values, HeaderColumn(buffer, headers))


def batches(data: bytes) -> Iterator[RecordBatch]:
    """Split the bytes of a fetch response into batches; a last one that is cut off is left out."""
    view, at = memoryview(data), 0
    while len(view) - at > _LENGTH_END:
        end = at + _LENGTH_END + int.from_bytes(view[at + 8 : at + _LENGTH_END], "big")
        if end > len(view):
            return
        yield RecordBatch(view[at:end])
        at = end


def _renewed(records: Sequence[Any], size_bytes: int) -> memoryview:
    """Write records of an older format as a batch of today's, uncompressed."""
    base, needed = records[0].offset, sum(len(each.key or b"") + len(each.value or b"") + 64 for each in records)
    builder = DefaultRecordBatchBuilder(
        magic=_MAGIC, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=needed + size_bytes,
    )  # fmt: skip
    for each in records:
        stamp_ms = -1 if each.timestamp is None else each.timestamp
        builder.append(each.offset - base, timestamp=stamp_ms, key=each.key, value=each.value, headers=[])
    return memoryview(base.to_bytes(8, "big") + bytes(builder.build())[8:])


@borrowing
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


@borrowing
def _walk(
    buffer: NDArray[np.uint8],
    at: int,
    base_offset: int,
    first_ms: int,
    offset: IntArray,
    time_ms: IntArray,
    bounds: tuple[IntArray, IntArray, IntArray, IntArray, IntArray],
) -> None:
    """Walk a batch's records: their offsets and times, the bounds of keys and values, where headers begin."""
    key, key_end, value, value_end, headers = bounds
    for q in range(len(offset)):
        length, at = _varint(buffer, at)
        end = at + length
        behind_ms, at = _varint(buffer, at + 1)  # after the attributes, which are unused
        behind, at = _varint(buffer, at)
        time_ms[q], offset[q] = first_ms + behind_ms, base_offset + behind
        length, at = _varint(buffer, at)
        key[q], key_end[q] = at, -1 if length < 0 else at + length
        at += max(length, 0)
        length, at = _varint(buffer, at)
        value[q], value_end[q] = at, -1 if length < 0 else at + length
        at += max(length, 0)
        headers[q], at = at, end
