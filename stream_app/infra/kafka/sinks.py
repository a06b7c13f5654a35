"""What goes out to Kafka: checkpoints, in their order, and messages for the measurements topic."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from stream_app.infra.failpoints import failpoint
from stream_app.infra.kafka.batch_producer import NO_HEADERS, BatchProducer, Record, partition_of
from stream_app.infra.kafka.errors import BrokerUnavailableError
from stream_app.infra.kafka.lease import Lease
from stream_app.infra.kafka.tables import Written, deletion_headers
from stream_app.infra.kafka.topics import Topics, probe
from stream_app.settings import KafkaSettings
from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.ports import Checkpoint, Entry

_ACK_TIMEOUT_S: Final = 30.0


class CheckpointSink:
    """Writes checkpoints: output before state, windows before assets, the marker last.

    A crash between two steps repeats output with the same bytes; any other order could swallow it.
    """

    def __init__(self, settings: KafkaSettings, lease: Lease | None = None) -> None:
        self._topics = Topics.of(settings)
        self._producer = BatchProducer(settings, lease)

    async def write(self, checkpoint: Checkpoint) -> tuple[Written | None, Written | None]:
        """Write all of a checkpoint; return where its windows and assets stand when all is acked."""
        updates: Iterator[Record] = ((key, value, NO_HEADERS) for key, value in checkpoint.updates)
        letters = ((letter.key, letter.value, list(letter.headers)) for letter in checkpoint.dead_letters)
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
        """Write entries of a table; return where they stand when all are acked."""
        records = ((entry.key, entry.value, deletion_headers(entry)) for entry in entries)
        return await self._producer.send(changelog, partition, records)

    async def _spread(self, topic: str, records: Iterable[Record], keyless_to: int) -> None:
        count = await self._producer.partitions(topic)
        by_partition: defaultdict[int, list[Record]] = defaultdict(list)
        for record in records:
            key = record[0]
            by_partition[keyless_to % count if key is None else partition_of(key, count)].append(record)
        await asyncio.gather(*(self._producer.send(topic, number, some) for number, some in by_partition.items()))

    async def discard(self) -> None:
        """Make sure that nothing of an unfinished write is written later."""
        await self._producer.discard()


class MeasurementTopic:
    """The measurements topic for writers inside the service (port ``MeasurementLog``)."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = settings.measurements_topic
        self._producer = BatchProducer(settings)
        self._reader: AIOKafkaConsumer | None = None
        self._partitions = 0

    async def start(self) -> None:
        """Connect. The topic must exist.

        Raises
        ------
        BrokerUnavailableError
            Nobody answers at the bootstrap servers.
        """
        await probe(self._settings.bootstrap_servers)
        self._reader = AIOKafkaConsumer(bootstrap_servers=self._settings.bootstrap_servers)
        try:
            await self._reader.start()
            self._partitions = await self._producer.partitions(self._topic)
        except BaseException as error:
            await self.stop()
            if isinstance(error, KafkaError):
                raise BrokerUnavailableError(self._settings.bootstrap_servers) from error
            raise

    async def stop(self) -> None:
        """Disconnect; what is being appended fails."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.stop()
        await self._producer.discard()

    def partition_count(self) -> int:
        """Partitions of the topic; 0 before the start."""
        return self._partitions

    def partition_of(self, key: bytes) -> int:
        """Partition that :meth:`append` uses for a key."""
        if not self._partitions:
            raise _unavailable()
        return partition_of(key, self._partitions)

    async def append(self, key: bytes, values: Iterable[bytes], partition: int | None = None) -> tuple[int, int]:
        """Publish in order, all acked by the broker; return (partition, offset of the last).

        Raises
        ------
        UnavailableError
            The broker stopped acking. Some of the values may have been written.
        """
        target = self.partition_of(key) if partition is None else partition
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_ACK_TIMEOUT_S) as patience:

                def records() -> Iterator[Record]:
                    for value in values:  # pulled no faster than the broker acks
                        patience.reschedule(loop.time() + _ACK_TIMEOUT_S)
                        yield key, value, NO_HEADERS

                written = await self._producer.send(self._topic, target, records())
        except (KafkaError, TimeoutError) as error:
            await self._producer.discard()
            raise _unavailable() from error
        return target, written.last if written else await self.end_offset(target) - 1

    async def end_offset(self, partition: int) -> int:
        """Offset after the last message of a partition."""
        if self._reader is None:
            raise _unavailable()
        tp = TopicPartition(self._topic, partition)
        try:
            ends: Mapping[TopicPartition, int] = await self._reader.end_offsets([tp])
        except KafkaError as error:
            raise _unavailable() from error
        return ends[tp]


def _unavailable() -> UnavailableError:
    return UnavailableError("broker_unavailable", "Kafka does not answer; ask again when it does")
