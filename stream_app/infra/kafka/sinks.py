"""What goes out to Kafka: checkpoints, in their order, and messages for the measurements topic."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, NodeNotReadyError
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.structs import RecordMetadata

from stream_app.app.errors import UnavailableError
from stream_app.app.ports import Checkpoint, Entry
from stream_app.infra.failpoints import failpoint
from stream_app.infra.kafka.batching_consumer import abandon
from stream_app.infra.kafka.errors import BrokerUnavailableError, RecordTooLargeError
from stream_app.infra.kafka.lease import Lease
from stream_app.infra.kafka.tables import Written, deletion_headers
from stream_app.infra.kafka.topics import RECORD_MAX_BYTES, Topics, probe
from stream_app.settings import KafkaSettings

Record = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]  # key, value, headers

#: Below the 1 MiB that a topic takes by default, so that a batch of small records fits whatever the topic's limit.
_BATCH_BYTES: Final = 1_000_000
_RECORD_OVERHEAD_BYTES: Final = 64
_ACK_TIMEOUT_S: Final = 30.0


@lru_cache(maxsize=1 << 18)  # murmur2 is pure Python, and the same assets are written at every checkpoint
def partition_of(key: bytes, partitions: int) -> int:
    """Partition of a key as Kafka's own producers choose it."""
    chosen: int = (murmur2(key) & 0x7FFFFFFF) % partitions
    return chosen


class BatchProducer:
    """An idempotent producer that takes whole batches.

    An idempotent producer never gives up a batch by itself. Whoever stops waiting for one must :meth:`discard` the
    producer, or the batch may be written long after; the next :meth:`send` begins with a new one.

    Parameters
    ----------
    lease
        Nothing is written without it.
    """

    def __init__(self, settings: KafkaSettings, lease: Lease | None = None) -> None:
        self._settings, self._lease = settings, lease
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._settings.bootstrap_servers,
                    client_id=f"{self._settings.app_id}-producer",
                    enable_idempotence=True,
                    acks="all",
                    compression_type="lz4",
                    max_batch_size=_BATCH_BYTES,
                    max_request_size=2 * RECORD_MAX_BYTES,
                )
                if self._lease is not None:
                    _bind(producer.client, self._lease)
                try:
                    await producer.start()
                except BaseException:
                    await abandon(producer)
                    raise
                self._producer = producer
            return self._producer

    async def partitions(self, topic: str) -> int:
        """Count the partitions of a topic."""
        return len(await (await self._started()).partitions_for(topic))

    async def send(self, topic: str, partition: int, records: Iterable[Record]) -> Written | None:
        """Write records to one partition, in order; return when the broker has acked all.

        Returns
        -------
        Written or None
            Their offsets; None when the broker did not tell them (or there was nothing to write).

        Raises
        ------
        RecordTooLargeError
            A record is larger than the topics take. Records before it may have been written.
        """
        producer = await self._started()
        acks: list[asyncio.Future[RecordMetadata]] = []
        counts: list[int] = []

        async def submit(batch: BatchBuilder) -> None:
            batch.close()
            if len(acks) > 1:  # two under way are enough to keep the broker busy, and bound the memory
                await acks[-2]
            counts.append(batch.record_count())
            acks.append(await producer.send_batch(batch, topic, partition=partition))

        batch = producer.create_batch()
        for key, value, headers in records:
            size = _size(key, value, headers)
            if size > RECORD_MAX_BYTES:
                raise RecordTooLargeError(topic, key, size, RECORD_MAX_BYTES)
            if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                await submit(batch)
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None, headers=headers)
        if batch.record_count():
            await submit(batch)
        return _written([ack.offset for ack in await asyncio.gather(*acks)], counts)

    async def discard(self) -> None:
        """Drop the producer with all that it has not written yet."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await abandon(producer)


def _bind(client: AIOKafkaClient, lease: Lease) -> None:
    """Look at the lease right before a batch goes out.

    A process that was stopped goes on where it stood: the producer would write what it has before anybody else learns
    that the lease is over.
    """
    send = client.send

    async def leased(node_id: int, request: Any, **options: Any) -> Any:
        if isinstance(request, ProduceRequest):
            await client.ready(node_id)  # connected, nothing is awaited between the look and the write
            if lease.remaining_s() <= 0:
                msg = "the lease is over"
                raise NodeNotReadyError(msg)
        return await send(node_id, request, **options)

    client.send = leased


def _size(key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> int:
    size = _RECORD_OVERHEAD_BYTES + len(key or b"") + len(value or b"")
    return size + sum(len(name) + len(content or b"") + 10 for name, content in headers)


def _written(bases: Sequence[int], counts: Sequence[int]) -> Written | None:
    if not bases or min(bases) < 0:  # the broker gives no offset for a batch that it already had
        return None
    ends = [base + count for base, count in zip(bases, counts, strict=True)]
    return Written(bases[0], ends[-1] - 1, whole=list(bases[1:]) == ends[:-1])


class CheckpointSink:
    """Writes checkpoints: output before state, windows before assets, the marker last.

    A crash between two steps repeats output with the same bytes; any other order could swallow it.
    """

    def __init__(self, settings: KafkaSettings, lease: Lease | None = None) -> None:
        self._topics = Topics.of(settings)
        self._producer = BatchProducer(settings, lease)

    async def write(self, checkpoint: Checkpoint) -> tuple[Written | None, Written | None]:
        """Write all of a checkpoint; return where its windows and assets stand when all is acked."""
        updates: Iterator[Record] = ((key, value, []) for key, value in checkpoint.updates)
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
                        yield key, value, []

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
