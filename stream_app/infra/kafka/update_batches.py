"""A checkpoint's updates as record batches, built while they are collected."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from stream_app.infra.kafka.log.batch_writing import Batches, RecordBlock, WholeBatch
from stream_app.infra.kafka.log.compression import UNCOMPRESSED, Codec
from stream_app.infra.kafka.log.partitioning import partitions_of
from stream_app.infra.traces import TRACEPARENT
from stream_app.wire.encode.update_list import UpdateList

#: Of a batch before it is compressed, to some fifteenth. The broker takes a batch of each partition at a time, some
#: 10 ms under load; to compress one takes 5 ms, for which look-ups wait.
_COMPRESSED_FROM_BYTES: Final = 3_000_000


class UpdateBatches:
    """Batches of the metrics topic, by partition: that of a record's asset, whatever its key is.

    As text the updates of a large fleet take ten times as much memory as its states do.

    Parameters
    ----------
    topic, codec, cure
        As :class:`Batches` takes them.
    partitions
        How many the topic has.
    traceparent
        Header of all records; None: they have none.
    """

    def __init__(self, topic: str, partitions: int, codec: Codec, cure: str, traceparent: bytes | None = None) -> None:
        self._partitions, self._traceparent = partitions, traceparent
        size_bytes = None if codec is UNCOMPRESSED else _COMPRESSED_FROM_BYTES
        self._open = defaultdict[int, Batches](lambda: Batches(topic, codec, cure, size_bytes=size_bytes))
        self._built = defaultdict[int, deque[WholeBatch]](deque)

    def put(self, updates: UpdateList) -> Iterator[None]:
        """Put updates behind the others, and pause after each batch: one takes some milliseconds.

        Raises
        ------
        RecordTooLargeError
            An update is larger than the topics take.
        """
        for block in updates.blocks:
            chosen = partitions_of(block.asset_ids, self._partitions)
            records = RecordBlock(block.keys, block.values, block.headers)
            if self._traceparent is not None:
                records = records.with_header(TRACEPARENT, self._traceparent)
            numbers = sorted(set(chosen.tolist()))  # one, but for assets that another partitioner placed
            for number in numbers:
                some = records if len(numbers) == 1 else records.at(np.flatnonzero(chosen == number))
                for batch in self._open[number].put(some):
                    self._built[number].append(batch)
                    yield

    def take(self) -> Mapping[int, Iterator[WholeBatch]]:
        """Take all batches; each is held no longer once it is taken, as one that was sent has its content twice."""
        for number, batches in self._open.items():
            self._built[number] += batches.rest()
        self._open.clear()
        return {number: _taken(batches) for number, batches in self._built.items()}

    @property
    def size_bytes(self) -> int:
        """Size of the batches that are full."""
        return sum(batch.size() for batches in self._built.values() for batch in batches)


def _taken(batches: deque[WholeBatch]) -> Iterator[WholeBatch]:
    while batches:
        yield batches.popleft()
