"""The state and the log of which it is: another topic under its position, a lost end or beginning, a tool's offsets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import TopicPartition as ClientPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete

from stream_app.domain.catalogue import Catalogue
from stream_app.domain.snapshot import Marker
from stream_app.infra.kafka.errors import (
    ResetUnfinishedError,
    SourceChangedError,
    SourceMissingError,
    SourceTruncatedError,
    StateInUseError,
    TopicsError,
)
from stream_app.infra.kafka.log import topics
from stream_app.infra.kafka.log.group_state import COMMITTED_BY
from stream_app.infra.kafka.log.topics import Topics
from stream_app.infra.kafka.stored_state import StoredState
from stream_app.settings import KafkaSettings
from stream_app.usecases.checkpoints import KeptWindows
from stream_app.usecases.ingest import Ingest
from stream_app.usecases.ports import MARKER_KEY, Tables
from tests.integration.kafka.running import Running, produce, producing, read, running, until
from tests.integration.kafka.test_delivery import commit
from tests.kafka import Broker

pytestmark = pytest.mark.kafka

START_MS = 1_772_323_200_000
CATALOGUE = Catalogue()


def ingest(tables: Tables) -> Ingest:
    return Ingest(
        tables=tables, catalogue=CATALOGUE, window_sizes_s=(60, 3600), kept_windows=KeptWindows({}, default=24)
    )


def rows(first: int, last: int, asset: str = "a") -> list[tuple[bytes | None, bytes | None]]:
    """Rows of one asset, one a second."""
    return [
        (
            asset.encode(),
            json.dumps(
                {"asset_id": asset, "timestamp": START_MS + 1000 * i, "current": 1, "voltage": 800, "soc": 50}
            ).encode(),
        )
        for i in range(first, last)
    ]


async def lifetimes(kafka: KafkaSettings, asset: str = "a") -> dict[int, int]:
    """Rows that each update of an asset's lifetime counts, by its seq; the same seq always says the same."""
    found: dict[int, int] = {}
    for record in await read(kafka, kafka.metrics_topic):
        update = json.loads(record.value)
        if update["asset_id"] == asset and update["window"]["size"] == "lifetime":
            count = update["metrics"]["total_data_points"]["value"]
            assert found.setdefault(update["seq"], count) == count
    return found


@asynccontextmanager
async def admin(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def exists(kafka: KafkaSettings, topic: str) -> bool:
    async with admin(kafka) as client:
        return topic in await client.list_topics()


async def delete(kafka: KafkaSettings) -> None:
    """Delete the measurements topic, and wait until it is gone."""
    async with admin(kafka) as client:
        await client.delete_topics([kafka.measurements_topic])
        async with asyncio.timeout(30):
            while kafka.measurements_topic in await client.list_topics():  # noqa: ASYNC110  # the broker sends no event
                await asyncio.sleep(0.05)


async def recreate(kafka: KafkaSettings) -> None:
    await delete(kafka)
    await topics.ensure(kafka)


async def filled(kafka: KafkaSettings, some: Sequence[tuple[bytes | None, bytes | None]]) -> None:
    """Have a worker apply rows of one partition, and end."""
    await produce(kafka, some, partition=0)
    async with running(kafka, ingest=ingest) as run:
        await until(lambda: run.worker.tables.position(0) == len(some))


async def position_is(run: Running, position: int) -> None:
    await until(lambda: run.worker.tables.position(0) == position)


def marker(run: Running) -> Marker:
    """The marker in a worker's tables."""
    value = run.worker.tables.asset(0, MARKER_KEY)
    assert value is not None
    return Marker.load(value)


async def markers(kafka: KafkaSettings) -> list[Marker]:
    changelog = Topics.of(kafka).assets_changelog
    return [Marker.load(r.value) for r in await read(kafka, changelog) if r.key == MARKER_KEY]


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


async def test_adopt_goes_on_with_the_state_from_the_beginning_of_the_new_log(kafka: KafkaSettings) -> None:
    """All rows of both logs count once, seq never goes back, and a restart goes on in the new log."""
    await filled(kafka, rows(0, 30))
    old = await lifetimes(kafka)
    await recreate(kafka)
    await produce(kafka, rows(100, 110), partition=0)
    state = await StoredState.read(kafka)
    await state.adopt({each.number: each.log_start for each in state.partitions})
    async with running(kafka, ingest=ingest) as run:
        await position_is(run, 10)
    await produce(kafka, rows(110, 125), partition=0)
    async with running(kafka, ingest=ingest) as run:
        await position_is(run, 25)
        assert run.worker.lag(0) == 0
    found = await lifetimes(kafka)
    assert found[max(found)] == 55
    assert min(set(found) - set(old)) > max(old)
    assert (await markers(kafka))[-1].shift % 1_000_000_000 == 0


async def test_adopt_of_a_restored_copy_goes_on_where_the_state_is(kafka: KafkaSettings) -> None:
    """The copy has the same rows at the same offsets, and more: only these are new."""
    await filled(kafka, rows(0, 30))
    await recreate(kafka)
    await produce(kafka, rows(0, 45), partition=0)
    state = await StoredState.read(kafka)
    await state.adopt(None)
    async with running(kafka, ingest=ingest) as run:
        await position_is(run, 45)
    found = await lifetimes(kafka)
    assert found[max(found)] == 45
    assert max(found) == 44


async def test_adopt_of_a_copy_that_is_shorter_than_the_state_is_told(kafka: KafkaSettings) -> None:
    """A position beyond the log's end is never settled by reading from another place."""
    await filled(kafka, rows(0, 30))
    await recreate(kafka)
    await produce(kafka, rows(0, 20), partition=0)
    await (await StoredState.read(kafka)).adopt(None)
    async with running(kafka, ready=False, ingest=ingest) as run:
        with pytest.raises(SourceTruncatedError, match="ends at offset 20, but the state is at 30"):
            await run.task


async def test_reset_computes_anew_and_seq_goes_on(kafka: KafkaSettings) -> None:
    """After a reset the state is that of the log's rows alone; whoever keeps the highest seq has it."""
    await filled(kafka, [*rows(0, 30), *rows(0, 5, "gone")])
    old = await lifetimes(kafka)
    await recreate(kafka)
    await produce(kafka, rows(0, 12), partition=0)
    await (await StoredState.read(kafka)).reset()
    async with running(kafka, ingest=ingest) as run:
        await position_is(run, 12)
        assert run.worker.tables.asset(0, b"gone") is None
        assert list(run.worker.tables.asset_keys(0)) == [b"a"]
    found = await lifetimes(kafka)
    assert found[max(found)] == 12
    assert min(set(found) - set(old)) > max(old)
    async with running(kafka, ingest=ingest) as run:  # recovered from the changelogs
        assert list(run.worker.tables.asset_keys(0)) == [b"a"]


async def test_a_reset_that_was_cut_short_is_not_taken_for_a_state(kafka: KafkaSettings) -> None:
    """The worker refuses what is left; a second reset mends it."""
    await filled(kafka, rows(0, 30))
    begun = replace((await markers(kafka))[-1], resetting=True)
    async with producing(kafka) as producer:
        await producer.send_and_wait(Topics.of(kafka).assets_changelog, begun.dump(), key=MARKER_KEY, partition=0)
    with pytest.raises(ResetUnfinishedError, match="run `stream-app reset` again"):
        await (await StoredState.read(kafka)).adopt(None)
    async with running(kafka, ready=False, ingest=ingest) as run:
        with pytest.raises(ResetUnfinishedError):
            await run.task
    await (await StoredState.read(kafka)).reset()
    async with running(kafka, ingest=ingest) as run:
        await position_is(run, 30)
    found = await lifetimes(kafka)
    assert found[max(found)] == 30


async def test_no_state_is_changed_below_a_worker(kafka: KafkaSettings) -> None:
    """Reset and adopt refuse while the group has a member, and name it."""
    async with running(kafka):
        with pytest.raises(StateInUseError, match=r"1 active member.*stop all workers"):
            await StoredState.read(kafka)


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
