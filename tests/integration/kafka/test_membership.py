"""A worker knows whether it is in the group, and says why it is not."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import CommitFailedError
from aiokafka.protocol.group import SyncGroupRequest
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from stream_app.http_settings import HttpSettings
from stream_app.infra.kafka.engine.assignor import WatchfulAssignor
from stream_app.infra.kafka.errors import ClockError, GroupRefusedError, SharedUrlError
from stream_app.infra.kafka.worker import Worker
from stream_app.settings import KafkaSettings, Settings
from tests.integration.kafka.counting import CountingIngest
from tests.integration.kafka.running import ensured, numbers, produce, running, until
from tests.kafka import KafkaProcess, settings_for
from tests.kafka_jars import kafka_jars
from tests.ports import free_port

pytestmark = [pytest.mark.kafka, pytest.mark.usefixtures("real_broker")]


@asynccontextmanager
async def stranger(kafka: KafkaSettings) -> AsyncIterator[None]:
    """An ordinary consumer that has taken the group's id."""
    consumer = AIOKafkaConsumer(
        kafka.measurements_topic, bootstrap_servers=kafka.bootstrap_servers, group_id=kafka.app_id
    )
    await consumer.start()
    try:
        while not consumer.assignment():
            await consumer.getmany(timeout_ms=100)
        yield
    finally:
        await consumer.stop()


async def test_another_kind_of_consumer_in_the_group_ends_the_worker(kafka: KafkaSettings) -> None:
    """The coordinator's words, the group and the cure, once it has had its time to leave."""
    hasty = kafka.model_copy(update={"refusal_limit_s": 1.5})
    async with stranger(kafka), running(hasty, ready=False) as run:
        with pytest.raises(GroupRefusedError, match="InconsistentGroupProtocol") as caught:
            await run.task
        assert f"group {kafka.app_id!r}" in str(caught.value)
        assert "STREAM_KAFKA__APP_ID" in str(caught.value)


async def test_a_worker_joins_when_another_kind_of_consumer_has_left(kafka: KafkaSettings) -> None:
    """Until then its health says why it is not in the group, and the cure."""
    async with AsyncExitStack() as others:
        await others.enter_async_context(stranger(kafka))
        async with running(kafka, ready=False) as run:
            await until(lambda: "a consumer of another kind is in the group" in run.worker.status().detail)
            await others.aclose()
            await until(run.is_ready)


async def test_a_session_outside_the_broker_s_limits_ends_the_worker(kafka: KafkaSettings) -> None:
    """The limits and the setting are named."""
    short = kafka.model_copy(update={"session_timeout_s": 3.0, "refusal_limit_s": 0})
    async with running(short, ready=False) as run:
        with pytest.raises(GroupRefusedError, match=r"STREAM_KAFKA__SESSION_TIMEOUT_S=3 .*group\.min\.session"):
            await run.task


async def test_a_worker_whose_coordination_dies_ends_with_the_reason(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else looks after its membership: it would neither join nor end, as one with another worker's id does."""

    def refuse(*_: object) -> None:
        msg = "the assignment names another worker"
        raise AssertionError(msg)

    monkeypatch.setattr(WatchfulAssignor, "on_assignment", refuse)
    async with running(kafka, ready=False) as run:
        with pytest.raises(GroupRefusedError, match=r"the assignment names another worker.*start the worker again"):
            await run.task


async def test_a_commit_while_the_worker_joins_makes_no_further_generation(kafka: KafkaSettings) -> None:
    """It is refused here: Kafka may answer it when its generation is over, and aiokafka would join once more."""
    await produce(kafka, numbers(20))
    async with running(kafka) as first:
        await until(lambda: first.rows() == 20)
        consumer = first.worker.engine.coordination._consumer
        assert consumer is not None
        coordinator, commits = consumer._coordinator, list[asyncio.Task[None]]()
        send = coordinator._send_req

        async def and_commit(request: object) -> object:
            if isinstance(request, SyncGroupRequest):
                offsets = {TopicPartition(kafka.measurements_topic, 0): OffsetAndMetadata(0, "")}
                commits.append(asyncio.create_task(coordinator.commit_offsets(None, offsets)))
            return await send(request)

        coordinator._send_req = and_commit
        generation = first.worker.engine.generation
        assert generation is not None
        async with running(kafka) as second:
            await until(lambda: first.is_ready() and commits != [] and commits[0].done())
            assert isinstance(commits[0].exception(), CommitFailedError)
            assert first.worker.engine.generation == second.worker.engine.generation == generation + 1


async def test_a_commit_of_partitions_that_were_taken_on_its_way_does_not_end_the_worker(kafka: KafkaSettings) -> None:
    """Faust looks at the assignment in one thread and commits in another; a rebalance may come between."""
    async with running(kafka) as run:
        consumer: Any = run.worker.engine.app.consumer
        assert not await consumer._thread.commit({TP("taken", 0): 5})
        await produce(kafka, numbers(20))
        await until(lambda: run.rows() == 20)


async def test_a_standby_that_fetches_nothing_for_weeks_takes_over(kafka: KafkaSettings) -> None:
    """It polls nothing, and stays in the group all the same."""
    one_partition = await ensured(settings_for(kafka.bootstrap_servers).model_copy(update={"partitions": 1}))
    await produce(one_partition, numbers(20))
    async with running(one_partition) as first, running(one_partition) as second:
        await until(lambda: {len(run.worker.tables.partitions()) for run in (first, second)} == {0, 1})
        runs = {len(run.worker.tables.partitions()): run for run in (first, second)}
        owner, standby = runs[1], runs[0]
        consumer = standby.worker.engine.coordination._consumer
        assert consumer is not None
        coordinator = consumer._coordinator
        coordinator._subscription._last_fetch_ended -= 30 * 86_400
        assert coordinator._subscription.fetcher_idle_time > 29 * 86_400
        lease = standby.worker.engine.lease
        accepted = lease._accepted_at
        await until(lambda: lease._accepted_at != accepted)  # a heartbeat later
        await owner.end()
        await until(lambda: standby.rows() == 20)


async def test_two_workers_of_one_url_are_told_and_the_last_ends(
    kafka: KafkaSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """Each would answer for the other: neither is ready, and the one that came last ends."""
    async with running(kafka) as first:
        await until(lambda: first.worker._neighbours._was_alone)
        port = first.worker._settings.http.port
        second = Worker(Settings(kafka=kafka, http=HttpSettings(port=port)), CountingIngest)
        stop = asyncio.Event()
        run = asyncio.create_task(second.run(stop))
        try:
            await until(lambda: bool(first.worker.status().obstacle))
            with pytest.raises(SharedUrlError, match=f"2 workers of the group have the URL http://127.0.0.1:{port}"):
                await run
        finally:
            stop.set()
            await asyncio.gather(run, return_exceptions=True)
        assert [r.levelno for r in caplog.records if "have the URL" in r.getMessage()].count(logging.ERROR) == 2
        await until(lambda: not first.worker.status().obstacle)


async def test_a_clock_that_the_broker_refuses_is_named(kafka: KafkaSettings) -> None:
    """To a topic that takes only the newest times, every worker's clock is wrong."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    limits = {
        "cleanup.policy": "delete",
        "max.message.bytes": str(16 << 20),
        "message.timestamp.before.max.ms": "0",
        "message.timestamp.after.max.ms": "0",
    }
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, kafka.metrics_topic, configs=limits)])
    await admin.close()
    async with running(kafka, ready=False) as run:
        await produce(kafka, numbers(40))
        with pytest.raises(ClockError, match=r"its clock says .* newest record of the measurements topic"):
            await run.task


async def test_a_broker_under_another_address_of_the_list_is_found(tmp_path: Path) -> None:
    """The cluster comes back at the second bootstrap server; the worker goes on without a restart."""
    jars = kafka_jars()
    if jars is None:
        pytest.skip("needs Java 17 and Maven: the broker is moved")
    directory, new = tmp_path / "broker", free_port()
    process = KafkaProcess(jars, directory)
    process.start()
    old = process.bootstrap_servers
    try:
        kafka = settings_for(f"{old},127.0.0.1:{new}")
        await ensured(kafka)
        async with running(kafka) as run:
            await produce(kafka, numbers(50))
            await until(lambda: run.rows() == 50)
            await asyncio.to_thread(process.stop)
            properties = directory / "server.properties"
            properties.write_text(properties.read_text().replace(f"PLAINTEXT://{old}", f"PLAINTEXT://127.0.0.1:{new}"))
            process = KafkaProcess(jars, directory, port=new)
            await asyncio.to_thread(process.start)
            await produce(kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{new}"}), numbers(50))
            await until(lambda: run.rows() == 100, timeout_s=120)
    finally:
        process.stop()
        shutil.rmtree(directory, ignore_errors=True)
