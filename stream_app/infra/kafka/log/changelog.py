"""Reading a range of a changelog, outside of any consumer group."""

from __future__ import annotations

import asyncio
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as ClientPartition

from stream_app.infra.kafka.log.access import client_options
from stream_app.infra.kafka.log.failures import broker_failures
from stream_app.infra.kafka.log.records import Record
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.settings import KafkaSettings

_READ_TIMEOUT_S: Final = 10.0


async def read_range(kafka: KafkaSettings, tp: TopicPartition, start: int, end: int) -> list[Record]:
    """Read the records of a partition from offset ``start`` up to, not including, ``end``.

    Raises
    ------
    BrokerError, TimeoutError
        The broker refuses; it does not answer in time.
    """
    place = ClientPartition(*tp)
    records: list[Record] = []
    consumer = AIOKafkaConsumer(**client_options(kafka))
    async with asyncio.timeout(_READ_TIMEOUT_S):
        with broker_failures():
            try:
                await consumer.start()
                consumer.assign([place])
                consumer.seek(place, start)
                while await consumer.position(place) < end:
                    for some in (await consumer.getmany(place, timeout_ms=1000)).values():
                        records += [(r.key, r.value, list(r.headers)) for r in some if r.offset < end]
            finally:
                await consumer.stop()
    return records
