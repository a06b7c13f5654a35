"""Load without the cost of making it: some minutes of a fleet's rows as record batches, sent again and again.

Each cycle only sets the stamps on, in place, so that event time goes on; compression and checksum are done anew. That
makes millions of rows a second of one core, all of them rows as any producer would send them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import numpy as np
from aiokafka.codec import lz4_encode
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from numpy.typing import NDArray

from bench.messages import FORMS
from bench.topics import PARTITIONS, partition_of
from bench.workload import START, Rows

CYCLE_S: Final = 240
_MARK: Final = b'"timestamp":"'
_STAMP_BYTES: Final = 19  # 2022-04-13T00:00:00; the Z behind it stays
#: Offset, length, leader's epoch, magic, checksum | attributes, last offset, first and last time, producer, count.
_FRONT: Final = struct.Struct(">qiibI")
_CHECKED: Final = struct.Struct(">hiqqqhii")
_MAGIC, _LZ4 = 2, 3
_HEADER_BYTES: Final = _FRONT.size + _CHECKED.size
_BEFORE_LENGTH_ENDS: Final = 12
_ROOM: Final = 1 << 30  # batches are cut by their number of rows


@dataclass(slots=True)
class _Template:
    partition: int
    content: NDArray[np.uint8]  # the records of a batch, not compressed
    stamps: NDArray[np.int64]  # where each stamp stands, byte by byte: (rows, 19)
    seconds: NDArray[np.int64]  # of each row within the cycle
    rows: int = field(init=False)

    def __post_init__(self) -> None:
        self.rows = len(self.seconds)


class Cycle:
    """A cycle of a fleet; ``rows_per_batch`` as a producer that lingers for a moment would make them."""

    def __init__(self, assets: int, rows_per_batch: int, cycle_s: int = CYCLE_S) -> None:
        self._cycle_s = cycle_s
        rows = Rows.of(cycle_s * assets, assets)
        self._templates = list(_templates(rows, rows_per_batch))

    def batches(self, cycle: int, now_ms: int) -> Iterator[tuple[int, int, bytes]]:
        """Batches of the cycle of that number in the order of their last rows: partition, rows, and the batch."""
        begin = np.datetime64((START + timedelta(seconds=cycle * self._cycle_s)).replace(tzinfo=None), "s")
        texts = np.datetime_as_string(begin + np.arange(self._cycle_s)).astype(f"S{_STAMP_BYTES}")
        stamps = texts.view(np.uint8).reshape(self._cycle_s, _STAMP_BYTES)
        for template in self._templates:
            template.content[template.stamps] = stamps[template.seconds]
            yield template.partition, template.rows, _batch(template.content.tobytes(), template.rows, now_ms)


def rows_per_batch(rows_per_s: float) -> int:
    """Rows that a partition gets in 20 ms, a thousand at most."""
    return int(min(max(rows_per_s * 0.02 / PARTITIONS, 1), 1000))


def _templates(rows: Rows, most: int) -> Iterator[_Template]:
    open_: list[list[tuple[bytes, bytes, int]]] = [[] for _ in range(PARTITIONS)]
    for number, (key, value) in enumerate(FORMS["rows"].messages(rows)):
        partition = partition_of(key)
        open_[partition].append((key, value, number // len(rows.assets)))
        if len(open_[partition]) == most:
            yield _template(partition, open_[partition])
            open_[partition] = []
    yield from (_template(partition, left) for partition, left in enumerate(open_) if left)


def _template(partition: int, messages: list[tuple[bytes, bytes, int]]) -> _Template:
    builder = DefaultRecordBatchBuilder(_MAGIC, 0, 0, -1, -1, 0, _ROOM)
    for number, (key, value, _) in enumerate(messages):
        builder.append(number, 0, key, value, [])
    content = bytes(builder.build())[_HEADER_BYTES:]
    places, at = [], content.find(_MARK)
    while at >= 0:
        places.append(at + len(_MARK))
        at = content.find(_MARK, at + 1)
    return _Template(
        partition,
        np.frombuffer(content, np.uint8).copy(),
        np.array(places)[:, None] + np.arange(_STAMP_BYTES),
        np.array([second for *_, second in messages]),
    )


def _batch(content: bytes, rows: int, now_ms: int) -> bytes:
    """A record batch of Kafka's format 2 around its records."""
    packed = lz4_encode(content)
    checked = _CHECKED.pack(_LZ4, rows - 1, now_ms, now_ms, -1, -1, -1, rows) + packed
    length = _FRONT.size + len(checked) - _BEFORE_LENGTH_ENDS
    batch: bytes = _FRONT.pack(0, length, -1, _MAGIC, calc_crc32c(checked)) + checked
    return batch


class ReadyBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka ships no types
    """A batch that is done, for ``AIOKafkaProducer.send_batch`` (aiokafka 0.14)."""

    def __init__(self, content: bytes, rows: int) -> None:
        self._buffer: Any = content
        self._relative_offset = rows
        self._closed = True
