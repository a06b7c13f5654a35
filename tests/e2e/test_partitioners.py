"""Producers with different partitioners, and a device that puts a counter into its id, on a real broker."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest

from stream_app.infra.kafka.log.partitioning import partition_of
from stream_app.settings import KafkaSettings
from tests.e2e.workers import WorkerProcess, all_ready, until, workers
from tests.integration.kafka.running import producing, read

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

START_S = 1_772_323_200
ASSETS = [f"pack-{number}" for number in range(8)]


def crc32(asset_id: str, partitions: int) -> int:
    """Partition that librdkafka chooses."""
    return zlib.crc32(asset_id.encode()) % partitions


def murmur2(asset_id: str, partitions: int) -> int:
    """Partition that Java's client chooses."""
    return partition_of(asset_id.encode(), partitions)


#: Those that the two partitioners put into different partitions of four.
SPLIT = {asset_id for asset_id in ASSETS if crc32(asset_id, 4) != murmur2(asset_id, 4)}


async def send(kafka: KafkaSettings, rows: Iterable[tuple[str, int, int]], at_ms: int | None = None) -> None:
    """Send rows of asset and second to partitions; all are acked on return."""
    async with producing(kafka) as producer:
        acks = []
        for asset_id, second, partition in rows:
            value = b'{"asset_id":"%s","timestamp":%d,"current":1,"voltage":800,"soc":50}'
            content = value % (asset_id.encode(), START_S + second)
            acks.append(
                await producer.send(
                    kafka.measurements_topic,
                    content,
                    key=asset_id.encode(),
                    partition=partition,
                    timestamp_ms=at_ms,
                )
            )
        await asyncio.gather(*acks)


def counted(worker: WorkerProcess, name: str) -> float:
    """Value at /metrics."""
    lines = worker.text("/metrics").splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def listed(worker: WorkerProcess, prefix: str = "") -> dict[str, int]:
    """Rows of each asset, of its largest place."""
    answer = httpx.get(f"{worker.url}/api/v1/assets", params={"prefix": prefix, "limit": 1000}, timeout=10)
    return {item["asset_id"]: item["rows"] for item in answer.json().get("assets", ())}


def also_in(worker: WorkerProcess) -> dict[str, list[int]]:
    """Partitions that each asset is in, as answers tell."""
    metas: dict[str, Any] = {asset_id: worker.get(f"/api/v1/assets/{asset_id}")["meta"] for asset_id in ASSETS}
    return {asset_id: sorted([meta["partition"], *meta["also_in"]]) for asset_id, meta in metas.items()}


def test_split_assets_are_told_and_deleted_everywhere(kafka: KafkaSettings, tmp_path: Path) -> None:
    """By each of two workers; a fleet of CRC32 alone is right, and nothing is said of it."""
    with workers(kafka, tmp_path, 2) as (one, two):
        all_ready(one.start(), two.start())
        asyncio.run(send(kafka, [(a, second, crc32(a, 4)) for second in range(50) for a in ASSETS]))
        until(lambda: listed(one) == dict.fromkeys(ASSETS, 50), "all rows count")
        assert also_in(two) == {asset_id: [crc32(asset_id, 4)] for asset_id in ASSETS}
        asyncio.run(send(kafka, [(a, second, murmur2(a, 4)) for second in range(50, 100) for a in ASSETS]))
        places = {asset_id: sorted({crc32(asset_id, 4), murmur2(asset_id, 4)}) for asset_id in ASSETS}
        until(lambda: also_in(one) == also_in(two) == places, "both workers tell all places")
        until(
            lambda: sum(counted(each, "stream_split_assets_total") for each in (one, two)) == len(SPLIT),
            "each of them is counted once",
        )
        log = one.log.read_text() + two.log.read_text()
        told = [line for line in log.splitlines() if "has rows in partitions" in line]
        assert 0 < len(told) <= 4
        assert all("partitioner=murmur2_random" in line for line in told)
        for asset_id in ASSETS:
            answer = httpx.delete(f"{two.url}/api/v1/assets/{asset_id}", timeout=10).json()
            assert sorted([answer["partition"], *answer["also_in"]]) == places[asset_id]
        until(lambda: listed(one) == listed(two) == {}, "nothing is left in any partition")


def test_rows_in_a_wrong_partition_are_refused_by_setting(kafka: KafkaSettings, tmp_path: Path) -> None:
    """Each is a dead letter that names the right partition; the others count."""
    with workers(kafka, tmp_path, 1) as (worker,):
        worker.start(STREAM_KAFKA__PARTITIONER="murmur2").ready()
        for choose in (murmur2, crc32):
            asyncio.run(send(kafka, [(a, second, choose(a, 4)) for second in range(5) for a in ASSETS]))
        letters = until(
            lambda: len(found := asyncio.run(read(kafka, kafka.dead_letter_topic))) >= 5 * len(SPLIT) and found,
            "the dead letters",
        )
        wrong = [letter for letter in letters if letter.key.decode() in SPLIT]
        assert len(wrong) == 5 * len(SPLIT)
        for letter in wrong:
            headers = dict(letter.headers)
            assert headers["__stream_app.errors.code"] == b"wrong_partition"
            assert (
                f"belongs into partition {murmur2(letter.key.decode(), 4)}"
                in headers["__stream_app.errors.message"].decode()
            )
        assert {listed(worker)[asset_id] for asset_id in SPLIT} == {5}


def test_a_flood_of_ids_is_bounded_and_a_replay_refuses_the_same(kafka: KafkaSettings, tmp_path: Path) -> None:
    """Also after a kill; known assets go on, another minute has room, and `forget` deletes what came."""
    at_ms = 1_772_323_200_000
    limits = {"STREAM_MAX_NEW_ASSETS_PER_MIN": "20", "STREAM_MAX_ASSETS": "1000"}
    with workers(kafka, tmp_path, 2) as (worker, other):
        worker.start(**limits).ready()
        asyncio.run(send(kafka, [("real", 0, 0)], at_ms - 60_000))
        asyncio.run(send(kafka, [(f"junk-{i:03d}", i, 0) for i in range(15)], at_ms))
        until(lambda: len(listed(worker)) == 16, "the first assets")
        asyncio.run(send(kafka, [(f"junk-{i:03d}", i, 0) for i in range(15, 100)] + [("real", 1, 0)], at_ms))
        worker.kill()
        other.start(**limits).ready()
        asyncio.run(send(kafka, [("later", 0, 0)], at_ms + 60_000))
        due = {"later": 1, "real": 2} | {f"junk-{i:03d}": 1 for i in range(20)}
        until(lambda: listed(other) == due, "the known assets and no more than the limit")
        letters = until(
            lambda: len(found := asyncio.run(read(kafka, kafka.dead_letter_topic))) >= 80 and found, "the dead letters"
        )
        assert {letter.key.decode() for letter in letters} == {f"junk-{i:03d}" for i in range(20, 100)}
        codes = {dict(letter.headers)["__stream_app.errors.code"] for letter in letters}
        assert codes == {b"too_many_assets"}
        assert sum("as too_many_assets" in line for line in other.log.read_text().splitlines()) <= 1
