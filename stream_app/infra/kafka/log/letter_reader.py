"""The newest records of the dead-letter topic, read when somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
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


#: What is read of a partition that begins and ends at these offsets: the first, and the one after the last.
Part = Callable[[int, int], tuple[int, int]]


class LetterReader:
    """Reads dead letters (port ``DeadLetterLog``)."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def newest(self, count: int) -> Sequence[StoredLetter]:
        """Read the newest ``count`` letters of each partition; UnavailableError: the broker does not answer."""
        return await self._answer(lambda begin, end: (max(begin, end - count), end))

    async def one(self, partition: int, offset: int) -> StoredLetter | None:
        """Read the letter at a place; None: there is none. UnavailableError as :meth:`newest`."""
        found = await self._answer(lambda begin, end: (max(begin, offset), min(end, offset + 1)), partition)
        return next((letter for letter in found if letter.offset == offset), None)

    async def _answer(self, part: Part, partition: int | None = None) -> Sequence[StoredLetter]:
        try:
            async with self._turn, asyncio.timeout(_PATIENCE_S):
                await reach(self._kafka)
                with broker_failures():
                    return await self._read(part, partition)
        except (BrokerError, BrokerUnavailableError, AccessError, TimeoutError) as error:
            raise UnavailableError("broker_unavailable", "Kafka does not answer; ask again when it does") from error

    async def _read(self, part: Part, partition: int | None) -> Sequence[StoredLetter]:
        topic = self._kafka.dead_letter_topic
        consumer = AIOKafkaConsumer(**client_options(self._kafka), group_id=None, enable_auto_commit=False)
        letters: list[StoredLetter] = []
        try:
            await consumer.start()
            cluster = await consumer._client.fetch_all_metadata()
            numbers = cluster.partitions_for_topic(topic) or ()
            places = [TopicPartition(topic, number) for number in numbers if partition in (None, number)]
            if not places:
                return []
            consumer.assign(places)
            begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
            parts = {place: part(begins[place], ends[place]) for place in places}
            ends = {place: end for place, (_, end) in parts.items()}
            left = {place for place, (begin, end) in parts.items() if begin < end}
            for place in left:
                consumer.seek(place, parts[place][0])
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
