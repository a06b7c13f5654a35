"""Uploads are forgotten in time: once, by their owner, and never by mistake."""

from __future__ import annotations

import asyncio

import pytest

from schemas.control import EndOfUpload, Forget
from stream_app.usecases.asset_views import AssetViews
from stream_app.usecases.retention import UploadRetention
from tests.fakes import CATALOGUE, FakeCluster, FakeLog, FakeTables

UPLOAD = "upload-0c9f7f0e-8f0b-4c1c-9d55-1b8d5d0d5c0f"


@pytest.fixture
def tables() -> FakeTables:
    return FakeTables()


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def retention(tables: FakeTables, cluster: FakeCluster, log: FakeLog, clock: Clock) -> UploadRetention:
    return UploadRetention(
        tables=tables,
        cluster=cluster,
        measurements=log,
        views=AssetViews(CATALOGUE, {}),
        retention_s=10,
        now_ms=clock,
    )


async def test_finished_upload_is_forgotten_after_the_retention(
    retention: UploadRetention, tables: FakeTables, log: FakeLog, clock: Clock
) -> None:
    """Once, by a record on its own partition; other assets stay."""
    ended = EndOfUpload(asset_id=UPLOAD, rows=5)
    partition = tables.put(UPLOAD, ended=ended, ended_timestamp_ms=clock.now_ms)
    tables.put("bess-001")
    clock.now_ms += 9_999
    assert await retention.sweep() == 0
    clock.now_ms += 1
    assert await retention.sweep() == 1
    assert log.controls(UPLOAD) == [Forget(asset_id=UPLOAD)]
    assert len(log.partitions[partition]) == 1
    assert await retention.sweep() == 0
    tables.forget(UPLOAD)
    assert await retention.sweep() == 0


async def test_upload_that_never_ended_is_forgotten_after_its_last_change(
    retention: UploadRetention, tables: FakeTables, log: FakeLog, clock: Clock
) -> None:
    """Each change starts the time anew."""
    tables.put(UPLOAD, seq=1)
    assert await retention.sweep() == 0
    clock.now_ms += 9_000
    tables.put(UPLOAD, seq=2)
    assert await retention.sweep() == 0
    clock.now_ms += 9_999
    assert await retention.sweep() == 0
    clock.now_ms += 1
    assert await retention.sweep() == 1
    assert log.keys() == {UPLOAD}


async def test_only_the_owner_forgets(retention: UploadRetention, tables: FakeTables, clock: Clock) -> None:
    """Uploads of other partitions are other workers' business."""
    partition = tables.put(UPLOAD, ended=EndOfUpload(asset_id=UPLOAD, rows=5), ended_timestamp_ms=0)
    tables.owned -= {partition}
    assert await retention.sweep() == 0


async def test_nothing_is_forgotten_before_the_worker_is_ready(
    retention: UploadRetention, tables: FakeTables, cluster: FakeCluster
) -> None:
    """Tables may be old until then."""
    tables.put(UPLOAD, ended=EndOfUpload(asset_id=UPLOAD, rows=5), ended_timestamp_ms=0)
    cluster.phase = "recovering"
    assert await retention.sweep() == 0


async def test_sweeps_go_on_after_the_broker_was_away(
    tables: FakeTables, cluster: FakeCluster, log: FakeLog, clock: Clock
) -> None:
    """What could not be appended is appended at the next sweep."""
    retention = UploadRetention(
        tables=tables,
        cluster=cluster,
        measurements=log,
        views=AssetViews(CATALOGUE, {}),
        retention_s=0.001,
        now_ms=clock,
    )
    tables.put(UPLOAD, ended=EndOfUpload(asset_id=UPLOAD, rows=5), ended_timestamp_ms=0)
    log.fail_at = {0}
    running = asyncio.create_task(retention.run())
    async with asyncio.timeout(5):
        await log.appended.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert log.appends == 2


@pytest.mark.parametrize("name", ["upload-station-7", "upload-", "upload-" + "0" * 36, "uploads"])
async def test_an_asset_named_like_an_upload_stays(
    tables: FakeTables, log: FakeLog, retention: UploadRetention, clock: Clock, name: str
) -> None:
    """An upload is called by a UUID."""
    tables.put(name)
    await retention.sweep()
    clock.now_ms += 10**12
    assert await retention.sweep() == 0
    assert log.appends == 0
