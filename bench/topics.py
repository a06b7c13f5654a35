"""The broker's side: topics, filling one with a workload, reading what a contender wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.partitioner import murmur2
from aiokafka.structs import ConsumerRecord

from bench.messages import Message

PARTITIONS: Final = 4
#: As producers that linger for a moment make them.
_BATCH_BYTES: Final = 128 << 10
_RECORD_MAX_BYTES: Final = 8 << 20
_READ_MS: Final = 200
_READY_TIMEOUT_S: Final = 30.0


def partition_of(key: bytes) -> int:
    """Partition of a key, as every Kafka producer chooses it."""
    number: int = (murmur2(key) & 0x7FFFFFFF) % PARTITIONS
    return number


async def create(broker: str, *names: str, compacted: bool = False) -> None:
    """Create topics of four partitions; return when each of them has its leader."""
    policy = "compact" if compacted else "delete"
    configs = {"cleanup.policy": policy, "max.message.bytes": str(_RECORD_MAX_BYTES)}
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=configs) for name in names])
        if refused := [reason for _, code, reason in answer.topic_errors if code]:
            raise RuntimeError("; ".join(map(str, refused)))
        async with asyncio.timeout(_READY_TIMEOUT_S):
            while not all(map(_is_led, await admin.describe_topics(list(names)))):  # noqa: ASYNC110  # it signals no event
                await asyncio.sleep(0.1)
    finally:
        await admin.close()


def _is_led(topic: dict[str, Any]) -> bool:
    parts = topic["partitions"]
    return len(parts) == PARTITIONS and all(part["error_code"] == 0 and part["leader"] >= 0 for part in parts)


async def warm(broker: str) -> None:
    """Make the broker create its own topic for groups, so that no start-up waits for it."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, group_id="bench-warm")
    await create(broker, "bench-warm")
    try:
        async with asyncio.timeout(_READY_TIMEOUT_S):
            await consumer.start()
            consumer.subscribe(["bench-warm"])
            while not consumer.assignment():
                await consumer.getmany(timeout_ms=100)
    finally:
        await consumer.stop()


async def fill(broker: str, topic: str, messages: Iterable[Message]) -> None:
    """Write messages, each to its key's partition, in their order; compressed with lz4."""
    producer = AIOKafkaProducer(
        bootstrap_servers=broker,
        enable_idempotence=True,
        compression_type="lz4",
        max_batch_size=_BATCH_BYTES,
        max_request_size=_RECORD_MAX_BYTES,
    )
    await producer.start()
    try:
        batches = [producer.create_batch() for _ in range(PARTITIONS)]
        for key, value in messages:
            number = partition_of(key)
            if batches[number].append(key=key, value=value, timestamp=None) is None:
                await producer.send_batch(batches[number], topic, partition=number)
                batches[number] = producer.create_batch()
                batches[number].append(key=key, value=value, timestamp=None)
        for number, batch in enumerate(batches):
            if batch.record_count():
                await producer.send_batch(batch, topic, partition=number)
        await producer.flush()
    finally:
        await producer.stop()


class Tail:
    """A topic read from its beginning, a portion whenever asked."""

    def __init__(self, consumer: AIOKafkaConsumer, topic: str) -> None:
        self._consumer = consumer
        self._partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]

    async def length(self) -> int:
        """How many records there are."""
        ends = await self._consumer.end_offsets(self._partitions)
        return sum(ends.values())

    async def new(self) -> AsyncIterator[tuple[bytes, float]]:
        """Values that are there by now and were not given yet, and when the broker took each [s since 1970]."""
        async for record in self.records():
            if record.value is not None:
                yield record.value, record.timestamp / 1000

    async def records(self) -> AsyncIterator[ConsumerRecord]:
        """Records that are there by now and were not given yet."""
        ends = await self._consumer.end_offsets(self._partitions)
        while any([await self._consumer.position(tp) < ends[tp] for tp in self._partitions]):
            for records in (await self._consumer.getmany(timeout_ms=_READ_MS)).values():
                for record in records:
                    yield record


@asynccontextmanager
async def tail(broker: str, topic: str) -> AsyncIterator[Tail]:
    """Open a topic for reading."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=8 << 20,
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        yield Tail(consumer, topic)
    finally:
        await consumer.stop()
