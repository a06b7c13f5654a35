"""Writing Kafka's record batches: all records of a batch in one compiled pass.

The format is version 2 of KIP-98; :mod:`stream_app.infra.kafka.log.record_batches` reads it.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c, encode_varint
from numpy.typing import NDArray

from stream_app.columns.arrays import IntArray
from stream_app.columns.byte_column import ByteColumn
from stream_app.columns.compiled import compiled
from stream_app.columns.memory_copy import copy_bytes
from stream_app.columns.varints import put_varint, varint_bytes
from stream_app.infra.kafka.errors import RecordTooLargeError
from stream_app.infra.kafka.log.compression import UNCOMPRESSED, ZSTD, Codec
from stream_app.infra.kafka.log.records import Record
from stream_app.infra.kafka.log.topics import RECORD_MAX_BYTES
from stream_app.wire.batch import Headers, header_name_bytes

#: Base offset, length, leader epoch, magic, checksum.
_FRONT: Final = struct.Struct(">qiibI")
#: Attributes, last offset delta, first and last timestamp, producer's id, epoch and sequence, count of records.
_CHECKED: Final = struct.Struct(">hiqqqhii")
_MAGIC: Final = 2
_UNCOUNTED_BYTES: Final = 12  # the length counts what follows it
#: Below the 1 MiB that a topic takes by default, so that a batch of small records fits whatever the topic's limit.
_BATCH_BYTES: Final = 1_000_000
#: More than the lengths and other numbers of a record take.
_NUMBERS_BYTES: Final = 64
#: Their number, none.
_NO_HEADERS: Final = np.frombuffer(bytearray(1), np.uint8)
#: Records without a block that are made one: their texts stay in the cache.
_RECORDS_PER_BLOCK: Final = 250


@dataclass(frozen=True, slots=True)
class RecordBlock:
    """Keys, values and encoded headers of some records, all of the same length."""

    keys: ByteColumn
    values: ByteColumn
    headers: ByteColumn

    @classmethod
    def of(cls, records: Sequence[Record]) -> RecordBlock:
        """Take any records."""
        keys, values = ByteColumn.of([key for key, _, _ in records]), ByteColumn.of([value for _, value, _ in records])
        if not any(headers for _, _, headers in records):
            none = np.zeros(len(keys), np.int64)
            return cls(keys, values, ByteColumn(_NO_HEADERS, none, none + 1))
        return cls(keys, values, ByteColumn.of([_encoded(headers) for _, _, headers in records]))

    def at(self, index: IntArray) -> RecordBlock:
        """Those at the given positions."""
        return RecordBlock(self.keys.at(index), self.values.at(index), self.headers.at(index))

    def with_header(self, name: str, content: bytes) -> RecordBlock:
        """Those with one more header each; they have a few."""
        more = _encoded([(name, content)])[1:]
        # The number of headers comes first, as one byte in zigzag form.
        headers = [bytes([some[0] + 2]) + some[1:] + more for some in self.headers if some is not None]
        return RecordBlock(self.keys, self.values, ByteColumn.of(headers))

    def most_bytes(self) -> IntArray:
        """Bytes that each of the records takes at most."""
        columns = self.keys, self.values, self.headers
        return sum(
            (np.maximum(each.ends - each.starts, 0) for each in columns), np.full(len(self.keys), _NUMBERS_BYTES)
        )


def blocks(records: Iterable[Record]) -> Iterator[RecordBlock]:
    """Records some at a time, which are taken as blocks are: no more than make about one batch."""
    some, bytes_ = list[Record](), 0
    for record in records:
        key, value, _ = record
        some.append(record)
        bytes_ += len(key or b"") + len(value or b"")
        if len(some) == _RECORDS_PER_BLOCK or bytes_ >= _BATCH_BYTES:
            yield RecordBlock.of(some)
            some, bytes_ = [], 0
    if some:
        yield RecordBlock.of(some)


class WholeBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    """A batch that is complete but for what the producer numbers it with; to be handed to ``send_batch``.

    Parameters
    ----------
    plain
        The records, one after the other; not kept.
    count
        How many they are, one at least.
    time_ms
        Stamp of all of them.
    codec
        Taken unless it makes them larger.
    """

    def __init__(self, plain: NDArray[np.uint8], count: int, time_ms: int, codec: Codec) -> None:
        self._time_ms, self._relative_offset, self._closed = time_ms, count, True
        self._codec, self._body = codec.number, codec.compress(plain)
        if len(self._body) >= len(plain):
            self._codec, self._body = UNCOMPRESSED.number, plain.tobytes()
        self._numbers = -1, -1, -1  # producer's id, epoch, sequence
        self._buffer: bytearray | None = None

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._numbers = producer_id, producer_epoch, base_sequence

    def _build(self) -> bytearray:
        if self._buffer is None:
            count, ms = self._relative_offset, self._time_ms
            checked = _CHECKED.pack(self._codec, count - 1, ms, ms, *self._numbers, count) + self._body
            length = _FRONT.size + len(checked) - _UNCOUNTED_BYTES
            self._buffer = bytearray(_FRONT.pack(0, length, -1, _MAGIC, calc_crc32c(checked)) + checked)
        return self._buffer

    def size(self) -> int:
        """Size in bytes."""
        return _FRONT.size + _CHECKED.size + len(self._body)


class Batches:
    """Builds batches (of a larger record alone) of blocks that come one after the other.

    Parameters
    ----------
    topic, cure
        Told when a record is larger than the topics take.
    codec
        Of the batches.
    size_bytes
        Of a batch at most, before it is compressed; None: 1 MB, which every topic takes.
    """

    def __init__(
        self, topic: str, codec: Codec = ZSTD, cure: str = "make it smaller", *, size_bytes: int | None = None
    ) -> None:
        self._topic, self._codec, self._cure = topic, codec, cure
        self._out = np.empty(size_bytes or _BATCH_BYTES, np.uint8)
        self._at = self._count = 0

    def put(self, block: RecordBlock) -> Iterator[WholeBatch]:
        """Put a block behind the others; the batches that are full by it.

        Raises
        ------
        RecordTooLargeError
            A record is larger than the topics take; batches before it were yielded.
        """
        sizes = block.most_bytes()
        refused = np.flatnonzero(sizes > RECORD_MAX_BYTES)
        low, end = 0, int(refused[0]) if len(refused) else len(sizes)
        before = np.append(0, sizes.cumsum())
        while low < end:
            high = min(int(np.searchsorted(before, before[low] + len(self._out) - self._at, side="right")) - 1, end)
            if high > low:
                self._at = _put(self._out, self._at, self._count, low, high, block)
                low, self._count = high, self._count + high - low
            elif self._count:
                yield from self.rest()
            else:
                alone = np.empty(int(sizes[low]), np.uint8)
                yield WholeBatch(alone[: _put(alone, 0, 0, low, low + 1, block)], 1, _now_ms(), self._codec)
                low += 1
        if len(refused):
            raise RecordTooLargeError(self._topic, block.keys[end], int(sizes[end]), RECORD_MAX_BYTES, self._cure)

    def rest(self) -> Iterator[WholeBatch]:
        """What is in no batch yet."""
        if self._count:
            yield WholeBatch(self._out[: self._at], self._count, _now_ms(), self._codec)
            self._at = self._count = 0


def whole_batches(
    topic: str, blocks: Iterable[RecordBlock], codec: Codec = ZSTD, cure: str = "make it smaller"
) -> Iterator[WholeBatch]:
    """Build the batches of blocks, which are taken as batches are; as :class:`Batches` otherwise."""
    batches = Batches(topic, codec, cure)
    for block in blocks:
        yield from batches.put(block)
    yield from batches.rest()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _put(out: NDArray[np.uint8], at: int, count: int, low: int, high: int, block: RecordBlock) -> int:
    """Write records ``low`` to ``high`` of a block behind ``count`` others; where they end."""
    keys, values, headers = block.keys, block.values, block.headers
    return _write(
        out,
        at,
        count,
        (low, high),
        (keys.buffer, keys.starts, keys.ends),
        (values.buffer, values.starts, values.ends),
        (headers.buffer, headers.starts, headers.ends),
    )


def _encoded(headers: Headers) -> bytes:
    encoded = bytearray()
    encode_varint(len(headers), encoded.append)
    for name, content in headers:
        for part in (header_name_bytes(name), content):
            encode_varint(-1 if part is None else len(part), encoded.append)
            encoded += part or b""
    return bytes(encoded)


@compiled
def _write(
    out: NDArray[np.uint8],
    at: int,
    count: int,
    part: tuple[int, int],
    keys: tuple[NDArray[np.uint8], IntArray, IntArray],
    values: tuple[NDArray[np.uint8], IntArray, IntArray],
    headers: tuple[NDArray[np.uint8], IntArray, IntArray],
) -> int:
    """Write some of the records (an end of -1: null), the first as number ``count`` of its batch; where they end."""
    key_start, key_end = keys[1], keys[2]
    value_start, value_end = values[1], values[2]
    headers_start, headers_end = headers[1], headers[2]
    for i in range(part[0], part[1]):
        number = count + i - part[0]
        key_bytes = key_end[i] - key_start[i] if key_end[i] >= 0 else -1
        value_bytes = value_end[i] - value_start[i] if value_end[i] >= 0 else -1
        headers_bytes = headers_end[i] - headers_start[i]
        size = 2 + varint_bytes(number) + varint_bytes(key_bytes) + max(key_bytes, 0)
        size += varint_bytes(value_bytes) + max(value_bytes, 0) + headers_bytes
        at = put_varint(out, at, size)
        out[at] = 0  # attributes, unused
        out[at + 1] = 0  # time since the batch's first record
        at = put_varint(out, at + 2, number)
        at = put_varint(out, at, key_bytes)
        if key_bytes > 0:
            copy_bytes(out, at, keys[0], key_start[i], key_bytes)
            at += key_bytes
        at = put_varint(out, at, value_bytes)
        if value_bytes > 0:
            copy_bytes(out, at, values[0], value_start[i], value_bytes)
            at += value_bytes
        copy_bytes(out, at, headers[0], headers_start[i], headers_bytes)
        at += headers_bytes
    return at
