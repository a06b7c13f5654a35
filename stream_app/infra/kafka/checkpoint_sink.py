"""Writing checkpoints to Kafka, in the order that makes a crash harmless."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, get_args

from prometheus_client import Counter

from schemas.rejected import HEADER_PREFIX, RejectCode
from stream_app.infra.failpoints import failpoint
from stream_app.infra.kafka.lease import Lease
from stream_app.infra.kafka.log.batch_producer import BatchProducer
from stream_app.infra.kafka.log.compression import CODECS
from stream_app.infra.kafka.log.partitioning import partition_of
from stream_app.infra.kafka.log.records import Record, Written
from stream_app.infra.kafka.log.topics import Topics
from stream_app.infra.kafka.tables import deletion_headers
from stream_app.infra.kafka.update_batches import UpdateBatches
from stream_app.settings import KafkaSettings
from stream_app.usecases.entry import Entry
from stream_app.usecases.ports import Checkpoint, DeadLetter
from stream_app.wire.batch import Headers

_LETTERS: Final = Counter("stream_dead_letters", "Records written to the dead-letter topic, by code", ["code"])
for _known in get_args(RejectCode):
    _LETTERS.labels(_known)  # begins at 0: an alert sees the first one
_CODE_HEADER: Final = HEADER_PREFIX + "code"


class CheckpointSink:
    """Writes checkpoints: output before state, windows before assets, the marker last.

    A crash between two steps repeats output with the same bytes; any other order could swallow it.
    """

    def __init__(self, settings: KafkaSettings, lease: Lease | None = None) -> None:
        self._topics = Topics.of(settings)
        self._producer = BatchProducer(settings, lease)
        self._codec = CODECS[settings.compression]  # of what others read: the changelogs are the service's own
        self._partitions = 0  # of the metrics topic

    @property
    def built_s(self) -> float:
        """CPU time that building batches has taken so far [s]."""
        return self._producer.built_s

    async def prepare(self) -> None:
        """Ask for what batches are built by; BrokerError: the broker does not tell the metrics topic's partitions."""
        self._partitions = await self._producer.partitions(self._topics.metrics)

    def update_batches(self, traceparent: bytes | None = None) -> UpdateBatches:
        """Begin the batches of a checkpoint's updates, which may be of a trace."""
        topic = self._topics.metrics
        return UpdateBatches(topic, self._partitions, self._codec, self._producer.cure_of_large(topic), traceparent)

    async def write(self, checkpoint: Checkpoint, updates: UpdateBatches) -> tuple[Written | None, Written | None]:
        """Write a checkpoint; once all is acked, return the offsets of its windows and of its assets."""
        await self._send_output(checkpoint, updates)
        await failpoint("after_output_flush")
        windows = await self.write_entries(self._topics.windows_changelog, checkpoint.partition, checkpoint.windows)
        assets = await self.write_entries(self._topics.assets_changelog, checkpoint.partition, checkpoint.assets)
        await failpoint("after_changelog_flush")
        return windows, assets

    async def write_entries(self, changelog: str, partition: int, entries: Iterable[Entry]) -> Written | None:
        """Write entries of a table to its changelog; once all are acked, return their offsets."""
        records = ((entry.key, entry.value, deletion_headers(entry)) for entry in entries)
        return await self._producer.send(changelog, partition, records)

    async def _send_output(self, checkpoint: Checkpoint, updates: UpdateBatches) -> None:
        send, topic = self._producer.send_batches, self._topics.metrics
        await asyncio.gather(
            *(send(topic, number, batches) for number, batches in updates.take().items()),
            self._send_letters(checkpoint.dead_letters, keyless_to=checkpoint.partition),
        )

    async def _send_letters(self, letters: Iterable[DeadLetter], *, keyless_to: int) -> None:
        topic = self._topics.dead_letters
        count = await self._producer.partitions(topic)
        by_partition: defaultdict[int, list[Record]] = defaultdict(list)
        for letter in letters:
            number = keyless_to % count if letter.key is None else partition_of(letter.key, count)
            by_partition[number].append((letter.key, letter.value, letter.headers))
        send = self._producer.send
        await asyncio.gather(*(send(topic, number, some, self._codec) for number, some in by_partition.items()))
        for records in by_partition.values():
            for _, _, headers in records:
                _LETTERS.labels(_code(headers)).inc()

    async def discard(self) -> None:
        """Drop an unfinished write: nothing of it is written later."""
        await self._producer.discard()


def _code(headers: Headers) -> str:
    """Code of a dead letter: its own headers come last."""
    return next(((value or b"").decode() for name, value in reversed(headers) if name == _CODE_HEADER), "unexpected")
