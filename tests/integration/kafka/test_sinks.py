"""What goes out: batches, limits, partitions and the order of a checkpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from aiokafka.partitioner import DefaultPartitioner

from stream_app.infra.kafka.batch_producer import BatchProducer, Record, partition_of
from stream_app.infra.kafka.errors import BrokerUnavailableError, RecordTooLargeError
from stream_app.infra.kafka.lease import Lease
from stream_app.infra.kafka.sinks import CheckpointSink, MeasurementTopic
from stream_app.infra.kafka.topics import RECORD_MAX_BYTES, Topics
from stream_app.settings import KafkaSettings
from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.ports import MARKER_KEY, Checkpoint, DeadLetter, Entry
from tests.integration.kafka.running import read
from tests.kafka import free_port, settings_for

pytestmark = pytest.mark.kafka


@pytest.fixture
async def producer(kafka: KafkaSettings) -> AsyncIterator[BatchProducer]:
    producer = BatchProducer(kafka)
    yield producer
    await producer.discard()


@pytest.fixture
async def measurements(kafka: KafkaSettings) -> AsyncIterator[MeasurementTopic]:
    topic = MeasurementTopic(kafka)
    await topic.start()
    yield topic
    await topic.stop()


@pytest.fixture
async def sink(kafka: KafkaSettings) -> AsyncIterator[CheckpointSink]:
    sink = CheckpointSink(kafka)
    yield sink
    await sink.discard()


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
    """The topics that `ensure` creates take what the producer lets pass."""
    value = bytes(RECORD_MAX_BYTES - 1000)
    assert await producer.send(Topics.of(kafka).assets_changelog, 0, [(b"a", value, [])]) is not None


async def test_a_record_over_the_limit_names_asset_and_size(kafka: KafkaSettings, producer: BatchProducer) -> None:
    """A state that no topic takes is told with its asset, size and cure."""
    with pytest.raises(RecordTooLargeError, match=r"of 'bess-1' for topic .* has 8388\d+ bytes, more than the limit"):
        await producer.send(kafka.metrics_topic, 0, [(b"bess-1", bytes(RECORD_MAX_BYTES), [])])


async def test_nothing_is_written_when_the_lease_is_over(kafka: KafkaSettings) -> None:
    """Not even what had been handed over before: a stopped process goes on in the midst of a write."""
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


def test_partitions_are_chosen_as_kafka_s_own_producers_do() -> None:
    """murmur2, as every Java client and aiokafka."""
    for i in range(200):
        key = f"asset-{i}".encode()
        assert partition_of(key, 12) == DefaultPartitioner()(key, list(range(12)), [])


async def test_a_checkpoint_goes_out_in_its_order(kafka: KafkaSettings, sink: CheckpointSink) -> None:
    """Updates by murmur2, dead letters with their headers, state on the source's partition with the marker last."""
    checkpoint = Checkpoint(
        partition=2,
        position=9,
        updates=[(b"a", b"1"), (b"b", b"2")],
        dead_letters=[DeadLetter(b"a", b"?", [("why", b"because")]), DeadLetter(None, None, [("why", b"empty")])],
        windows=[Entry(b"a\x00w", b"w", 8)],
        assets=[Entry(b"a", b"s", 8), Entry(b"gone", None, 5), Entry(MARKER_KEY, b"m", 9)],
    )
    windows, assets = await sink.write(checkpoint)
    assert (windows and windows.last, assets and assets.last) == (0, 2)
    updates = await read(kafka, kafka.metrics_topic)
    assert {(r.key, r.partition) for r in updates} == {(key, partition_of(key, 4)) for key in (b"a", b"b")}
    letters = {(r.key, r.value, r.headers) for r in await read(kafka, kafka.dead_letter_topic)}
    assert letters == {(b"a", b"?", (("why", b"because"),)), (None, None, (("why", b"empty"),))}
    entries = await read(kafka, Topics.of(kafka).assets_changelog)
    assert [(r.partition, r.key, r.value, r.headers) for r in entries] == [
        (2, b"a", b"s", ()),
        (2, b"gone", None, (("offset", b"5"),)),  # a deletion too tells as of when it holds
        (2, MARKER_KEY, b"m", ()),
    ]


async def test_measurements_are_appended_in_order(kafka: KafkaSettings, measurements: MeasurementTopic) -> None:
    """All values of a key go to its partition in order; the last offset comes back, also when others write too."""
    values = [b"%d" % i for i in range(2000)]
    (here, last), (there, other) = await asyncio.gather(
        measurements.append(b"a", values), measurements.append(b"z", values[:10], partition=partition_of(b"a", 4))
    )
    assert here == there == measurements.partition_of(b"a") == partition_of(b"a", 4)
    records = [r for r in await read(kafka, kafka.measurements_topic) if r.partition == here]
    assert [r.value for r in records if r.key == b"a"] == values
    assert records[last].value == values[-1]
    assert (records[other].key, records[other].value) == (b"z", values[9])
    assert await measurements.end_offset(here) == len(records) == 2010
    assert measurements.partition_count() == 4


async def test_values_are_pulled_as_the_broker_takes_them(measurements: MeasurementTopic) -> None:
    """An upload of any size is never in memory as a whole."""
    pulled = 0

    def values() -> Iterator[bytes]:
        nonlocal pulled
        for _ in range(40):
            pulled += 1
            yield bytes(500_000)

    task = asyncio.ensure_future(measurements.append(b"a", values()))
    await asyncio.sleep(0)
    assert pulled < 10
    await task
    assert pulled == 40


async def test_without_a_broker_the_measurements_are_unavailable() -> None:
    """Before the start an append says that it cannot be done now; the start says why."""
    measurements = MeasurementTopic(settings_for(f"127.0.0.1:{free_port()}"))
    with pytest.raises(BrokerUnavailableError):
        await measurements.start()
    with pytest.raises(UnavailableError):
        await measurements.append(b"a", [b"1"])
    with pytest.raises(UnavailableError):
        await measurements.end_offset(0)
