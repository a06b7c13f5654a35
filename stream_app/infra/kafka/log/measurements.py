"""The measurements topic for those inside the service who write to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import READ_UNCOMMITTED
from aiokafka.protocol.fetch import FetchRequest

from schemas.asset import UPLOAD_HEADER, is_upload
from stream_app.domain.source import Source
from stream_app.infra.kafka.errors import BrokerError, BrokerFailedError, RecordTooLargeError
from stream_app.infra.kafka.log.access import client_options, find_again
from stream_app.infra.kafka.log.batch_producer import BatchProducer
from stream_app.infra.kafka.log.contact import reach
from stream_app.infra.kafka.log.failures import broker_failures
from stream_app.infra.kafka.log.partitioning import partition_of
from stream_app.infra.kafka.log.record_batches import batches
from stream_app.infra.kafka.log.records import NO_HEADERS, Record
from stream_app.infra.kafka.log.topic_identity import source_of
from stream_app.infra.traces import trace_headers
from stream_app.settings import KafkaSettings
from stream_app.usecases.errors import InvalidError, UnavailableError
from stream_app.wire.batch import Headers

_ACK_TIMEOUT_S: Final = 30.0
_LOOK_WAIT_MS: Final = 500
#: Tells the records of uploads from what a producer may write under their keys.
_OF_UPLOAD: Final = ((UPLOAD_HEADER, b"1"),)


class MeasurementTopic:
    """The measurements topic: its end, and appending to it (port ``MeasurementLog``)."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = settings.measurements_topic
        self._producer = BatchProducer(settings)
        self._reader: AIOKafkaConsumer | None = None
        self._partitions = 0
        #: The topic's identity as Kafka told it last; None before.
        self.identity: Source | None = None

    async def start(self) -> None:
        """Connect. The topic must exist.

        Raises
        ------
        BrokerUnavailableError, AccessError
            Nobody answers at the bootstrap servers; they do not let this client in.
        """
        await reach(self._settings)
        self._reader = AIOKafkaConsumer(**client_options(self._settings))
        try:
            with broker_failures():
                await self._reader.start()
            find_again(self._reader._client, self._settings)
            self._partitions = await self._producer.partitions(self._topic)
        except BaseException as error:
            await self.stop()
            if isinstance(error, BrokerError):
                raise BrokerFailedError(self._settings.bootstrap_servers, error) from error
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
        headers = (*_headers(key), *trace_headers())
        return target, await self._write(target, ((key, value, headers) for value in values))

    async def _write(self, partition: int, written: Iterable[Record]) -> int:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_ACK_TIMEOUT_S) as patience:

                def records() -> Iterator[Record]:
                    for record in written:  # pulled no faster than the broker acks
                        patience.reschedule(loop.time() + _ACK_TIMEOUT_S)
                        yield record

                offsets = await self._producer.send(self._topic, partition, records())
        except RecordTooLargeError as error:  # the broker is well, and others are writing
            raise InvalidError("bad_body", str(error)) from error
        except (BrokerError, TimeoutError) as error:
            await self._producer.discard()
            raise _unavailable() from error
        return offsets.last if offsets else await self.end_offset(partition) - 1

    async def append_to(self, partition: int, records: Iterable[tuple[bytes, bytes]]) -> int:
        """Publish records of any assets to a partition, in order; return the offset of the last.

        Raises
        ------
        UnavailableError
            As :meth:`append`.
        """
        traced = trace_headers()
        return await self._write(partition, ((key, value, (*_headers(key), *traced)) for key, value in records))

    async def source(self) -> Source | None:
        """Ask for the topic's identity; None: it is missing. BrokerError: the broker does not tell now."""
        if self._reader is None:
            msg = "not connected to Kafka"
            raise BrokerError(msg)
        with broker_failures():
            found = await source_of(self._reader._client, self._topic)
        self.identity = found or self.identity
        return found

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

    async def producer_at(self, partition: int, offset: int) -> int | None:
        """Id of the producer whose transaction has the batch at an offset; None: there is no such batch.

        Raises
        ------
        BrokerError
            The broker does not answer.
        """
        if self._reader is None:
            return None
        client, place = self._reader._client, TopicPartition(self._topic, partition)
        with broker_failures():
            await client._wait_on_metadata(self._topic)
            request = FetchRequest(
                *(_LOOK_WAIT_MS, 1, 1, READ_UNCOMMITTED),
                [(self._topic, [(partition, offset, 1)])],  # a byte: the broker answers with a whole batch all the same
                rack_id="",
            )
            answer = await client.send(client.cluster.leader_for_partition(place), request)
        data = next((part[-1] for _, parts in answer.topics for part in parts), b"")
        batch = next(batches(data or b""), None)
        return batch.producer_id if batch is not None and batch.is_transactional else None


def _headers(key: bytes) -> Headers:
    return _OF_UPLOAD if is_upload(key.decode()) else NO_HEADERS


def _unavailable() -> UnavailableError:
    return UnavailableError("broker_unavailable", "Kafka does not answer; ask again when it does")
