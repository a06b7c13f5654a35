"""The newest records of the dead-letter topic, read when somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream_app.infra.kafka.errors import AccessError, BrokerError, BrokerUnavailableError
from stream_app.infra.kafka.log.access import client_options
from stream_app.infra.kafka.log.contact import reach
from stream_app.infra.kafka.log.failures import broker_failures
from stream_app.settings import KafkaSettings
from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.ports import StoredLetter

#: Questions at a time: each has a client of its own.
_AT_ONCE: Final = 2
_PATIENCE_S: Final = 20.0
_POLL_MS: Final = 500


class LetterReader:
    """Reads dead letters (port ``DeadLetterLog``)."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def newest(self, count: int) -> Sequence[StoredLetter]:
        """Read the newest ``count`` letters of each partition; UnavailableError: the broker does not answer."""
        try:
            async with self._turn, asyncio.timeout(_PATIENCE_S):
                await reach(self._kafka)
                with broker_failures():
                    return await self._read(count)
        except (BrokerError, BrokerUnavailableError, AccessError, TimeoutError) as error:
            raise UnavailableError("broker_unavailable", "Kafka does not answer; ask again when it does") from error

    async def _read(self, count: int) -> Sequence[StoredLetter]:
        topic = self._kafka.dead_letter_topic
        consumer = AIOKafkaConsumer(**client_options(self._kafka), group_id=None, enable_auto_commit=False)
        letters: list[StoredLetter] = []
        try:
            await consumer.start()
            cluster = await consumer._client.fetch_all_metadata()
            places = [TopicPartition(topic, number) for number in cluster.partitions_for_topic(topic) or ()]
            if not places:
                return []
            consumer.assign(places)
            begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
            for place in places:
                consumer.seek(place, max(begins[place], ends[place] - count))
            left = {place for place in places if ends[place] > begins[place]}
            while left:
                for place, records in (await consumer.getmany(*left, timeout_ms=_POLL_MS)).items():
                    letters += [
                        StoredLetter(place.partition, r.offset, r.timestamp, r.key, r.value, r.headers)
                        for r in records
                        if r.offset < ends[place]
                    ]
                left = {place for place in left if await consumer.position(place) < ends[place]}
        finally:
            await consumer.stop()
        return letters
