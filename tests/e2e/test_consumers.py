"""Consumers of the metrics topic, as users run them: the examples, and clients on librdkafka."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from example.final_windows import Database
from stream_app.infra.kafka.checkpoint_sink import CheckpointSink
from stream_app.infra.kafka.log.partitioning import partition_of
from stream_app.settings import Compression, KafkaSettings
from stream_app.usecases.ports import WholeCheckpoint
from stream_app.wire.encode.updates import UpdateForm
from tests.e2e.workers import ROOT, until
from tests.integration.kafka.running import read
from tests.readers.installed import FOLDER, librdkafka, node_example
from tests.unit.usecases.site import Site, a_row

pytestmark = pytest.mark.kafka

ASSETS = [f"asset-{number}" for number in range(8)]
#: Notes every write of a row, so that a second one is seen.
_LOG = """
CREATE TABLE writes (asset_id TEXT, size TEXT, start TEXT);
CREATE TRIGGER inserted AFTER INSERT ON windows
BEGIN INSERT INTO writes VALUES (NEW.asset_id, NEW.size, NEW.start); END;
CREATE TRIGGER updated AFTER UPDATE ON windows
BEGIN INSERT INTO writes VALUES (NEW.asset_id, NEW.size, NEW.start); END;
"""


def checkpoints(count: int, form: UpdateForm | None = None) -> list[WholeCheckpoint]:
    """Checkpoints of ten minutes of each asset, the last of which ends it."""
    site, written = Site(update_form=form or UpdateForm()), []
    for part in range(count):
        start = len(site.log)
        for asset in ASSETS:
            site.add(asset, *(a_row(part * 600 + 20 * i, current=10 - i) for i in range(30)))
            if part == count - 1:
                site.add(asset, {"control": "end_of_upload", "rows": 30 * count})
        site.ingest.apply(site.fetch(start))
        written.append(site.written())
    return written


def publish(kafka: KafkaSettings, written: Sequence[WholeCheckpoint]) -> None:
    """Write them as a worker does; each twice, as after a crash between output and state."""

    async def write() -> None:
        sink = CheckpointSink(kafka)
        await sink.prepare()
        for checkpoint in written:
            for _ in range(2):
                updates = sink.update_batches()
                list(updates.put(checkpoint.updates))
                await sink.write(checkpoint, updates)
        await sink.discard()

    asyncio.run(write())


def finals(written: Sequence[WholeCheckpoint]) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    """Rows that the database must have."""
    found = {}
    for update in (json.loads(update.value) for checkpoint in written for update in checkpoint.updates):
        window, metrics = update["window"], update["metrics"]
        if update["final"] and window["end"] is not None:
            energies = [metrics[name]["value"] for name in ("energy_in_kwh", "energy_out_kwh")]
            found[update["asset_id"], window["size"], window["start"]] = (window["end"], update["seq"], *energies)
    return found


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        return connection.execute(sql).fetchall()


def stored(path: Path) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    return {row[:3]: row[3:] for row in query(path, "SELECT * FROM windows")}


class Consumers:
    """Consumers as child processes."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command, self._log = command, log
        self._processes: list[subprocess.Popen[bytes]] = []

    @contextmanager
    def running(self, count: int) -> Iterator[None]:
        """Start some; kill them at the end."""
        with self._log.open("ab") as output:
            self._processes = [
                subprocess.Popen(self._command, stdout=output, stderr=output, cwd=ROOT) for _ in range(count)
            ]
        try:
            yield
        finally:
            for process in self._processes:
                process.kill()
                process.wait()

    def are_alive(self) -> bool:
        """True; one that has ended by itself is a failure."""
        assert all(process.poll() is None for process in self._processes), self._log.read_text()
        return True


def python_command() -> list[str]:
    return [sys.executable, "-m", "example.final_windows"]


def node_command() -> list[str]:
    return ["node", str(node_example())]


@pytest.mark.parametrize("program", [python_command, node_command], ids=["python", "node"])
def test_final_windows_are_stored_exactly_once(program: Any, kafka: KafkaSettings, tmp_path: Path) -> None:
    """Killed while it reads, started again twice, with updates that are repeated: each window is written once."""
    path, log = tmp_path / "windows.db", tmp_path / "log"
    command = [*program(), str(path), kafka.bootstrap_servers, kafka.metrics_topic]
    Database(str(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(_LOG)
    written = checkpoints(4)
    publish(kafka, written[:2])
    consumers = Consumers(command, log)
    with consumers.running(1):
        until(lambda: consumers.are_alive() and stored(path), "a window is stored")
    publish(kafka, written[2:])
    expected = finals(written)
    ends = Counter(record.partition for record in asyncio.run(read(kafka, kafka.metrics_topic)))
    positions = 'SELECT "partition", next FROM positions'
    with consumers.running(2):
        until(lambda: consumers.are_alive() and dict(query(path, positions)) == ends, "all is read")
    assert stored(path) == expected
    assert Counter(query(path, "SELECT * FROM writes")) == dict.fromkeys(expected, 1)


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd", "none"])
def test_librdkafka_reads_each_codec(codec: Compression, kafka: KafkaSettings) -> None:
    """Keys by window, on the asset's partition; headers that say what the update does."""
    python = librdkafka()
    kafka = kafka.model_copy(update={"compression": codec})
    written = checkpoints(1, UpdateForm(keyed_by_window=True))
    publish(kafka, written)
    command = [str(python), str(FOLDER / "librdkafka_reader.py"), kafka.bootstrap_servers, kafka.metrics_topic]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    records = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(records) == 2 * len(written[0].updates)
    newest = {}
    for record in records:
        update, headers = record["value"], record["headers"]
        asset_id, window = update["asset_id"], update["window"]
        assert record["key"] == f"{asset_id}/{window['size']}/{window['start']}"
        assert record["partition"] == partition_of(asset_id.encode(), kafka.partitions)
        assert headers == {
            "size": window["size"],
            "final": json.dumps(update["final"]),
            "seq": str(update["seq"]),
            "asset": asset_id,
        }
        newest[record["key"]] = update
    assert sorted(map(json.dumps, newest.values())) == sorted(
        json.dumps(json.loads(update.value)) for update in written[0].updates
    )
