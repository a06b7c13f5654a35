"""The state and the log of which it is: another topic under its position, a lost end or beginning, a tool's offsets."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import TopicPartition as ClientPartition
from aiokafka.admin import NewPartitions, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete

from stream_app.infra.kafka.errors import (
    SourceChangedError,
    SourceMissingError,
    TopicsError,
)
from stream_app.infra.kafka.log import topics
from stream_app.infra.kafka.log.group_state import COMMITTED_BY
from stream_app.infra.kafka.log.topics import Topics
from stream_app.settings import KafkaSettings
from stream_app.usecases.ports import MARKER_KEY
from tests.integration.kafka.other_logs import (
    admin,
    delete,
    exists,
    filled,
    ingest,
    lifetimes,
    marker,
    markers,
    position_is,
    recreate,
    rows,
)
from tests.integration.kafka.running import produce, producing, running, until
from tests.integration.kafka.test_delivery import commit
from tests.kafka import Broker

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("count", [0, 5, 30, 60], ids=["empty", "fewer", "as many", "more"])
async def test_a_topic_that_was_made_again_while_the_worker_stood(kafka: KafkaSettings, count: int) -> None:
    """Whatever it holds, none of it is skipped or counted: the worker ends with both ids and the cures."""
    await filled(kafka, rows(0, 30))
    before = await topics.source(kafka)
    await recreate(kafka)
    await produce(kafka, rows(100, 100 + count), partition=0)
    after = await topics.source(kafka)
    assert before is not None
    assert after is not None
    async with running(kafka, ready=False, ingest=ingest) as run:
        with pytest.raises(SourceChangedError, match="deleted and recreated") as caught:
            await run.task
    said = str(caught.value)
    assert before.topic_id is not None
    assert after.topic_id is not None
    for part in (before.topic_id, after.topic_id, "stream-app reset", "topics adopt", "STREAM_KAFKA__APP_ID"):
        assert part in said
    assert max((await lifetimes(kafka)).values()) == 30


async def test_another_topic_under_the_same_application(kafka: KafkaSettings) -> None:
    """A deployment that changes only the topic's name is told both names."""
    await filled(kafka, rows(0, 30))
    other = kafka.model_copy(update={"measurements_topic": f"{kafka.measurements_topic}-staging"})
    await topics.ensure(other)
    await produce(other, rows(100, 150), partition=0)
    async with running(other, ready=False, ingest=ingest) as run:
        with pytest.raises(SourceChangedError, match="is another one") as caught:
            await run.task
    assert repr(kafka.measurements_topic) in str(caught.value)
    assert repr(other.measurements_topic) in str(caught.value)


async def test_a_topic_that_is_made_again_while_the_worker_runs(kafka: KafkaSettings) -> None:
    """More rows than before are in the new one at once: the worker ends and counts none of them."""
    await produce(kafka, rows(0, 30), partition=0)
    async with running(kafka, ready=True, ingest=ingest) as run:
        await position_is(run, 30)
        await recreate(kafka)
        await produce(kafka, rows(100, 160), partition=0)
        with pytest.raises((SourceChangedError, TopicsError, SourceMissingError)):
            async with asyncio.timeout(60):
                await run.task
    assert max((await lifetimes(kafka)).values()) == 30
    async with running(kafka, ready=False, ingest=ingest) as run:
        with pytest.raises(SourceChangedError):
            await run.task


async def test_a_topic_that_is_deleted_while_the_worker_runs_is_not_made_again(kafka: KafkaSettings) -> None:
    """The shared broker makes topics on request: no client of the worker requests one. The worker ends."""
    await produce(kafka, rows(0, 30), partition=0)
    async with running(kafka, ready=True, ingest=ingest) as run:
        await position_is(run, 30)
        await delete(kafka)
        with pytest.raises((SourceMissingError, TopicsError), match="missing"):
            async with asyncio.timeout(60):
                await run.task
    assert not await exists(kafka, kafka.measurements_topic)


async def test_more_partitions_are_the_same_topic(kafka: KafkaSettings, caplog: pytest.LogCaptureFixture) -> None:
    """A topic that grows keeps its id; no row is lost."""
    await filled(kafka, rows(0, 30))
    async with admin(kafka) as client:
        for name in (kafka.measurements_topic, *Topics.of(kafka).changelogs):
            await client.create_partitions({name: NewPartitions(6)})
    await produce(kafka, rows(30, 40), partition=0)
    async with running(kafka, ingest=ingest) as run:
        await position_is(run, 40)
    assert "recreated" not in caplog.text


async def test_a_marker_of_an_older_release_takes_the_topic_that_is_there_once(
    kafka: KafkaSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """It names no topic: the first start says so and notes the id; the next one compares it."""
    await filled(kafka, rows(0, 30))
    older = replace((await markers(kafka))[-1], source=None)
    async with producing(kafka) as producer:
        await producer.send_and_wait(Topics.of(kafka).assets_changelog, older.dump(), key=MARKER_KEY, partition=0)
    async with running(kafka, ingest=ingest) as run:
        await until(lambda: marker(run).source is not None)
    assert "did not note its topic" in caplog.text
    assert (await markers(kafka))[-1].source == await topics.source(kafka)
    caplog.clear()
    await produce(kafka, rows(30, 31), partition=0)
    async with running(kafka, ingest=ingest) as run:
        await position_is(run, 31)
    assert "did not note its topic" not in caplog.text
    await recreate(kafka)
    async with running(kafka, ready=False, ingest=ingest) as run:
        with pytest.raises(SourceChangedError):
            await run.task


async def test_retention_that_leaves_nothing_is_told_at_once(
    kafka: KafkaSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """All rows after the position are gone and none has come: the state moves on, so that nothing waits for them."""
    await filled(kafka, rows(0, 30))
    await produce(kafka, rows(30, 50), partition=0)
    async with admin(kafka) as client:
        await client.delete_records({ClientPartition(kafka.measurements_topic, 0): RecordsToDelete(50)})
    async with running(kafka, ingest=ingest) as run:
        await position_is(run, 50)
        assert run.worker.lag(0) == 0
    assert caplog.text.count("offsets 30 to 49 were deleted by retention") == 1


@pytest.mark.parametrize("offset", [0, 500])
async def test_offsets_that_a_tool_has_set_are_told(
    kafka: KafkaSettings, caplog: pytest.LogCaptureFixture, offset: int
) -> None:
    """The state decides; the line says so, with both offsets and the way to compute anew. It comes once."""
    await filled(kafka, rows(0, 30))
    await commit(kafka, offset)
    async with running(kafka, ingest=ingest) as run:
        text = f"set to {offset} from outside, the state is at offset 30"
        await until(lambda: text in caplog.text)
        assert "stream-app reset" in caplog.text
        await until_signed(kafka, 30)
        assert run.worker.tables.position(0) == 30
    caplog.clear()
    async with running(kafka, ingest=ingest):
        pass
    assert "from outside" not in caplog.text


async def until_signed(kafka: KafkaSettings, offset: int) -> None:
    """Wait until a worker has committed the offset of its state."""
    place = ClientPartition(kafka.measurements_topic, 0)
    async with admin(kafka) as client, asyncio.timeout(30):
        while True:
            found: Any = (await client.list_consumer_group_offsets(kafka.app_id)).get(place)
            if found is not None and (found.offset, found.metadata) == (offset, COMMITTED_BY):
                return
            await asyncio.sleep(0.1)


async def test_a_broker_tells_the_id_of_a_topic_and_makes_none(kafka: KafkaSettings, real_broker: Broker) -> None:
    """The id is another one once the topic was made again; asking for a topic that is missing does not create it."""
    first = await topics.source(kafka)
    await delete(kafka)
    assert await topics.source(kafka) is None
    assert not await exists(kafka, kafka.measurements_topic)
    async with admin(kafka) as client:
        await client.create_topics([NewTopic(kafka.measurements_topic, 4, 1)])
    async with asyncio.timeout(30):
        while (second := await topics.source(kafka)) is None:  # noqa: ASYNC110  # the broker sends no event
            await asyncio.sleep(0.1)
    assert first is not None
    assert first.is_other_than(second)
