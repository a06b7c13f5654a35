"""A worker that is told to stop finishes the upload that it has begun, or says that it did not."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from stream_app.settings import KafkaSettings
from tests.e2e.workers import WorkerProcess, all_ready, until, workers

ROWS = 1_000_000
BEGIN_S = 1_649_808_000


def _upload(worker: WorkerProcess, answers: list[httpx.Response]) -> None:
    lines = (f"{BEGIN_S + i},{i % 40 - 20},800,50" for i in range(ROWS))
    content = "\n".join(["timestamp,current,voltage,soc", *lines]).encode()
    file = {"data": ("long.csv", content, "text/csv")}
    answers.append(httpx.post(f"{worker.url}/api/v1/metrics", files=file, data={"nominal_capacity": "94"}, timeout=60))


def _is_known(worker: WorkerProcess) -> bool:
    """Whether the group knows an upload, whose rows are being sent then."""
    if worker.status("/api/v1/assets") != 200:
        return False
    return any(each["asset_id"].startswith("upload-") for each in worker.get("/api/v1/assets")["assets"])


def _ended(worker: WorkerProcess, path: str) -> Any:
    if not worker.is_ready() or worker.status(path) != 200:
        return None
    task = worker.get(path)
    return task if task["state"] in ("SUCCESS", "FAILURE") else None


@pytest.mark.kafka
@pytest.mark.timeout(200)
def test_a_worker_that_stops_has_the_log_until_its_uploads_end(kafka: KafkaSettings, tmp_path: Path) -> None:
    """SIGTERM while rows are sent: all of them count, or the task tells that the worker stopped; it was not killed."""
    answers: list[httpx.Response] = []
    with workers(kafka, tmp_path, 2) as (one, two):
        one.start()
        two.start()
        all_ready(one, two)
        sending = threading.Thread(target=_upload, args=(one, answers))
        sending.start()
        until(lambda: _is_known(two), "the upload is known")
        assert one.terminate() == 0
        sending.join()
        assert answers[0].status_code == 202, answers[0].text
        path = f"/api/v1/metrics/{answers[0].json()['task_id']}"
        task = until(lambda: _ended(two, path), "the upload has ended")
        if task["state"] == "FAILURE":  # a machine on which it takes longer than five seconds
            assert "the worker stopped while it read the file" in task["error"]
        else:
            assert task["data"]["total_data_points"] == ROWS
        assert two.terminate() == 0
