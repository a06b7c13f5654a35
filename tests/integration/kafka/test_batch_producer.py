"""Writing batches: order, limits, partitions, and no write without a lease."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.partitioner import DefaultPartitioner

from stream_app.infra.kafka.errors import BrokerError, RecordTooLargeError
from stream_app.infra.kafka.lease import Lease
from stream_app.infra.kafka.log.batch_producer import BatchProducer
from stream_app.infra.kafka.log.partitioning import partition_of
from stream_app.infra.kafka.log.records import Record
from stream_app.infra.kafka.log.topics import RECORD_MAX_BYTES, Topics
from stream_app.settings import KafkaSettings
from tests.integration.kafka.running import read, until

pytestmark = pytest.mark.kafka


@pytest.fixture
async def producer(kafka: KafkaSettings) -> AsyncIterator[BatchProducer]:
    producer = BatchProducer(kafka)
    yield producer
    await producer.discard()


async def test_many_records_become_several_batches_in_order(kafka: KafkaSettings, producer: BatchProducer) -> None:
    """Three megabytes go out in order; the offsets that come back are theirs."""
    records: list[Record] = [(b"a", b"%d" % i + b"x" * 3000, []) for i in range(1000)]
    written = await producer.send(kafka.metrics_topic, 1, records)
    assert written is not None
    assert (written.first, written.last, written.whole) == (0, 999, True)
    assert [r.value for r in await read(kafka, kafka.metrics_topic)] == [value for _, value, _ in records]


async def test_nothing_to_write_is_no_error(kafka: KafkaSettings, producer: BatchProducer) -> None:
    """An empty part of a checkpoint asks nothing of the broker."""
    assert await producer.send(kafka.metrics_topic, 0, []) is None


async def test_a_record_up_to_the_limit_is_taken(kafka: KafkaSettings, producer: BatchProducer) -> None:
    """The topics that `ensure` creates take every record that the producer accepts."""
    value = bytes(RECORD_MAX_BYTES - 1000)
    assert await producer.send(Topics.of(kafka).assets_changelog, 0, [(b"a", value, [])]) is not None


async def test_a_record_over_the_limit_names_asset_and_size(kafka: KafkaSettings, producer: BatchProducer) -> None:
    """A state that no topic takes is told with its asset, size and cure."""
    with pytest.raises(RecordTooLargeError, match=r"of 'bess-1' for topic .* has 8388\d+ bytes, more than the limit"):
        await producer.send(kafka.metrics_topic, 0, [(b"bess-1", bytes(RECORD_MAX_BYTES), [])])


async def test_nothing_is_written_when_the_lease_is_over(kafka: KafkaSettings) -> None:
    """Not even a batch that was handed over before: a stopped process goes on in the middle of a write."""
    clock = [0.0]
    lease = Lease(5.0, lambda: clock[0])
    lease.renew(0.0)
    producer = BatchProducer(kafka, lease)
    assert await producer.send(kafka.metrics_topic, 0, [(b"a", b"1", [])]) is not None
    sending = asyncio.create_task(producer.send(kafka.metrics_topic, 0, [(b"a", b"2", [])]))
    await asyncio.sleep(0)
    clock[0] = 6.0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await sending
    await producer.discard()
    assert [record.value for record in await read(kafka, kafka.metrics_topic)] == [b"1"]
    lease.renew(6.0)
    assert await producer.send(kafka.metrics_topic, 0, [(b"a", b"3", [])]) is not None
    await producer.discard()


async def test_a_producer_is_dropped_without_an_error_in_the_log(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when a batch waits to be sent again, as while a partition has no leader."""
    lease = Lease(5.0)
    lease.renew(lease.now())
    producer = BatchProducer(kafka, lease)
    assert await producer.send(kafka.metrics_topic, 0, [(b"a", b"1", [])]) is not None
    lease.void()  # the first try fails
    sending = asyncio.create_task(producer.send(kafka.metrics_topic, 0, [(b"a", b"2", [])]))
    await until(lambda: "Got error produce response" in caplog.text)
    monkeypatch.setattr(ClusterMetadata, "leader_for_partition", lambda *_: -1)
    assert producer._producer is not None
    queued = producer._producer._message_accumulator._batches
    await until(lambda: bool(queued))
    await producer.discard()
    with pytest.raises(BrokerError, match="ProducerClosed"):
        await sending
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_partitions_are_chosen_as_kafka_s_own_producers_do() -> None:
    """murmur2, as every Java client and aiokafka."""
    for i in range(200):
        key = f"asset-{i}".encode()
        assert partition_of(key, 12) == DefaultPartitioner()(key, list(range(12)), [])
