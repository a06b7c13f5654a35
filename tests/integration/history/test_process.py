"""``stream-app history`` on a real Kafka and a real PostgreSQL, killed and killed again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest

from stream_app.history_settings import HistorySettings
from stream_app.infra.kafka.log import topics
from stream_app.infra.kafka.log.batch_producer import BatchProducer
from stream_app.settings import KafkaSettings
from tests.integration.history.topic import updates
from tests.ports import free_port
from tests.postgres import PostgresProcess, require_postgres
from tests.stored_history import expected, stored

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


@pytest.fixture
async def topic(kafka_settings: KafkaSettings) -> AsyncIterator[Topic]:
    await topics.ensure(kafka_settings)
    topic = Topic(kafka_settings)
    yield topic
    await topic.producer.discard()


class Topic:
    """The metrics topic, and all that was written to it."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self.kafka, self.producer, self.values = kafka, BatchProducer(kafka), list[bytes]()

    async def write(self, records: list[tuple[int, bytes]]) -> None:
        by_partition: dict[int, list[tuple[bytes, bytes, list[tuple[str, bytes]]]]] = defaultdict(list)
        for partition, value in records:
            by_partition[partition].append((b"k", value, []))
            self.values.append(value)
        for partition, batch in by_partition.items():
            for at in range(0, len(batch), 50):
                await self.producer.send(self.kafka.metrics_topic, partition, batch[at : at + 50])


class Running:
    """A history process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.process, self._port, self._log = process, port, log

    def log(self) -> str:
        return self._log.read_text("utf-8")

    async def figures(self) -> dict[str, float]:
        async with httpx.AsyncClient() as client:
            try:
                text = (await client.get(f"http://127.0.0.1:{self._port}/metrics")).text
            except httpx.TransportError:
                return {}
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    async def has_written(self) -> bool:
        return (await self.figures()).get("stream_history_rows_total", 0) > 0

    async def waits(self) -> bool:
        return "the history waits" in self.log()

    async def is_ready(self) -> bool:
        return await self.ready() == 200

    async def end(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()

    async def ready(self) -> int:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"http://127.0.0.1:{self._port}/health/ready")).status_code


def environment_of(kafka: KafkaSettings, history: HistorySettings, port: int) -> dict[str, str]:
    """Environment of a history process."""
    return os.environ | {
        "STREAM_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "STREAM_KAFKA__APP_ID": kafka.app_id,
        "STREAM_KAFKA__METRICS_TOPIC": kafka.metrics_topic,
        "STREAM_KAFKA__SESSION_TIMEOUT_S": "6",
        "STREAM_KAFKA__HEARTBEAT_INTERVAL_S": "0.5",
        "STREAM_HISTORY__URL": history.url or "",
        "STREAM_HISTORY__FLUSH_INTERVAL_S": str(history.flush_interval_s),
        "STREAM_HISTORY__PORT": str(port),
    }


@asynccontextmanager
async def history_process(kafka: KafkaSettings, history: HistorySettings, log: Path) -> AsyncIterator[Running]:
    """Run it; it is killed if it still runs at the end."""
    port = free_port()
    environment = environment_of(kafka, history, port)
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "stream_app", "history"), env=environment, stdout=output, stderr=output
        )
    try:
        yield Running(process, port, log)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until(holds: Callable[[], Awaitable[bool]], timeout_s: float = 60, every_s: float = 0.05) -> None:
    async with asyncio.timeout(timeout_s):
        while not await holds():  # noqa: ASYNC110  # of another process
            await asyncio.sleep(every_s)


@pytest.fixture
def mortal() -> Iterator[PostgresProcess]:
    """A PostgreSQL of the test's own, to be killed."""
    require_postgres()
    postgres = PostgresProcess()
    postgres.start()
    yield postgres
    postgres.remove()


async def test_killed_processes_leave_the_deduplicated_topic(
    topic: Topic, tmp_path: Path, mortal: PostgresProcess
) -> None:
    """The process dies twice, PostgreSQL with its children once, among replays of older states: not a bit differs."""
    history = HistorySettings(url=mortal.url, flush_interval_s=0.05)
    whole = list(updates(24, 12))
    third = len(whole) // 3
    log = tmp_path / "log"

    writing = asyncio.create_task(topic.write(whole[:third]))
    async with history_process(topic.kafka, history, log) as first:
        await until(first.has_written)
    await writing

    writing = asyncio.create_task(topic.write(whole[third : 2 * third]))
    async with history_process(topic.kafka, history, log) as second:
        await until(second.has_written)
        mortal.kill()
        await until(second.waits)
        assert await second.ready() == 503
        mortal.start()
        await until(second.is_ready)
    await writing

    async with history_process(topic.kafka, history, log) as third_one:
        await topic.write(whole[2 * third :])
        wanted = expected(topic.values)

        async def is_whole() -> bool:
            return await stored(mortal.url) == wanted

        await until(is_whole)
        assert await third_one.end() == 0
    assert await is_whole()
    assert len(wanted[0]) > 100


async def test_what_cannot_be_stored_is_left_out_and_told(
    topic: Topic, history: HistorySettings, tmp_path: Path
) -> None:
    """Anything may stand in the topic: the updates beside it are stored, and what is left out is counted and logged."""
    good = list(updates(2, 1))
    list_for_number = good[0][1].replace(b'"total_data_points":{"value":0', b'"total_data_points":{"value":[1.0]')
    list_for_number = list_for_number.replace(b'"seq":0', b'"seq":999999')
    # One whose seq is not newer than what is stored is not looked at.
    cut_off = good[-1][1].replace(b'"seq":', b'"seq":99')[:-5]
    poison = [b"", b"[]", b"no json", b'{"asset_id":"a"}', cut_off, list_for_number]
    upload = good[0][1].replace(b'"asset_id":"a-000"', b'"asset_id":"upload-0c9f7f0e-8f0b-4c1c-9d55-1b8d5d0d5c0f"')
    assert upload != good[0][1] != list_for_number
    await topic.write(good)
    async with history_process(topic.kafka, history, tmp_path / "log") as running:

        async def is_whole() -> bool:
            return await stored_or_none(history) == expected(value for _, value in good)

        await until(is_whole)
        await topic.write([(0, each) for each in (*poison, upload)])

        async def all_told() -> bool:
            return (await running.figures()).get('stream_history_left_out_total{why="poison"}') == len(poison)

        await until(all_told)
        assert await is_whole()
        assert running.log().count("is left out of the history") == len(poison)
        assert await running.ready() == 200
        assert await running.end() == 0


async def stored_or_none(history: HistorySettings) -> object:
    try:
        return await stored(history.url or "")
    except asyncpg.UndefinedTableError:
        return None
