"""The measurements topic for those inside the service who write to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream_app.domain.source import Source
from stream_app.infra.kafka.errors import BrokerError, BrokerUnavailableError
from stream_app.infra.kafka.log.batch_producer import BatchProducer, partition_of
from stream_app.infra.kafka.log.failures import broker_failures
from stream_app.infra.kafka.log.records import NO_HEADERS, Record
from stream_app.infra.kafka.log.topic_identity import source_of
from stream_app.infra.kafka.log.topics import probe
from stream_app.settings import KafkaSettings
from stream_app.usecases.errors import UnavailableError

_ACK_TIMEOUT_S: Final = 30.0


class MeasurementTopic:
    """The measurements topic: its end, and appending to it (port ``MeasurementLog``)."""

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
            with broker_failures():
                await self._reader.start()
            self._partitions = await self._producer.partitions(self._topic)
        except BaseException as error:
            await self.stop()
            if isinstance(error, BrokerError):
                raise BrokerUnavailableError(self._settings.bootstrap_servers) from error
            raise

    async def stop(self) -> None:
        """Disconnect; an append that is under way fails."""
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
        except (BrokerError, TimeoutError) as error:
            await self._producer.discard()
            raise _unavailable() from error
        return target, written.last if written else await self.end_offset(target) - 1

    async def source(self) -> Source | None:
        """Ask for the topic's identity; None: it is missing. BrokerError: the broker does not tell now."""
        if self._reader is None:
            msg = "not connected to Kafka"
            raise BrokerError(msg)
        with broker_failures():
            return await source_of(self._reader._client, self._topic)

    async def end_offset(self, partition: int) -> int:
        """Offset after the last message of a partition."""
        if self._reader is None:
            raise _unavailable()
        place = TopicPartition(self._topic, partition)
        try:
            with broker_failures():
                ends: Mapping[TopicPartition, int] = await self._reader.end_offsets([place])
        except BrokerError as error:
            raise _unavailable() from error
        return ends[place]


def _unavailable() -> UnavailableError:
    return UnavailableError("broker_unavailable", "Kafka does not answer; ask again when it does")
