"""A worker that is told to end while Python still imports its libraries."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.workers import WorkerProcess, until
from tests.kafka import settings_for
from tests.ports import free_port


def test_it_ends_well(tmp_path: Path) -> None:
    """Nothing has begun, so nothing is wrong: exit status 0."""
    worker = WorkerProcess(settings_for(f"127.0.0.1:{free_port()}"), tmp_path).start()
    until(worker.listens, "it takes signals")
    assert worker.terminate() == 0
    assert worker.log.read_text() == ""
