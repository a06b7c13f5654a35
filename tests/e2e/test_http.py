"""The batch service's way of use, and look-ups across workers, on real processes."""

from __future__ import annotations

import asyncio
import csv
import io
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from stream_app.settings import KafkaSettings
from tests.e2e.fleet import START_S, Producer, telemetry
from tests.e2e.workers import WorkerProcess, all_ready, until, workers
from tests.integration.kafka.running import read

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
CAPACITY_AH = 94.0


def a_file(rows: int, seed: int = 3) -> pd.DataFrame:
    """Two-second rows whose stamps are cut to the minute, as spreadsheets leave them."""
    rng = np.random.default_rng(seed)
    phase = np.arange(rows) / 9000
    times = pd.Timestamp("2022-04-13") + pd.to_timedelta(np.arange(rows) * 2, unit="s")
    soc = np.round(50 + 30 * np.sin(phase) + rng.normal(0, 0.05, rows), 1)
    current = np.round(40 * np.cos(phase) + rng.normal(0, 5, rows), 1)
    return pd.DataFrame(
        {
            "timestamp": [f"{t.month}/{t.day}/{t.year} {t.hour}:{t.minute:02d}" for t in times],
            "current": current,
            "voltage": np.round(816 + 1.8 * soc + 0.12 * current, 1),
            "soc": soc,
        }
    )


def as_csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False, quoting=csv.QUOTE_MINIMAL).encode()


def v1(frame: pd.DataFrame) -> tuple[float, float]:
    """Round-trip efficiency and C-rate as the batch service computed them."""
    power_w = frame.current * frame.voltage
    charging, discharging = frame.current > 0, frame.current < 0
    path = {name: frame[kind].soc.diff().abs().sum() for name, kind in (("in", charging), ("out", discharging))}
    rte = path["in"] / path["out"] * -power_w[discharging].sum() / power_w[charging].sum()
    return rte, 100 / frame.soc.diff().abs().sum() * frame.current.abs().sum() / (CAPACITY_AH * 3600)


def post(worker: WorkerProcess, content: bytes, capacity: object = CAPACITY_AH, path: str = "/api/v1/metrics") -> Any:
    files = {"data": ("data.csv", io.BytesIO(content), "text/csv")}
    return httpx.post(worker.url + path, files=files, data={"nominal_capacity": str(capacity)}, timeout=60)


def finished(worker: WorkerProcess, task_id: str) -> dict[str, Any] | None:
    answer = worker.get(f"/api/v1/metrics/{task_id}")
    assert answer["state"] in ("PENDING", "STARTED", "SUCCESS"), answer
    return answer if answer["state"] == "SUCCESS" else None


def test_uploads_give_what_the_batch_service_gave(kafka: KafkaSettings, tmp_path: Path) -> None:
    """An upload at any worker, polled at any, equals pandas; bad files harm nobody; a restart forgets nothing."""
    frame = a_file(20_000)
    rte, c_rate = v1(pd.read_csv(io.BytesIO(as_csv(frame))))
    with workers(kafka, tmp_path, 2) as (one, two):
        for worker in (one, two):
            worker.start()
        all_ready(one, two)
        tasks = [post(w, as_csv(frame), path=p) for w in (one, two) for p in ("/api/v1/metrics", "/api/v1/metrics/")]
        assert [answer.status_code for answer in tasks] == [202] * 4
        ids = [answer.json()["task_id"] for answer in tasks]
        for worker in (one, two):
            for task_id in ids:
                answer = until(partial(finished, worker, task_id), "the upload is processed")
                assert answer["data"]["total_data_points"] == len(frame)
                assert answer["data"]["rte"] == pytest.approx(rte, rel=1e-12)
                assert answer["data"]["c_rate"] == pytest.approx(c_rate, rel=1e-12)
        for content, capacity, column in (
            (b"", 94, None),
            (b"1/1/2022 0:00,1,2,3\n", 94, None),
            (b"timestamp,current,voltage\n", 94, None),
            (b"timestamp,current,voltage,soc\n2022-01-01T00:00:00,1,x,3\n", 94, "voltage"),
            (bytes(range(256)), 94, "timestamp"),
            (as_csv(frame), 0, "nominal_capacity"),
            (as_csv(frame), "much", "nominal_capacity"),
        ):
            answer = post(one, content, capacity)
            assert answer.status_code == 422
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json().get("column") == column
        assert one.status("/api/v1/metrics/00000000-0000-4000-8000-000000000000") == 404
        before = one.get(f"/api/v1/metrics/{ids[0]}")
        one.kill()
        two.kill()
        one.start().ready()
        assert one.get(f"/api/v1/metrics/{ids[0]}")["data"] == before["data"]
        assert one.get("/api/") == "OK"


@pytest.mark.parametrize("crc32", [False, True], ids=["murmur2", "crc32"])
def test_any_worker_finds_any_asset(kafka: KafkaSettings, tmp_path: Path, crc32: bool) -> None:
    """Whatever partitioner the producer has, each worker answers for every asset, and both say the same."""
    rows = list(telemetry(12, 50))
    with workers(kafka, tmp_path, 2) as (one, two):
        for worker in (one, two):
            worker.start()
        all_ready(one, two)
        producer = Producer(kafka, rows, rate=50_000, crc32=crc32)
        producer.start()
        until(producer.done, "all rows are sent")
        owners = set()
        for asset_id in sorted({row["asset_id"] for row in rows}):
            answers = [_complete(worker, asset_id, 50) for worker in (one, two)]
            assert answers[0]["lifetime"] == answers[1]["lifetime"]
            assert answers[0]["meta"]["owner"] == answers[1]["meta"]["owner"]
            owners.add(answers[0]["meta"]["owner"])
        assert owners == {one.url, two.url}
        assert one.status("/api/v1/assets/nobody") == two.status("/api/v1/assets/nobody") == 404


def _complete(worker: WorkerProcess, asset_id: str, rows: int) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        if worker.status(f"/api/v1/assets/{asset_id}") != 200:
            return None
        answer: dict[str, Any] = worker.get(f"/api/v1/assets/{asset_id}")
        return answer if answer["rows"] == rows else None

    found: dict[str, Any] = until(look, f"{rows} rows of {asset_id}")
    return found


def test_specs_and_posted_rows_are_ordered_and_bad_ones_are_kept(kafka: KafkaSettings, tmp_path: Path) -> None:
    """A spec holds from where it stands; closed windows stay readable; a row under a foreign key goes to the DLQ."""
    with workers(kafka, tmp_path, 1) as (worker,):
        worker.start().ready()
        put = httpx.put(worker.url + "/api/v1/assets/one/spec", json={"nominal_capacity_ah": 100}, timeout=10)
        assert put.status_code == 202
        rows = [
            {"asset_id": "one", "timestamp": START_S + i, "current": 50, "voltage": 800, "soc": 50} for i in range(150)
        ]
        posted = httpx.post(worker.url + "/api/v1/measurements", json=rows, timeout=10)
        assert (posted.status_code, posted.json()["accepted"]) == (202, 150)
        answer = _complete(worker, "one", 150)
        assert answer["lifetime"]["metrics"]["c_rate_mean_per_h"]["value"] == pytest.approx(0.5)
        minutes = worker.get("/api/v1/assets/one/windows/1m")["windows"]
        assert [w["metrics"]["total_data_points"]["value"] for w in minutes] == [60, 60, 30]
        assert [w["final"] for w in minutes] == [True, True, False]
        asyncio.run(_send(kafka, b"two", b'{"asset_id":"one","timestamp":1649999999,"current":1,"voltage":1,"soc":1}'))
        letters = until(lambda: asyncio.run(read(kafka, kafka.dead_letter_topic)), "a dead letter")
        assert [letter.key for letter in letters] == [b"two"]
        assert dict(letters[0].headers)["__stream_app.errors.code"] == b"key_mismatch"
        assert _complete(worker, "one", 150)["rows_rejected"] == 0


async def _send(kafka: KafkaSettings, key: bytes, value: bytes) -> None:
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()
    try:
        await producer.send_and_wait(kafka.measurements_topic, value, key=key)
    finally:
        await producer.stop()
