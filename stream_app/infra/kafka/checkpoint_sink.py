"""Writing checkpoints to Kafka, in the order that makes a crash harmless."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from stream_app.infra.failpoints import failpoint
from stream_app.infra.kafka.lease import Lease
from stream_app.infra.kafka.log.batch_producer import BatchProducer, partition_of
from stream_app.infra.kafka.log.compression import CODECS
from stream_app.infra.kafka.log.records import Outgoing, Written
from stream_app.infra.kafka.log.topics import Topics
from stream_app.infra.kafka.tables import deletion_headers
from stream_app.settings import KafkaSettings
from stream_app.usecases.ports import Checkpoint, Entry


class CheckpointSink:
    """Writes checkpoints: output before state, windows before assets, the marker last.

    A crash between two steps repeats output with the same bytes; any other order could swallow it.
    """

    def __init__(self, settings: KafkaSettings, lease: Lease | None = None) -> None:
        self._topics = Topics.of(settings)
        self._producer = BatchProducer(settings, lease)
        self._codec = CODECS[settings.compression]  # of what others read: the changelogs are the service's own

    @property
    def built_s(self) -> float:
        """CPU time that building batches has taken so far [s]."""
        return self._producer.built_s

    async def write(self, checkpoint: Checkpoint) -> tuple[Written | None, Written | None]:
        """Write a checkpoint; once all is acked, return the offsets of its windows and of its assets."""
        updates = ((asset_id, (key, value, headers)) for asset_id, key, value, headers in checkpoint.updates)
        letters = ((each.key, (each.key, each.value, list(each.headers))) for each in checkpoint.dead_letters)
        await asyncio.gather(
            self._spread(self._topics.metrics, updates, checkpoint.partition),
            self._spread(self._topics.dead_letters, letters, checkpoint.partition),
        )
        await failpoint("after_output_flush")
        windows = await self.write_entries(self._topics.windows_changelog, checkpoint.partition, checkpoint.windows)
        assets = await self.write_entries(self._topics.assets_changelog, checkpoint.partition, checkpoint.assets)
        await failpoint("after_changelog_flush")
        return windows, assets

    async def write_entries(self, changelog: str, partition: int, entries: Iterable[Entry]) -> Written | None:
        """Write entries of a table to its changelog; once all are acked, return their offsets."""
        records = ((entry.key, entry.value, deletion_headers(entry)) for entry in entries)
        return await self._producer.send(changelog, partition, records)

    async def _spread(self, topic: str, records: Iterable[tuple[bytes | None, Outgoing]], keyless_to: int) -> None:
        """Write records, each with the key that chooses its partition, which need not be its own."""
        count = await self._producer.partitions(topic)
        by_partition: defaultdict[int, list[Outgoing]] = defaultdict(list)
        for key, record in records:
            by_partition[keyless_to % count if key is None else partition_of(key, count)].append(record)
        await asyncio.gather(
            *(self._producer.send(topic, number, some, self._codec) for number, some in by_partition.items())
        )

    async def discard(self) -> None:
        """Drop an unfinished write: nothing of it is written later."""
        await self._producer.discard()
