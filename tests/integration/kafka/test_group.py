"""Several workers share the partitions; joining, leaving and dying change nothing in the totals."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka.cluster import ClusterMetadata

from stream_app.http_settings import HttpSettings
from stream_app.infra.kafka.log.topics import Topics
from stream_app.settings import KafkaSettings, Settings
from tests.integration.kafka.running import (
    Running,
    Totals,
    expected,
    numbers,
    owners,
    produce,
    reached,
    read,
    running,
    until,
)
from tests.kafka import Broker
from tests.ports import free_port

pytestmark = [pytest.mark.kafka, pytest.mark.usefixtures("real_broker")]

ROOT = Path(__file__).parents[3]


def all_owned(*runs: Running) -> bool:
    return all(len(urls) == 1 for urls in owners(runs, 4).values()) and all(run.is_ready() for run in runs)


def merged(*runs: Running) -> Totals:
    totals: Totals = {}
    for run in runs:
        totals |= run.totals()
    return totals


async def test_two_workers_share_and_hand_over(kafka: KafkaSettings) -> None:
    """Each partition has one owner, known to both by URL; when one leaves the other takes all, with their state."""
    rows = numbers(400)
    await produce(kafka, rows)
    async with running(kafka) as one:
        await until(lambda: one.rows() == 400)
        async with running(kafka) as two:
            await until(lambda: all_owned(one, two))
            assert len(one.worker.tables.partitions()) == len(two.worker.tables.partitions()) == 2
            for run, other in ((one, two), (two, one)):
                assert list(run.worker.peers()) == [other.url]
                for number, (url,) in owners([one, two], 4).items():
                    assert run.worker.owner(number) == url
            assert merged(one, two) == expected(rows)
            more = numbers(300)
            await produce(kafka, more)
            await until(lambda: one.rows() + two.rows() == 700)
            began = time.monotonic()
            await two.end()
        await until(lambda: all_owned(one))
        assert time.monotonic() - began < 5, "a worker that ends in good order leaves the group at once"
        assert list(one.worker.peers()) == []
        assert {one.worker.owner(number) for number in range(4)} == {one.url}
        assert one.totals() == expected(rows + more)
        assert one.ingest.gaps == 0


async def test_a_topic_that_the_broker_does_not_know_yet_is_assigned_later(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker that has just started may not tell all of its topics; the group does not stay without them."""
    unknown, partitions_for = {Topics.of(kafka).assets_changelog}, ClusterMetadata.partitions_for_topic

    def partitions_for_topic(cluster: ClusterMetadata, topic: str) -> set[int] | None:
        return None if topic in unknown else partitions_for(cluster, topic)

    monkeypatch.setattr(ClusterMetadata, "partitions_for_topic", partitions_for_topic)
    async with running(kafka, ready=False) as run:
        await until(lambda: "assigns its partitions again" in caplog.text)
        unknown.clear()
        await produce(kafka, numbers(50))
        await until(lambda: run.rows() == 50)


async def test_recovery_does_not_read_own_writes_again(kafka: KafkaSettings) -> None:
    """A partition that stays through a rebalance is recovered from where this worker's own checkpoints ended."""
    await produce(kafka, numbers(50))
    async with running(kafka) as one:
        await until(lambda: one.rows() == 50)
        held = one.worker.tables._assets.by_partition
        ends = {
            number: len([r for r in await read(kafka, f"{kafka.app_id}-assets-changelog") if r.partition == number])
            for number in range(4)
        }
        assert {number: held[number].next_offset for number in range(4)} == ends


@contextmanager
def worker_process(kafka: KafkaSettings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    settings = Settings(kafka=kafka, http=HttpSettings(port=free_port()), data_dir=log.parent)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.kafka.worker_process", settings.model_dump_json()],
            cwd=ROOT,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(30)


async def test_kill_9_and_restart_lose_and_double_nothing(kafka: KafkaSettings, tmp_path: Path) -> None:
    """Rows keep coming while a worker joins, one is killed and started again, and one is paused past its session."""
    rows = numbers(60_000, assets=50)
    parts = [rows[i : i + 10_000] for i in range(0, len(rows), 10_000)]
    log = tmp_path / "workers.log"

    async def feed(part: list[tuple[bytes | None, bytes | None]]) -> None:
        for i in range(0, len(part), 1000):
            await produce(kafka, part[i : i + 1000])
            await asyncio.sleep(0.1)

    with worker_process(kafka, log) as first:
        await feed(parts[0])
        with worker_process(kafka, log) as second:
            await feed(parts[1])
            first.kill()
            first.wait()
            await feed(parts[2])
            with worker_process(kafka, log):
                await feed(parts[3])
                second.send_signal(signal.SIGSTOP)
                await asyncio.sleep(1.5 * kafka.session_timeout_s)
                await feed(parts[4])
                second.send_signal(signal.SIGCONT)
                await feed(parts[5])
                await reached(kafka, expected(rows))
    last: dict[bytes, int] = {}
    for record in sorted(await read(kafka, kafka.metrics_topic), key=lambda r: (r.key, r.offset)):
        offset = int(record.value.split()[0])
        assert offset >= last.get(record.key, -1), "output never goes back"
        last[record.key] = offset
    assert "Traceback" not in log.read_text()


async def test_a_terminated_worker_writes_its_last_checkpoint(kafka: KafkaSettings, tmp_path: Path) -> None:
    """SIGTERM: exit code 0 in good time, and the next worker has nothing to apply again."""
    rows = numbers(5000)
    with worker_process(kafka, tmp_path / "worker.log") as process:
        await produce(kafka, rows)
        await reached(kafka, expected(rows))
        process.terminate()
        assert await asyncio.to_thread(process.wait, 25) == 0
    async with running(kafka) as run:
        assert run.totals() == expected(rows)
        assert run.ingest.applied_rows == 0


def test_the_shared_broker_is_told(broker: Broker, record_property: Callable[[str, object], None]) -> None:
    """Which broker the tests ran on stands in their report."""
    record_property("broker", broker.kind)
