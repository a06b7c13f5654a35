"""The topic of the API keys: compacted, one partition, read by every worker from its beginning."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewTopic

from stream_app.infra.kafka.errors import (
    AccessError,
    BrokerError,
    BrokerFailedError,
    BrokerUnavailableError,
    TopicsError,
)
from stream_app.infra.kafka.log.access import client_options
from stream_app.infra.kafka.log.batch_producer import BatchProducer
from stream_app.infra.kafka.log.contact import reach
from stream_app.infra.kafka.log.failures import broker_failures
from stream_app.infra.kafka.log.records import NO_HEADERS
from stream_app.infra.kafka.log.topics import admin_client
from stream_app.settings import KafkaSettings
from stream_app.usecases.api_keys import KeyRecord, KeyRing

_log = logging.getLogger(__name__)
_audit = structlog.stdlib.get_logger("audit")

_ALREADY_EXISTS: Final = 36
_POLL_MS: Final = 500
_AGAIN_S: Final = 2.0


class KeyTopic:
    """API keys in Kafka."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self.name = f"{kafka.app_id}-keys"

    async def ensure(self) -> bool:
        """Create the topic unless it is there, and say whether it was; TopicsError: the broker refuses."""
        topic = NewTopic(self.name, 1, self._kafka.replication_factor, topic_configs={"cleanup.policy": "compact"})
        async with admin_client(self._kafka) as admin:
            answer = await admin.create_topics([topic])
        for _, code, reason in answer.topic_errors:
            if code not in (0, _ALREADY_EXISTS):
                raise TopicsError([f"the broker refuses to create topic {self.name!r}: {reason or f'error {code}'}"])
        return all(code == 0 for _, code, _ in answer.topic_errors)

    async def write(self, record: KeyRecord) -> None:
        """Write a record, acked by the broker.

        Raises
        ------
        BrokerFailedError
            The broker does not take it.
        """
        producer = BatchProducer(self._kafka)
        try:
            value = record.model_dump_json(exclude_none=True).encode()
            await producer.send(self.name, 0, [(record.id.encode(), value, NO_HEADERS)])
        except BrokerError as error:
            raise BrokerFailedError(self._kafka.bootstrap_servers, error) from error
        finally:
            await producer.discard()

    async def read(self) -> KeyRing:
        """All keys as they are now."""
        ring = KeyRing()
        async with self._consumer() as consumer:
            await self._catch_up(consumer, ring)
        return ring

    async def follow(self, ring: KeyRing) -> None:
        """Keep a ring as the topic is, until cancelled; while the broker is away it stays as it was."""
        told = False
        while True:
            try:
                async with self._consumer() as consumer:
                    await self._catch_up(consumer, ring)
                    told = False
                    while True:
                        await self._take(consumer, ring)
            except (BrokerError, BrokerUnavailableError, AccessError, TopicsError) as error:
                if not told:
                    _log.error("API keys are not read: %s", error)
                    told = True
            await asyncio.sleep(_AGAIN_S)

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        await reach(self._kafka)
        consumer = AIOKafkaConsumer(
            **client_options(self._kafka), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            with broker_failures():
                await consumer.start()
                if self.name not in await consumer.topics():
                    msg = f"topic {self.name!r} is missing: run `stream-app keys create`"
                    raise TopicsError([msg])
                consumer.assign([TopicPartition(self.name, 0)])
                yield consumer
        finally:
            await consumer.stop()

    async def _catch_up(self, consumer: AIOKafkaConsumer, ring: KeyRing) -> None:
        place = TopicPartition(self.name, 0)
        await consumer.seek_to_beginning(place)
        end = (await consumer.end_offsets([place]))[place]
        while await consumer.position(place) < end:
            await self._take(consumer, ring)
        ring.is_complete = True

    async def _take(self, consumer: AIOKafkaConsumer, ring: KeyRing) -> None:
        for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
            for record in records:
                key = ring.take(record.value)
                if key is not None and ring.is_complete:
                    _tell(key)


def _tell(key: KeyRecord) -> None:
    """Note a key that was made or revoked while this worker runs; whoever did it wrote to Kafka."""
    _audit.info(
        "key created" if key.revoked_s is None else "key revoked",
        subject=f"key {key.id} ({key.name})",
        scopes=sorted(key.scopes),
        prefix=key.prefix,
        expires_s=key.expires_s,
    )
