"""Windows of silent assets are closed in time: by their owner, up to the same time whoever decides, never too early."""

from __future__ import annotations

import pytest

from schemas.control import CloseUntil, EndOfUpload, Forget
from stream_app.usecases.asset_views import AssetViews
from stream_app.usecases.silence import SilentAssets
from tests.fakes import CATALOGUE, START_US, FakeCluster, FakeLog, FakeTables
from tests.unit.usecases.site import START_S, a_row
from tests.unit.usecases.site import Site as CommandSite

UPLOAD = "upload-0c9f7f0e-8f0b-4c1c-9d55-1b8d5d0d5c0f"
MINUTE_US, DAY_US = 60_000_000, 86_400_000_000
IDLE_S = 100


class Site:
    """Tables of one worker, its log and a clock that a test turns."""

    def __init__(self, now_us: int = START_US + DAY_US, ttl_s: float | None = None) -> None:
        self.tables, self.cluster, self.log = FakeTables(), FakeCluster(), FakeLog()
        self.now_us = now_us
        self.silence = SilentAssets(
            tables=self.tables,
            cluster=self.cluster,
            measurements=self.log,
            views=AssetViews(CATALOGUE, {}),
            idle_close_s=IDLE_S,
            ttl_s=ttl_s,
            now_us=lambda: self.now_us,
        )

    async def swept(self, after_s: float) -> int:
        self.now_us += round(after_s * 1e6)
        return await self.silence.sweep()


async def test_a_silent_asset_is_closed_once_when_it_was_silent_long_enough() -> None:
    """By a record on its own partition; a window that has not ended stays open."""
    site = Site()
    partition = site.tables.put("a", rows=5, sizes=("1m", "1h", "3d"))
    assert await site.swept(0) == 0
    assert await site.swept(IDLE_S - 1) == 0
    assert await site.swept(1) == 1
    assert site.log.controls("a") == [CloseUntil(asset_id="a", until_us=START_US + 60 * MINUTE_US)]
    assert len(site.log.partitions[partition]) == 1
    assert await site.swept(10 * IDLE_S) == 0


async def test_each_record_of_an_asset_begins_its_silence_anew() -> None:
    """One that goes on has its windows closed by its own rows."""
    site = Site()
    for seq in range(5):
        site.tables.put("a", seq=seq)
        assert await site.swept(IDLE_S - 1) == 0
    assert not site.log.keys()


async def test_a_window_is_closed_when_it_ended_so_long_ago() -> None:
    """An asset whose stamps are the clock's: the minute first, the hour an hour later."""
    site = Site(now_us=START_US + 10_000_000)
    site.tables.put("a", rows=5, sizes=("1m", "1h"))
    assert await site.swept(0) == 0
    assert await site.swept(IDLE_S) == 0  # silent, but the minute ended 50 s ago
    assert await site.swept(50) == 1
    assert site.log.controls("a") == [CloseUntil(asset_id="a", until_us=START_US + MINUTE_US)]


async def test_another_owner_asks_for_the_same() -> None:
    """It does not know of the first record, or has not applied it yet."""
    first, second = Site(), Site()
    for site in (first, second):
        site.tables.put("a")
        await site.swept(0)
    await first.swept(IDLE_S)
    await second.swept(7 * IDLE_S)
    assert first.log.controls("a") == second.log.controls("a") != []


async def test_uploads_and_assets_without_rows_take_none() -> None:
    """An upload that has ended has no open window."""
    site = Site()
    site.tables.put(UPLOAD, ended=EndOfUpload(asset_id=UPLOAD, rows=5), ended_timestamp_ms=1)
    site.tables.put("spec-only", rows=0)
    await site.swept(0)
    assert await site.swept(2 * IDLE_S) == 0


async def test_silence_in_a_partition_counts_from_when_it_was_given_to_this_worker() -> None:
    """Meanwhile another worker may have had rows of it."""
    site = Site()
    partition = site.tables.put("a")
    await site.swept(0)
    site.tables.owned.remove(partition)
    await site.swept(IDLE_S)
    site.tables.owned.add(partition)
    assert await site.swept(IDLE_S) == 0
    assert await site.swept(IDLE_S) == 1


@pytest.mark.parametrize("phase", ["recovering", "stopping"])
async def test_a_worker_that_is_not_ready_appends_nothing(phase: str) -> None:
    """It does not know its assets."""
    site = Site()
    site.tables.put("a")
    await site.swept(0)
    site.cluster.phase = phase  # type: ignore[assignment]
    assert await site.swept(IDLE_S) == 0


async def test_an_asset_is_forgotten_after_its_time() -> None:
    """Its windows were closed before; uploads have a retention of their own."""
    site = Site(ttl_s=3 * IDLE_S)
    site.tables.put("a")
    site.tables.put(UPLOAD)
    await site.swept(0)
    await site.swept(IDLE_S)
    await site.swept(2 * IDLE_S)
    assert site.log.controls("a")[1:] == [Forget(asset_id="a")]
    assert Forget(asset_id=UPLOAD) not in site.log.controls(UPLOAD)


def closing(site: CommandSite, asset: str, until_s: int) -> None:
    site.log.append(
        (asset.encode(), CloseUntil(asset_id=asset, until_us=until_s * 1_000_000).model_dump_json().encode())
    )


def test_the_record_closes_windows_in_the_state_and_in_a_replay() -> None:
    """Written twice, and applied by two workers that cut the log differently: the same windows with the same offset."""
    whole = CommandSite()
    whole.add("a", a_row(0), a_row(10))
    closing(whole, "a", START_S + 60)
    closing(whole, "a", START_S + 60)
    whole.add("a", a_row(50), a_row(70))  # late, and on time
    cut = CommandSite()
    cut.log = whole.log
    whole.ingest.apply(whole.fetch())
    checkpoint = whole.written()
    for offset in range(len(cut.log)):
        cut.ingest.apply(cut.fetch(offset, offset + 1))
        cut.written()
        cut.restarted()
    assert (cut.tables.assets, cut.tables.closed) == (whole.tables.assets, whole.tables.closed)
    assert [(window.window.size, window.seq, window.final) for window in whole.closed_windows()] == [("1m", 2, True)]
    assert whole.rows("a") == 3
    assert len(checkpoint.dead_letters) == 1


def test_the_record_of_an_asset_that_is_gone_makes_none() -> None:
    """It was forgotten between the record and its decision."""
    site = CommandSite()
    site.add("a", a_row(0))
    site.log.append((b"a", Forget(asset_id="a").model_dump_json().encode()))
    closing(site, "a", START_S + 60)
    closing(site, "never", START_S + 60)
    site.ingest.apply(site.fetch())
    site.written()
    assert not site.tables.asset_keys(0)


def test_the_record_of_an_upload_that_has_ended_is_ignored() -> None:
    """It takes none, and that is nobody's fault."""
    site = CommandSite()
    site.add("u", a_row(0), a_row(10))
    site.log.append((b"u", EndOfUpload(asset_id="u", rows=2).model_dump_json().encode()))
    closing(site, "u", START_S + 60)
    site.ingest.apply(site.fetch())
    assert not site.written().dead_letters
