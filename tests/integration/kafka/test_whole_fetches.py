"""A whole fetch arrives as one message that says truthfully where it began and ended."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from stream_app.infra.kafka.engine.whole_fetches import yield_whole_fetches
from stream_app.infra.kafka.errors import CorruptLogError
from stream_app.infra.kafka.log.fetches import fetches as read_fetches
from stream_app.infra.kafka.topic_partition import TopicPartition as Place
from stream_app.settings import KafkaSettings
from stream_app.wire.batch import Fetch
from tests.integration.kafka.running import numbers, produce, producing

pytestmark = pytest.mark.kafka


@asynccontextmanager
async def batching(kafka: KafkaSettings, start: int = 0) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    yield_whole_fetches(consumer, Counter(), {})
    tp = TopicPartition(kafka.measurements_topic, 0)
    consumer.assign([tp])
    consumer.seek(tp, start)
    try:
        yield consumer
    finally:
        await consumer.stop()


async def fetches(kafka: KafkaSettings, end: int, start: int = 0) -> list[Fetch]:
    found: list[Fetch] = []
    async with batching(kafka, start) as consumer:
        while not found or found[-1].end < end:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                found += [record.value for record in records]
    return found


async def fetches_of(kafka: KafkaSettings, topic: str) -> list[Fetch]:
    """All of a topic, by partition and offset."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    yield_whole_fetches(consumer, Counter(), {})
    found: list[Fetch] = []
    try:
        for partition in (TopicPartition(topic, number) for number in range(kafka.partitions)):
            (end,) = (await consumer.end_offsets([partition])).values()
            consumer.assign([partition])
            consumer.seek(partition, 0)
            while await consumer.position(partition) < end:
                for records in (await consumer.getmany(partition, timeout_ms=1000)).values():
                    found += [record.value for record in records]
    finally:
        await consumer.stop()
    return found


async def test_nulls_headers_and_order_survive(kafka: KafkaSettings) -> None:
    """No message is lost: null keys and null values arrive as None, in order, with their headers and timestamps."""
    async with producing(kafka) as producer:
        for offset, (key, value, headers) in enumerate(
            [(b"a", b"1", [("h", b"x")]), (None, b"2", []), (b"c", None, [("h", b""), ("h", b"y")]), (b"", b"", [])]
        ):
            await producer.send_and_wait(
                kafka.measurements_topic, value, key=key, partition=0, headers=headers, timestamp_ms=1000 + offset
            )
    found = await fetches(kafka, end=4)
    assert [key for fetch in found for key in fetch.keys] == [b"a", None, b"c", b""]
    assert [value for fetch in found for value in fetch.values] == [b"1", b"2", None, b""]
    assert [offset for fetch in found for offset in fetch.offsets] == [0, 1, 2, 3]
    assert [ms for fetch in found for ms in fetch.timestamps_ms] == [1000, 1001, 1002, 1003]
    assert [list(h) for fetch in found for h in fetch.headers] == [[("h", b"x")], [], [("h", b""), ("h", b"y")], []]


async def test_fetches_join_without_a_gap(kafka: KafkaSettings) -> None:
    """Each fetch begins where the one before ended, whatever the broker hands out at once."""
    await produce(kafka, numbers(5000), partition=0)
    small = kafka.model_copy(update={"fetch_max_bytes": 1000})
    found = await fetches(small, end=5000)
    assert found[0].start == 0
    assert [fetch.end for fetch in found[:-1]] == [fetch.start for fetch in found[1:]]
    assert [value for fetch in found for value in fetch.values] == [b"%d" % i for i in range(5000)]


async def test_a_response_that_is_large_once_decompressed_is_cut(kafka: KafkaSettings) -> None:
    """Nobody waits for seconds because 30 MB compress to one; the parts join without a gap."""
    async with producing(kafka, compression_type="lz4", max_batch_size=1 << 20) as producer:
        sent = [await producer.send(kafka.measurements_topic, bytes(10_000), partition=0) for _ in range(3000)]
        await asyncio.gather(*sent)
    async with batching(kafka) as consumer:
        (records,) = (await consumer.getmany(timeout_ms=5000)).values()
    parts: list[Fetch] = [record.value for record in records]
    assert len(parts) > 1
    assert max(sum(len(value or b"") for value in part.values) for part in parts) < 3 << 20
    assert [part.end for part in parts[:-1]] == [part.start for part in parts[1:]]
    assert [record.offset for record in records] == [part.end - 1 for part in parts]


async def test_a_fetch_that_begins_inside_a_batch(kafka: KafkaSettings) -> None:
    """The broker answers with whole batches; records before the position are cut off."""
    async with producing(kafka, compression_type="lz4") as producer:
        batch = producer.create_batch()
        for i in range(100):
            batch.append(key=b"a", value=b"%d" % i, timestamp=None)
        await (await producer.send_batch(batch, kafka.measurements_topic, partition=0))
    (fetch,) = await fetches(kafka, end=100, start=37)
    assert (fetch.start, fetch.end, fetch.offsets[0], fetch.values[0]) == (37, 100, 37, b"37")


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
async def test_all_codecs_are_read(kafka: KafkaSettings, codec: str | None) -> None:
    """A batch of a foreign producer is no poison pill, whatever it compresses with."""
    async with producing(kafka, compression_type=codec) as producer:
        await producer.send_and_wait(kafka.measurements_topic, b"1" * 2000, key=b"a", partition=0)
    (fetch,) = await fetches(kafka, end=1)
    assert list(fetch.values) == [b"1" * 2000]


async def test_holes_belong_to_the_fetch(real_broker: object, kafka: KafkaSettings) -> None:
    """Transaction markers take offsets without a message: start and end cover them, also when nothing else is there."""
    async with producing(kafka, transactional_id=kafka.app_id) as producer:
        for value in (b"1", b"2"):
            async with producer.transaction():
                await producer.send_and_wait(kafka.measurements_topic, value, key=b"a", partition=0)
    found = await fetches(kafka, end=4)
    assert (found[0].start, found[-1].end) == (0, 4)
    assert [fetch.end for fetch in found[:-1]] == [fetch.start for fetch in found[1:]]
    assert [offset for fetch in found for offset in fetch.offsets] == [0, 2]
    (empty,) = await fetches(kafka, end=4, start=3)
    assert (empty.start, empty.end, list(empty.offsets)) == (3, 4, [])


def test_a_damaged_batch_is_named_after_the_batches_before_it() -> None:
    """Its rows cannot be told; the ones before it can."""

    def batch(offset: int) -> bytearray:
        builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1000)
        builder.append(0, 0, b"a", b"1", [])
        return bytearray(struct.pack(">q", offset) + builder.build()[8:])

    sound, damaged = batch(7), batch(8)
    damaged[-1] ^= 1
    response = read_fetches(Place("measurements", 3), bytes(sound + damaged), 7)
    assert list(next(response).values) == [b"1"]
    with pytest.raises(CorruptLogError, match=r"partition 3 is damaged at offset 8 .* without offsets 8 to 8,"):
        next(response)
