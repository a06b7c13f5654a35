"""Access control on real processes: a key opens what it was made for at every worker, until it is revoked."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from stream_app.settings import KafkaSettings
from tests.e2e.workers import ROOT, WorkerProcess, until, workers

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

ROWS = [
    {"asset_id": f"{site}-{i}", "timestamp": 1649808000, "current": 5, "voltage": 800, "soc": 50}
    for site in ("mine", "other")
    for i in range(8)
]


def command(worker: WorkerProcess, *arguments: str) -> str:
    run = [sys.executable, "-m", "stream_app", *arguments]
    done = subprocess.run(
        run, env=worker._environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def ask(worker: WorkerProcess, path: str, key: str | None, **request: Any) -> httpx.Response:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.request(request.pop("method", "GET"), worker.url + path, headers=headers, timeout=20, **request)


def test_keys_open_what_they_name_at_every_worker(kafka: KafkaSettings, tmp_path: Path) -> None:
    """Rights go with a question that is passed on; without a key, and after it was revoked, nothing opens."""
    with workers(kafka, tmp_path, 2) as (one, two):
        admin = command(one, "keys", "create", "operator", "--scope", "admin")
        mine = command(one, "keys", "create", "site", "--scope", "read", "--prefix", "mine-")
        for worker in (one, two):
            worker.start(STREAM_SECURITY__MODE="keys")

        def answer(worker: WorkerProcess, path: str, key: str, status: int) -> bool:
            return worker.status("/health/ready") == 200 and ask(worker, path, key).status_code == status

        for worker in (one, two):
            until(partial(answer, worker, "/api/v1/assets", admin, 200), "the worker knows the keys")
            assert ask(worker, "/api/v1/assets", None).status_code == 401
        posted = ask(one, "/api/v1/measurements", admin, method="POST", json=ROWS)
        assert posted.status_code == 202
        for worker in (one, two):
            for row in ROWS:
                path = f"/api/v1/assets/{row['asset_id']}"
                until(partial(answer, worker, path, admin, 200), "the row is applied")
                assert ask(worker, path, mine).status_code == (200 if path.count("/mine-") else 404)
            listed = ask(worker, "/api/v1/assets", mine).json()["assets"]
            assert [item["asset_id"] for item in listed] == [f"mine-{i}" for i in range(8)]
        assert ask(one, "/api/v1/assets/mine-0", mine, method="DELETE").status_code == 403
        assert "1 rows" in command(one, "query", "mine-0", "--url", two.url, "--key", mine)
        command(one, "keys", "revoke", mine.split(".")[1])
        for worker in (one, two):
            until(partial(answer, worker, "/api/v1/assets/mine-0", mine, 401), "the key is revoked")
