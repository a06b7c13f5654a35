"""A worker that hangs ends with the reason, and the next one does its work."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_app.settings import KafkaSettings
from tests.e2e.fleet import Producer, telemetry
from tests.e2e.workers import WorkerProcess, until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]


def test_a_hung_agent_ends_the_worker_and_loses_nothing(kafka: KafkaSettings, tmp_path: Path) -> None:
    """The agent waits for ever: exit status not 0, one line with the reason; the next worker does the work."""
    rows = list(telemetry(3, 40))
    stuck = WorkerProcess(kafka, tmp_path)
    stuck.start(STREAM_FAILPOINT="after_fetch:1:hang", STREAM_STALL_TIMEOUT_S="3").ready()
    producer = Producer(kafka, rows, rate=50_000)
    producer.start()
    until(producer.done, "all rows are sent")
    assert stuck.process is not None
    assert stuck.process.wait(60) == 1
    last = stuck.log.read_text().strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert "though more is waiting" in last
    healthy = WorkerProcess(kafka, tmp_path)
    try:
        healthy.start().ready()
        until(lambda: _rows(healthy) == len(rows), "every row counts")
    finally:
        healthy.kill()


def _rows(worker: WorkerProcess) -> int:
    if worker.status("/api/v1/assets") != 200:
        return 0
    return sum(item["rows"] for item in worker.get("/api/v1/assets")["assets"])
