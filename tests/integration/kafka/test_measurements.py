"""Appending to the measurements topic, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from schemas.asset import UPLOAD_HEADER
from stream_app.infra.kafka.errors import BrokerUnavailableError
from stream_app.infra.kafka.log.measurements import MeasurementTopic
from stream_app.infra.kafka.log.partitioning import partition_of
from stream_app.settings import KafkaSettings
from stream_app.usecases.errors import UnavailableError
from tests.integration.kafka.running import read
from tests.kafka import settings_for
from tests.ports import free_port

pytestmark = pytest.mark.kafka


@pytest.fixture
async def measurements(kafka: KafkaSettings) -> AsyncIterator[MeasurementTopic]:
    topic = MeasurementTopic(kafka)
    await topic.start()
    yield topic
    await topic.stop()


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


async def test_rows_of_many_assets_are_appended_at_once(kafka: KafkaSettings, measurements: MeasurementTopic) -> None:
    """In one append per partition; those of an upload are marked as the service's own."""
    upload = b"upload-0c9f7f0e-8f0b-4c1c-9d55-1b8d5d0d5c0f"
    end = await measurements.end_offset(2)
    sent = [(b"many-%d" % i, b"%d" % i) for i in range(3000)]
    assert await measurements.append_to(2, [*sent, (upload, b"x")]) == end + 3000
    records = [r for r in await read(kafka, kafka.measurements_topic) if r.partition == 2][-3001:]
    assert [(r.key, r.value) for r in records] == [*sent, (upload, b"x")]
    assert {tuple(r.headers) for r in records[:-1]} == {()}
    assert list(records[-1].headers) == [(UPLOAD_HEADER, b"1")]


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
