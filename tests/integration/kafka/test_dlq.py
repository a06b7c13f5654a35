"""``stream-app dlq`` on a real broker with a real worker."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from schemas.rejected import ATTEMPT_HEADER, HEADER_PREFIX
from stream_app.cli import app
from stream_app.infra.kafka.dead_letter_replay import replay
from stream_app.infra.kafka.errors import ReplayRunningError
from stream_app.infra.kafka.log import letter_log, topics
from stream_app.infra.kafka.log.batch_producer import BatchProducer
from stream_app.infra.kafka.log.letter_log import ReplayGroup, replay_group
from stream_app.infra.kafka.log.records import Record
from stream_app.settings import KafkaSettings
from stream_app.usecases.replay import Choice
from tests.e2e.workers import ROOT, WorkerProcess, until
from tests.integration.kafka.running import read
from tests.kafka import Broker

pytestmark = pytest.mark.kafka

AHEAD_S = 15
#: Larger than a dead letter may be, and not than a message may be.
LARGE_BYTES = (8 << 20) - (4 << 10)


class Command:
    """``stream-app dlq`` as a user runs it."""

    def __init__(self, kafka: KafkaSettings) -> None:
        given = kafka.model_dump(exclude_none=True)
        named = {f"STREAM_KAFKA__{name.upper()}": str(value) for name, value in given.items()}
        self._environment = {**os.environ, **named, "PYTHONPATH": str(ROOT)}

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "stream_app", "dlq", *arguments]
        return subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def bytes(self, *arguments: str) -> bytes:
        result = CliRunner().invoke(app, ["dlq", *arguments], env=self._environment, catch_exceptions=False)
        assert result.stderr == ""
        return result.stdout_bytes

    def lines(self, *arguments: str) -> list[str]:
        return self.bytes(*arguments).decode().splitlines()


def send(kafka: KafkaSettings, topic: str, partition: int, records: Sequence[Record]) -> None:
    """Write records, all acked."""

    async def sent() -> None:
        producer = BatchProducer(kafka)
        await producer.send(topic, partition, records)
        await producer.discard()

    asyncio.run(sent())


@pytest.fixture
def worker(real_broker: Broker, kafka_settings: KafkaSettings, tmp_path: Path) -> Iterator[WorkerProcess]:
    """It refuses rows whose stamps are more than a second ahead, for the time being."""
    asyncio.run(topics.ensure(kafka_settings))
    process = WorkerProcess(kafka_settings, tmp_path)
    try:
        yield process.start(STREAM_MAX_AHEAD_S="1", STREAM_ALLOWED_LATENESS_S="0").ready()
    finally:
        process.kill()


def test_letters_are_found_and_replayed(worker: WorkerProcess, kafka_settings: KafkaSettings) -> None:
    """Each row counts once in the end: of a message that was refused in part, of one that was cut, and no other."""
    kafka, command = kafka_settings, Command(kafka_settings)
    now_ms = time.time_ns() // 1_000_000
    ahead_ms = now_ms + AHEAD_S * 1000
    stamps = [now_ms - 3000, now_ms - 2000, now_ms - 1000, now_ms, ahead_ms, ahead_ms + 100]
    partly = json.dumps(
        {"asset_id": "partly", "timestamp": stamps, "current": [1.0] * 6, "voltage": [800.0] * 6, "soc": [50.0] * 6}
    ).encode()
    row = {"asset_id": "large", "timestamp": stamps[-1], "current": 1.0, "voltage": 800.0, "soc": 50.0}
    large = json.dumps(row).encode().ljust(LARGE_BYTES)
    own = [("trace", b"\xff"), (b"\xff\xfe".decode(errors="surrogateescape"), None)]
    send(kafka, kafka.measurements_topic, 1, [(b"partly", partly, own), (b"large", large, own)])
    send(kafka, kafka.measurements_topic, 3, [(b"poison", b"{not json", own)])

    def listed(*options: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in command.lines("ls", "--json", *options)]

    until(lambda: len(listed()) == 3, "all letters are there")
    by_key = {each["key"]: each for each in listed()}
    assert {key: (each["code"], each["rows"], each["cut"]) for key, each in by_key.items()} == {
        "partly": ("implausible_time", "4-5", []),
        "large": ("implausible_time", "0", ["value"]),
        "poison": ("bad_json", None, []),
    }
    assert [each["key"] for each in listed("--code", "bad_json", "--since", "1h")] == ["poison"]
    assert listed("--asset", "poison", "--until", "1h") == []
    (text,) = command.lines("ls", "--asset", "partly")
    assert "rows 4-5" in text
    assert worker.get("/api/v1/dead-letters")["by_code"] == {"implausible_time": 2, "bad_json": 1}

    assert command.bytes("show", by_key["large"]["place"], "--raw") == large
    shown = command.lines("show", by_key["poison"]["place"])
    assert "code:    bad_json" in shown
    assert shown[-1] == "{not json"
    assert any(line.startswith("header:  trace: \\xff") for line in shown)

    dry = command.lines("replay", "--dry-run")
    assert dry[-1] == f"3 letters would be replayed to {kafka.measurements_topic!r}"
    assert [line.split()[:2] for line in dry[:2]] == [["implausible_time", "2"], ["bad_json", "1"]]

    until(lambda: time.time_ns() // 1_000_000 > stamps[-1], "the stamps are not ahead any more")
    done = command.lines("replay", "--code", "implausible_time")
    assert done[-1].startswith("2 letters replayed")
    until(lambda: rows(worker) == {"partly": 6, "large": 1}, "the refused rows count, and those alone")
    assert command.lines("replay", "--code", "implausible_time")[-1].startswith("0 letters replayed")

    for attempt in (1, 2):
        assert command.lines("replay", "--max-attempts", "2")[-1].startswith("1 letters replayed")
        until(lambda: listed("--code", "bad_json")[-1]["attempt"] == attempt, "it is refused again")  # noqa: B023
    left = command.lines("replay", "--max-attempts", "2")
    assert left[-1].startswith("0 letters replayed")
    assert any("refused again after each replay" in line for line in left)
    assert rows(worker) == {"partly": 6, "large": 1}

    written = asyncio.run(read_raw(kafka))
    assert Counter((each.key, each.value) for each in written) == {
        (b"partly", partly): 2,
        (b"large", large): 2,
        (b"poison", b"{not json"): 3,
    }
    assert {each.partition for each in written if each.key != b"poison"} == {1}
    assert all(list(each.headers[:2]) == own for each in written)


def rows(worker: WorkerProcess) -> dict[str, int]:
    return {item["asset_id"]: item["rows"] for item in worker.get("/api/v1/assets")["assets"]}


async def read_raw(kafka: KafkaSettings) -> list[Any]:
    """All records of the measurements topic, whatever their headers are called."""
    aimed = kafka.model_copy(update={"dead_letter_topic": kafka.measurements_topic})
    async with letter_log.letter_log(aimed) as log:
        return [each for number, bounds in (await log.bounds()).items() async for each in log.letters(number, *bounds)]


def letters(kafka: KafkaSettings, count: int) -> list[Record]:
    """Letters of rows that stand at the beginning of partition 0."""
    told = {"code": "unexpected", "topic": kafka.measurements_topic, "partition": "0", "message": "a bug"}
    return [
        (b"a", b"%d" % i, [(HEADER_PREFIX + k, v.encode()) for k, v in {**told, "offset": str(i)}.items()])
        for i in range(count)
    ]


def test_a_killed_replay_continues(real_broker: Broker, kafka_settings: KafkaSettings) -> None:
    """Nothing is left out; what was published and not written down yet is a hundred letters at most."""
    kafka, count = kafka_settings, 30_000
    asyncio.run(topics.ensure(kafka))
    send(kafka, kafka.dead_letter_topic, 2, letters(kafka, count))
    process = Command(kafka).start("replay")

    def published() -> int:
        return len(asyncio.run(read(kafka, kafka.measurements_topic)))

    try:
        until(lambda: published() > 0, "some are published")
    finally:
        process.kill()
        process.communicate()
    before = published()
    assert 0 < before < count, "it was killed in between"

    def run() -> bool:
        try:
            asyncio.run(replay(kafka, Choice(), max_attempts=1))
        except ReplayRunningError:
            return False  # the killed one is a member until its session ends
        return True

    until(run, "the killed one is forgotten")
    found = Counter(int(each.value) for each in asyncio.run(read(kafka, kafka.measurements_topic)))
    assert found.keys() == set(range(count))
    assert found.total() - count <= 100
    assert max(found.values()) <= 2


async def test_one_replay_at_a_time(real_broker: Broker, kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one says so; an offset is committed after the messages are acknowledged, never before."""
    async with replay_group(kafka):
        with pytest.raises(ReplayRunningError, match="another replay is under way"):
            await replay(kafka, Choice(), max_attempts=1)
    producer = BatchProducer(kafka)
    await producer.send(kafka.dead_letter_topic, 0, letters(kafka, 3))
    await producer.discard()
    commit, committed = ReplayGroup.commit, []

    async def noted(self: ReplayGroup, *args: Any) -> None:
        committed.append([each.value for each in await read(kafka, kafka.measurements_topic)])
        await commit(self, *args)

    monkeypatch.setattr(ReplayGroup, "commit", noted)
    outcome = await replay(kafka, Choice(), max_attempts=1)
    assert (outcome.replayed, committed) == ({"unexpected": 3}, [[b"0", b"1", b"2"]])
    again = await read(kafka, kafka.measurements_topic)
    assert [dict(each.headers) for each in again] == [{ATTEMPT_HEADER: b"1"}] * 3
