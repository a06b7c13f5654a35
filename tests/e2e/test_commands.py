"""Commands that talk to Kafka."""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from schemas.measurement import Measurement
from stream_app.cli import main
from stream_app.domain.snapshot import FORMAT, HEADER, Marker
from stream_app.domain.source import Source
from stream_app.infra.kafka.log.topics import Topics
from stream_app.settings import KafkaSettings
from stream_app.usecases.ports import MARKER_KEY
from stream_app.wire.decode import Decoder
from stream_app.wire.decode.frames import MARKER
from tests.integration.kafka.running import read
from tests.messages import fetch

pytestmark = pytest.mark.kafka

SAMPLE = Path(__file__).parents[2] / "example" / "sample_day.csv"


@pytest.fixture
def environment(kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> KafkaSettings:
    for name, value in kafka_settings.model_dump(exclude_defaults=True).items():
        monkeypatch.setenv(f"STREAM_KAFKA__{name.upper()}", str(value))
    return kafka_settings


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["stream-app", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(exit_.value.code or 0)


async def messages(settings: KafkaSettings, count: int) -> list[tuple[bytes, bytes]]:
    """The first messages of the measurements topic."""
    found: list[tuple[bytes, bytes]] = []
    consumer = AIOKafkaConsumer(
        settings.measurements_topic, bootstrap_servers=settings.bootstrap_servers, auto_offset_reset="earliest"
    )
    async with consumer:
        while len(found) < count:
            found += [(r.key, r.value) for batch in (await consumer.getmany(timeout_ms=1_000)).values() for r in batch]
    return found


def test_topics_are_checked_and_ensured(
    environment: KafkaSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``check`` names what is missing and the cure; after ``ensure`` all is well, and a second one changes nothing."""
    assert run(monkeypatch, "topics", "check") == 1
    assert (
        f"topic '{environment.measurements_topic}' is missing: run `stream-app topics ensure`"
        in capsys.readouterr().err
    )
    assert run(monkeypatch, "topics", "ensure") == 0
    assert capsys.readouterr().out.count("created topic") == 5
    assert run(monkeypatch, "topics", "check") == 0
    assert run(monkeypatch, "topics", "ensure") == 0
    assert capsys.readouterr().out.endswith("all topics are there\n")


def test_produce_needs_the_topic(
    environment: KafkaSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing topic is told, not created by the way."""
    assert run(monkeypatch, "produce", str(SAMPLE), "--asset", "a") == 1
    assert "is missing: run `stream-app topics ensure`" in capsys.readouterr().err


def test_produce_rows(
    environment: KafkaSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows of a file arrive one a message, keyed by their asset, in order."""
    assert run(monkeypatch, "topics", "ensure") == 0
    lines = SAMPLE.read_bytes().splitlines(keepends=True)[:101]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"".join(lines))))
    assert run(monkeypatch, "produce", "-", "--asset", "a", "--rate", "2000") == 0
    assert "100 rows sent" in capsys.readouterr().out
    found = asyncio.run(messages(environment, 100))
    assert {key for key, _ in found} == {b"a"}
    rows = [Measurement.model_validate_json(value) for _, value in found]
    assert [str(row.timestamp).encode() for row in rows] == [line.split(b",")[0] for line in lines[1:]]


@pytest.mark.parametrize("form", ["columns", "arrow"])
def test_produce_many_rows_a_message(environment: KafkaSettings, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Rows of a file arrive in one message, as they would arrive one by one."""
    assert run(monkeypatch, "topics", "ensure") == 0
    lines = SAMPLE.read_bytes().splitlines(keepends=True)[:101]
    for each in (form, "rows"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"".join(lines))))
        assert run(monkeypatch, "produce", "-", "--asset", "a", "--format", each) == 0
    found = asyncio.run(messages(environment, 101))
    assert found[0][1].startswith({"columns": b"{", "arrow": MARKER}[form])
    batch = Decoder().decode(fetch(*found))
    assert not batch.rejects
    assert batch.row.tolist() == [*range(100), *[0] * 100]
    assert batch.time_us[:100].tolist() == batch.time_us[100:].tolist()
    for column in batch.columns.values():
        assert column[:100].tolist() == column[100:].tolist()


def test_produce_without_asset(
    environment: KafkaSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that does not say whose its rows are needs ``--asset``."""
    assert run(monkeypatch, "topics", "ensure") == 0
    assert run(monkeypatch, "produce", str(SAMPLE)) == 1
    assert "--asset (0 rows before it were sent)" in capsys.readouterr().err


async def store(settings: KafkaSettings, *entries: tuple[bytes, bytes]) -> None:
    """Put entries of partition 0 into the changelog of the assets."""
    async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers) as producer:
        for key, value in entries:
            await producer.send_and_wait(Topics.of(settings).assets_changelog, value, key=key, partition=0)


async def marker(settings: KafkaSettings) -> Marker:
    """The newest marker of partition 0."""
    records = await read(settings, Topics.of(settings).assets_changelog)
    return Marker.load([record.value for record in records if record.key == MARKER_KEY][-1])


def test_a_state_is_moved_to_another_log_or_deleted(
    environment: KafkaSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``topics adopt`` writes markers, ``reset`` says what it deletes, asks, and then nothing is left."""
    assert run(monkeypatch, "reset") == 1
    assert "is missing: run `stream-app topics ensure`" in capsys.readouterr().err
    assert run(monkeypatch, "topics", "ensure") == 0
    assert run(monkeypatch, "reset", "--yes") == 0
    assert "has no state" in capsys.readouterr().out
    old = Marker(30, {}, source=Source("old", "1"))
    asyncio.run(store(environment, (b"a", HEADER.pack(FORMAT, 29)), (MARKER_KEY, old.dump())))
    assert run(monkeypatch, "topics", "adopt", "--from", "somewhere") == 1
    assert "is not a place" in capsys.readouterr().err
    assert run(monkeypatch, "topics", "adopt", "--from", "7") == 1
    assert "partition 0 has offsets 0 to 0" in capsys.readouterr().err
    assert run(monkeypatch, "topics", "adopt") == 0
    assert f"goes on at offset 0 of topic '{environment.measurements_topic}'" in capsys.readouterr().out
    adopted = asyncio.run(marker(environment))
    assert (adopted.position, adopted.shift) == (0, 1_000_000_000)
    assert adopted.source is not None
    assert adopted.source.topic == environment.measurements_topic
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run(monkeypatch, "reset") == 130
    assert "deletes the states of 1 assets" in capsys.readouterr().out
    assert run(monkeypatch, "reset", "--yes") == 0
    records = asyncio.run(read(environment, Topics.of(environment).assets_changelog))
    assert [record.value for record in records if record.key == b"a"][-1] is None
    assert asyncio.run(marker(environment)).shift == 2_000_000_000
