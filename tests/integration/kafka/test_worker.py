"""A worker's life: waiting for the broker, refusing wrong topics, ending when told, and `faust -A`."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.transport.drivers import aiokafka as driver

from stream_app.infra.kafka.errors import BrokerUnavailableError, TopicsError
from stream_app.infra.kafka.log import topics
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.infra.kafka.worker import Worker
from stream_app.settings import KafkaSettings, Settings
from tests.integration.kafka.counting import CountingIngest
from tests.integration.kafka.running import expected, numbers, produce, reached, running, state, until
from tests.kafka import Broker, KafkaProcess, settings_for
from tests.ports import free_port

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[3]


async def test_missing_topics_end_the_worker_with_their_cure(kafka_settings: KafkaSettings) -> None:
    """Wrong topics are no reason to wait: the worker fails at once and names the command to run."""
    async with running(kafka_settings, ready=False) as run:
        with pytest.raises(TopicsError, match="is missing: run `stream-app topics ensure`"):
            await run.task
        status = run.worker.status()
        assert status.phase == "failed"
        assert kafka_settings.measurements_topic in status.detail


async def test_a_worker_waits_for_its_broker_and_ends_while_waiting(caplog: pytest.LogCaptureFixture) -> None:
    """Without a broker it logs so once in a while, serves its status and stops when told."""
    kafka = settings_for(f"127.0.0.1:{free_port()}")
    async with running(kafka, ready=False) as run:
        await until(lambda: run.worker.status().phase == "waiting_for_broker")
        assert kafka.bootstrap_servers in run.worker.status().detail
        await asyncio.sleep(1.5)  # several tries
        assert [r.levelno for r in caplog.records if "waiting" in r.message] == [logging.WARNING]
        began = time.monotonic()
        await run.end()
        assert time.monotonic() - began < 5


async def test_a_worker_started_before_its_broker_becomes_ready(kafka_process: KafkaProcess) -> None:
    """The order of starting does not matter; nor does a restart of the broker in between."""
    kafka = settings_for(kafka_process.bootstrap_servers)
    await topics.ensure(kafka)
    await asyncio.to_thread(kafka_process.stop)
    async with running(kafka, ready=False) as run:
        await until(lambda: run.worker.status().phase == "waiting_for_broker")
        await asyncio.to_thread(kafka_process.start)
        await until(run.is_ready)
        await produce(kafka, numbers(100))
        await until(lambda: run.rows() == 100)
        await asyncio.to_thread(kafka_process.kill)
        await asyncio.to_thread(kafka_process.start)
        await produce(kafka, numbers(100))
        await until(lambda: run.rows() == 200)


async def test_a_broker_that_goes_away_while_a_worker_connects_is_waited_for(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of the topics may be the last thing that a broker answers for a while."""
    async with running(kafka, ready=False) as run:
        connect, tries = run.worker.measurements.start, 0

        async def start() -> None:
            nonlocal tries
            tries += 1
            if tries < 3:
                raise BrokerUnavailableError(kafka.bootstrap_servers)
            await connect()

        monkeypatch.setattr(run.worker.measurements, "start", start)
        await until(run.is_ready)
        assert tries == 3


@pytest.mark.parametrize(
    ("owner", "maker"), [(driver.AIOKafkaConsumerThread, "_create_consumer"), (driver.Producer, "_new_producer")]
)
async def test_a_connection_that_breaks_while_faust_connects_is_made_again(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch, owner: type[Any], maker: str
) -> None:
    """Faust's own clients try once, the worker tries on."""
    make, tries = getattr(owner, maker), 0

    async def broken() -> None:
        raise KafkaConnectionError

    def made(*args: Any, **options: Any) -> Any:
        nonlocal tries
        client, tries = make(*args, **options), tries + 1
        if tries < 3:
            client.start = broken
        return client

    monkeypatch.setattr(owner, maker, made)
    async with running(kafka) as run:
        assert tries == 3
        await produce(kafka, numbers(20))
        await until(lambda: run.rows() == 20)


async def test_a_broker_that_hangs_longer_than_a_session(kafka_process: KafkaProcess) -> None:
    """Nothing is lost or doubled, and the worker goes on by itself, when the broker answers nobody for a while."""
    kafka = settings_for(kafka_process.bootstrap_servers)
    await topics.ensure(kafka)
    async with running(kafka) as run:
        await produce(kafka, numbers(100))
        await until(lambda: run.rows() == 100)
        kafka_process.pause()
        await asyncio.sleep(1.5 * kafka.session_timeout_s)
        assert run.worker.engine.lease.remaining_s() <= 0
        kafka_process.resume()
        await produce(kafka, numbers(100))
        await until(lambda: run.rows() == 200)
        assert run.totals() == expected(numbers(100) + numbers(100))
    assert await state(kafka) == expected(numbers(100) + numbers(100))


async def test_a_partition_that_went_away_has_no_known_end(kafka: KafkaSettings) -> None:
    """Asked between two assignments, by a look-up or the stall check, the worker does not know, and does not crash."""
    async with running(kafka) as run:
        await until(lambda: run.worker.engine.end_of(TopicPartition(kafka.measurements_topic, 0)) == 0)
        assert run.worker.engine.end_of(TopicPartition(kafka.measurements_topic, 99)) is None


async def test_the_loop_is_never_blocked_for_long(kafka: KafkaSettings) -> None:
    """While rows pour in others in the loop (HTTP) get their turn."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - began)

    await produce(kafka, numbers(50_000))
    async with running(kafka) as run:
        watching = asyncio.ensure_future(watch())
        await until(lambda: run.rows() == 50_000)
        watching.cancel()
    assert longest < 1.0


async def test_faust_s_own_command_runs_the_same_worker(broker: Broker, kafka: KafkaSettings, tmp_path: Path) -> None:
    """`faust -A module worker` waits, checks, applies and stops as the worker does by itself."""
    rows = numbers(500)
    await produce(kafka, rows)
    environment = os.environ | {"TEST_SETTINGS": kafka.model_dump_json(), "PYTHONPATH": str(ROOT)}
    command = [
        sys.executable,
        "-m",
        "faust",
        "-A",
        "tests.integration.kafka.faust_module",
        "worker",
        "--without-web",
        "-l",
        "warn",
    ]
    log = tmp_path / "faust.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=tmp_path, env=environment, stdout=output, stderr=output
        )
    try:
        await reached(kafka, expected(rows))
    finally:
        process.terminate()
        await process.wait()
    assert "Traceback" not in log.read_text()


async def test_an_error_of_the_http_server_ends_the_worker() -> None:
    """A port in use, say: the worker ends with the server's own error, also while it waits for the broker."""

    async def serve() -> None:
        msg = "port 8000 is not free"
        raise OSError(msg)

    settings = Settings(kafka=settings_for(f"127.0.0.1:{free_port()}"))
    with pytest.raises(OSError, match="port 8000 is not free"):
        await Worker(settings, CountingIngest, serve).run(asyncio.Event())
