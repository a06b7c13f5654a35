"""Two workers on a real Kafka, under load, joined, killed and restarted: every row counts once."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from stream_app.settings import KafkaSettings
from tests.e2e.fleet import Producer, telemetry
from tests.e2e.workers import WorkerProcess, until, workers
from tests.integration.kafka.running import read
from tests.oracle import Nameplate, expected, plain_values

ASSETS, ROWS_EACH, RATE = 50, 6000, 12_000


def counts(worker: WorkerProcess) -> dict[str, int]:
    """Rows of every asset of the whole group, asked at one worker."""
    page = worker.get("/api/v1/assets", params={"limit": 1000})
    return {item["asset_id"]: item["rows"] for item in page["assets"]}


def all_counted(worker: WorkerProcess, due: dict[str, int]) -> bool:
    return worker.is_ready() and worker.status("/api/v1/assets") == 200 and counts(worker) == due


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_every_row_counts_once_through_join_kill_and_restart(kafka: KafkaSettings, tmp_path: Path) -> None:
    """300,000 rows of 50 assets while a worker joins, is killed and comes back: counts and sums are exact."""
    rows = list(telemetry(ASSETS, ROWS_EACH))
    with workers(kafka, tmp_path, 2) as (one, two):
        one.start().ready()
        producer = Producer(kafka, rows, rate=RATE)
        producer.start()
        until(lambda: producer.sent > len(rows) * 0.15, "some rows are sent")
        two.start().ready()
        until(lambda: producer.sent > len(rows) * 0.45, "more rows are sent")
        one.kill()
        until(lambda: producer.sent > len(rows) * 0.7, "more rows are sent")
        one.start()
        until(producer.done, "all rows are sent")
        one.ready()
        due = {f"bess-{i:03d}": ROWS_EACH for i in range(ASSETS)}
        until(lambda: all_counted(two, due), "all rows are counted")
        assert counts(one) == due
        by_asset: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            by_asset[row["asset_id"]].append(row)
        for asset_id in list(due)[::10]:
            _sums_are_exact(one, asset_id, by_asset[asset_id])
            assert (
                one.get(f"/api/v1/assets/{asset_id}")["lifetime"] == two.get(f"/api/v1/assets/{asset_id}")["lifetime"]
            )
        assert two.terminate() == 0
        assert one.terminate() == 0
    _updates_are_consistent(kafka, due)


def _sums_are_exact(worker: WorkerProcess, asset_id: str, rows: list[dict[str, Any]]) -> None:
    plain = [
        {
            "time_us": row["timestamp"] * 1_000_000,
            "offset": i,
            **{name: row[name] for name in ("current", "voltage", "soc")},
            "power": None,
        }
        for i, row in enumerate(rows)
    ]
    due = plain_values(expected(plain, Nameplate(), ended=False).lifetime())
    got = worker.get(f"/api/v1/assets/{asset_id}")["lifetime"]["metrics"]
    for name, reading in got.items():
        if due[name] is None:
            assert reading["value"] is None, name
            assert reading["reason"]
        else:
            assert reading["value"] == pytest.approx(due[name], rel=1e-12, abs=1e-15), name


def _updates_are_consistent(kafka: KafkaSettings, due: dict[str, int]) -> None:
    """An update says the same whenever it is said, a window is final once, and the last word counts every row."""
    said: dict[tuple[str, ...], bytes] = {}
    finals: dict[tuple[str, str, str], int] = {}
    newest: dict[tuple[str, str, str], tuple[int, dict[str, Any]]] = {}
    for record in asyncio.run(read(kafka, kafka.metrics_topic)):
        value, update = record.value, json.loads(record.value)
        assert record.key.decode() == update["asset_id"]
        window = (update["asset_id"], update["window"]["size"], update["window"]["start"])
        assert said.setdefault((*window, str(update["seq"])), value) == value
        if update["final"]:
            assert finals.setdefault(window, update["seq"]) == update["seq"]
        if window not in newest or update["seq"] >= newest[window][0]:
            newest[window] = update["seq"], update
    for window, seq in finals.items():
        assert newest[window][0] == seq, "a final update is the last one of its window"
    rows: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (asset_id, size, _), (_, update) in newest.items():
        rows[size][asset_id] += update["metrics"]["total_data_points"]["value"]
    assert set(rows) == {"lifetime", "1m", "15m", "1h", "1d"}
    for size, by_asset in rows.items():
        assert dict(by_asset) == due, f"rows of all {size} windows"
