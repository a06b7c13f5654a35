"""Upload a file and wait for its metrics; the same file again under its key is the same task.

usage: python -m example.upload [URL [FILE [CAPACITY_AH]]]; the API key, if the worker wants one, is in STREAM_API_KEY
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import httpx

from schemas.task import TaskAccepted, TaskStatus


def upload(client: httpx.Client, file: Path, capacity_ah: float) -> TaskStatus:
    """Return the task when it has ended."""
    with file.open("rb") as data:
        answer = client.post(
            "/api/v1/metrics",
            files={"data": data},
            data={"nominal_capacity": str(capacity_ah)},
            headers={"Idempotency-Key": f"{file.name}-{file.stat().st_mtime_ns}"},
        )
    answer.raise_for_status()
    task_id = TaskAccepted.model_validate_json(answer.content).task_id
    while True:
        answer = client.get(f"/api/v1/metrics/{task_id}")
        if answer.status_code != 503:  # its partition moves between workers
            task = TaskStatus.model_validate_json(answer.raise_for_status().content)
            if task.state in ("SUCCESS", "FAILURE"):
                return task
        time.sleep(float(answer.headers.get("Retry-After", "0.5")))


if __name__ == "__main__":
    sample = str(Path(__file__).parent / "sample_day.csv")
    url, name, capacity, *_ = [*sys.argv[1:], *["http://127.0.0.1:8000", sample, "100"][len(sys.argv) - 1 :]]
    key = os.environ.get("STREAM_API_KEY")
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=600) as asking:
        task = upload(asking, Path(name), float(capacity))
    print(f"{task.task_id}: {task.state} {task.error or ''}")
    for metric, found in sorted(task.data.metrics.items() if task.data else ()):
        print(f"  {metric:28} {found.value if found.reason is None else found.reason} {found.unit}")
