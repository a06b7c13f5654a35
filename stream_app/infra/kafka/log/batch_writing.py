"""Writing Kafka's record batches: all records of a batch in one compiled pass.

The format is version 2 of KIP-98; :mod:`stream_app.infra.kafka.log.record_batches` reads it.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Iterator, Sequence
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
from stream_app.infra.kafka.log.records import Headers, Outgoing
from stream_app.infra.kafka.log.topics import RECORD_MAX_BYTES

#: Base offset, length, leader epoch, magic, checksum.
_FRONT: Final = struct.Struct(">qiibI")
#: Attributes, last offset delta, first and last timestamp, producer's id, epoch and sequence, count of records.
_CHECKED: Final = struct.Struct(">hiqqqhii")
_MAGIC: Final = 2
_UNCOUNTED_BYTES: Final = 12  # the length counts what follows it
#: Below the 1 MiB that a topic takes by default, so that a batch of small records fits whatever the topic's limit.
_BATCH_BYTES: Final = 1_000_000
#: More than the lengths and other numbers of a record take.
_RECORD_OVERHEAD_BYTES: Final = 64
_NO_HEADERS: Final = b"\0"


class WholeBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    """A batch that is complete but for what the producer numbers it with; to be handed to ``send_batch``.

    Parameters
    ----------
    records
        At least one.
    time_ms
        Stamp of all of them.
    codec
        Taken unless it makes them larger.
    """

    def __init__(self, records: Sequence[Outgoing], time_ms: int, codec: Codec = ZSTD) -> None:
        self._time_ms, self._relative_offset, self._closed = time_ms, len(records), True
        plain = _written(records)
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


def whole_batches(topic: str, records: Iterable[Outgoing], codec: Codec = ZSTD) -> Iterator[WholeBatch]:
    """Build batches of up to 1 MB (of a larger record alone), in order; records are taken as batches are.

    RecordTooLargeError: a record is larger than the topics take; batches before it have been yielded.
    """
    some: list[Outgoing] = []
    bytes_ = 0
    for record in records:
        key, value, headers = record
        size = _RECORD_OVERHEAD_BYTES + len(key or b"") + len(value or b"")
        if headers:
            size += _headers_bytes(headers)
        if size > RECORD_MAX_BYTES:
            raise RecordTooLargeError(topic, key, size, RECORD_MAX_BYTES)
        if bytes_ + size > _BATCH_BYTES and some:
            yield WholeBatch(some, _now_ms(), codec)
            some, bytes_ = [], 0
        some.append(record)
        bytes_ += size
    if some:
        yield WholeBatch(some, _now_ms(), codec)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _written(records: Sequence[Outgoing]) -> NDArray[np.uint8]:
    """Records one after the other."""
    keys, values = ByteColumn.of([key for key, _, _ in records]), ByteColumn.of([value for _, value, _ in records])
    headers = ByteColumn.of([_encoded(headers) if headers else _NO_HEADERS for _, _, headers in records])
    contents = sum(len(column.buffer) for column in (keys, values, headers))
    out = np.empty(contents + _RECORD_OVERHEAD_BYTES * len(records), np.uint8)
    used = _write(
        out,
        *(keys.buffer, keys.starts, keys.ends),
        *(values.buffer, values.starts, values.ends),
        *(headers.buffer, headers.starts, headers.ends),
    )
    return out[:used]


def _headers_bytes(headers: Headers) -> int:
    """At least as many bytes as they take."""
    if isinstance(headers, bytes):
        return len(headers)
    return sum(len(name) + len(content or b"") + 10 for name, content in headers)


def _encoded(headers: Headers) -> bytes:
    if isinstance(headers, bytes):
        return headers
    encoded: list[int] = []
    encode_varint(len(headers), encoded.append)
    for name, content in headers:
        for part in (name.encode(), content):
            encode_varint(len(part), encoded.append)
            encoded += part
    return bytes(encoded)


@compiled
def _write(
    out: NDArray[np.uint8],
    keys: NDArray[np.uint8],
    key_start: IntArray,
    key_end: IntArray,
    values: NDArray[np.uint8],
    value_start: IntArray,
    value_end: IntArray,
    headers: NDArray[np.uint8],
    headers_start: IntArray,
    headers_end: IntArray,
) -> int:
    """Write records (an end of -1: null); how many bytes."""
    at = 0
    for i in range(len(key_start)):
        key_bytes = key_end[i] - key_start[i] if key_end[i] >= 0 else -1
        value_bytes = value_end[i] - value_start[i] if value_end[i] >= 0 else -1
        headers_bytes = headers_end[i] - headers_start[i]
        size = 2 + varint_bytes(i) + varint_bytes(key_bytes) + max(key_bytes, 0)
        size += varint_bytes(value_bytes) + max(value_bytes, 0) + headers_bytes
        at = put_varint(out, at, size)
        out[at] = 0  # attributes, unused
        out[at + 1] = 0  # time since the batch's first record
        at = put_varint(out, at + 2, i)
        at = put_varint(out, at, key_bytes)
        if key_bytes > 0:
            copy_bytes(out, at, keys, key_start[i], key_bytes)
            at += key_bytes
        at = put_varint(out, at, value_bytes)
        if value_bytes > 0:
            copy_bytes(out, at, values, value_start[i], value_bytes)
            at += value_bytes
        copy_bytes(out, at, headers, headers_start[i], headers_bytes)
        at += headers_bytes
    return at
