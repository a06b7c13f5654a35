"""Lists of a fleet: every order, search and filter, in pages, and all workers together; and the fleet in numbers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest

from schemas.asset import AssetSpec
from schemas.fleet import AssetItem, AssetPage
from schemas.lookup import AnswerMeta
from stream_app.domain import ingestion
from stream_app.domain.rows import Rows
from stream_app.domain.snapshot import Snapshots
from stream_app.domain.state import Fleet
from stream_app.usecases.asset_page import AssetList
from stream_app.usecases.asset_views import current
from stream_app.usecases.errors import InvalidError, UnavailableError
from stream_app.usecases.fleet_order import Wanted
from tests.fakes import CATALOGUE, PARTITIONS, START_US, partition_of
from tests.worker import THERE, Worker

UPLOAD = "upload-0c9f7f0e-8f0b-4c1c-9d55-1b8d5d0d5c0f"
DAY_US = 86_400_000_000


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """Reading is compiled, as in a worker that is ready: a list waits no longer than a moment."""
    fleet = Fleet(CATALOGUE, (60, 86_400))
    current(fleet, np.array([fleet.slot("a")]))


@pytest.fixture
def worker() -> Worker:
    return Worker()


def put(worker: Worker, asset_id: str, *rows: tuple[float, float, float], spec: AssetSpec | None = None) -> None:
    """Store an asset whose rows (current, voltage, SoC) are two seconds apart, with windows of a day."""
    fleet = Fleet(CATALOGUE, (60, 86_400))
    slot = fleet.slot(asset_id)
    fleet.set_spec(slot, spec or AssetSpec())
    columns = dict(
        zip(("current_a", "voltage_v", "soc_percent"), np.ascontiguousarray(np.array(rows, float).T), strict=True)
    )
    n = len(rows)
    stamps_us = START_US + np.arange(n) * 2_000_000
    ingestion.apply(fleet, Rows(np.full(n, slot), np.arange(n), stamps_us, columns))
    partition = partition_of(asset_id.encode())
    worker.tables.assets[partition][asset_id.encode()] = Snapshots(fleet).dump_all(np.array([slot]))[0]


async def ids_of(worker: Worker, **wanted: Any) -> list[str]:
    """All pages of a list, one after the other; each page is as long as it may be."""
    ids, cursor = list[str](), ""
    while True:
        page = await worker.lists.page(Wanted(**{"limit": 2} | wanted, cursor=cursor))
        ids += [asset.asset_id for asset in page.assets]
        if page.next_cursor is None:
            return ids
        assert len(page.assets) == wanted.get("limit", 2)
        cursor = page.next_cursor


async def test_assets_are_listed_by_id_across_partitions(worker: Worker) -> None:
    """Each once, though two partitions have it; the marker is no asset."""
    for asset_id in ("c", "a", "b"):
        worker.tables.put(asset_id)
    worker.tables.put("b", partition=(partition_of(b"b") + 1) % PARTITIONS, rows=9)
    worker.tables.reach(0, 5)
    for order, expected in (("asc", ["a", "b", "c"]), ("desc", ["c", "b", "a"])):
        page = await worker.lists.page(Wanted(limit=10, order=order))  # type: ignore[arg-type]
        assert [asset.asset_id for asset in page.assets] == expected
        assert {asset.asset_id: asset.rows for asset in page.assets} == {"a": 5, "b": 9, "c": 5}
        assert page.next_cursor is None


async def test_list_is_paged_and_filtered(worker: Worker) -> None:
    """The cursor is the last id of the page before."""
    for asset_id in ("x-1", "y-1", "x-2", "x-3"):
        worker.tables.put(asset_id)
    page = await worker.lists.page(Wanted(prefix="x-", limit=2))
    assert ([item.asset_id for item in page.assets], page.next_cursor) == (["x-1", "x-2"], "x-2")
    page = await worker.lists.page(Wanted(prefix="x-", cursor="x-2", limit=2))
    assert ([item.asset_id for item in page.assets], page.next_cursor) == (["x-3"], None)


async def test_an_item_tells_the_newest_row_and_the_lifetime(worker: Worker) -> None:
    """As the asset's own answer has them; of what is undefined the reason."""
    put(worker, "a", (10, 800, 50), (20, 810, 51), spec=AssetSpec(nominal_capacity_ah=100))
    worker.tables.received[b"a"] = START_US * 1000
    (asset,) = (await worker.lists.page(Wanted(metrics=("energy_in_kwh", "gap_count")))).assets
    assert (asset.rows, asset.soc_percent, asset.power_w, asset.state) == (2, 51, 16200, "charging")
    assert (asset.last_time, asset.received_time) == ("2022-04-13T00:00:02Z", "2022-04-13T00:00:00Z")
    assert asset.efficiency is not None
    assert asset.efficiency.value is None
    assert asset.efficiency.reason
    assert asset.coverage is not None
    assert asset.coverage.value == 1
    assert asset.metrics["energy_in_kwh"].value == pytest.approx(10 * 800 * 2 / 3.6e6)
    assert (asset.metrics["energy_in_kwh"].unit, asset.metrics["gap_count"].value) == ("kWh", 0)


@pytest.mark.parametrize(
    ("row", "state"),
    [
        ((10, 800, 50), "charging"),
        ((-10, 800, 50), "discharging"),
        ((0.5, 800, 50), "idle"),
        ((np.nan, np.nan, 50), "unknown"),
    ],
)
async def test_what_an_asset_does_is_told_by_its_newest_row(
    worker: Worker, row: tuple[float, float, float], state: str
) -> None:
    """Small currents are rest; signs are as the spec has them."""
    put(worker, "a", (0, 800, 50), row, spec=AssetSpec(nominal_capacity_ah=100))
    mirrored = (-row[0], *row[1:])
    put(worker, "b", mirrored, spec=AssetSpec(nominal_capacity_ah=100, current_sign="discharge_positive"))
    for sort in ("asset", "soc_percent"):
        page = await worker.lists.page(Wanted(sort=sort))
        assert [asset.state for asset in page.assets] == [state, state]
    assert await ids_of(worker, state=state) == ["a", "b"]
    assert await ids_of(worker, state="silent") == []


@pytest.mark.parametrize(
    ("now_us", "received_us", "state"),
    [
        (START_US + 900_000_000, None, "charging"),
        (START_US + 2 * DAY_US, None, "silent"),
        (START_US + 2 * DAY_US, START_US + 2 * DAY_US - 800_000_000, "charging"),
        (START_US + 2 * DAY_US, START_US + DAY_US, "silent"),
        (START_US - DAY_US, None, "charging"),
    ],
)
async def test_an_asset_is_silent_when_nothing_came_for_longer_than_a_gap(
    worker: Worker, now_us: int, received_us: int | None, state: str
) -> None:
    """Counted from when the last row came, whatever its stamp is; uploads are neither."""
    for asset_id in ("a", UPLOAD):
        put(worker, asset_id, *[(10, 800, 50)] * 30)
        if received_us is not None:
            worker.tables.received[asset_id.encode()] = received_us * 1000
    worker.now_us = now_us
    (asset,) = (await worker.lists.page(Wanted(uploads=False))).assets
    assert asset.state == state
    summary = await worker.summaries.summary()
    assert (summary.by_state, summary.assets, summary.uploads) == ({state: 1}, 1, 1)
    assert await ids_of(worker, state="upload") == [UPLOAD]
    assert await ids_of(worker) == ["a", UPLOAD]


async def test_every_order_is_complete_and_the_same_in_pages(worker: Worker) -> None:
    """Undefined values come last in either order, equal ones by id."""
    for i, soc in enumerate([50, 20, np.nan, 80, 20, np.nan, 33.3]):
        put(worker, f"a-{i}", (10, 800, soc), (10 * i, 800 + i, soc))
    assert await ids_of(worker, sort="soc_percent") == ["a-1", "a-4", "a-6", "a-0", "a-3", "a-2", "a-5"]
    falling = ["a-3", "a-0", "a-6", "a-1", "a-4", "a-2", "a-5"]
    assert await ids_of(worker, sort="soc_percent", order="desc") == falling
    assert await ids_of(worker, order="desc") == [f"a-{6 - i}" for i in range(7)]
    power = [f"a-{6 - i}" for i in range(7)]
    assert await ids_of(worker, sort="power_w", order="desc", limit=3) == power
    assert await ids_of(worker, sort="rows") == [f"a-{i}" for i in range(7)]
    for sort in ("last_time", "received_time", *worker.index.metric_at):
        assert sorted(await ids_of(worker, sort=sort, limit=100)) == [f"a-{i}" for i in range(7)]


async def test_a_search_finds_parts_of_ids_in_any_case(worker: Worker) -> None:
    """In every order, within the prefix."""
    for asset_id in ("Site-7:a", "site-70", "pack-7", "SITE-8"):
        worker.tables.put(asset_id)
    assert await ids_of(worker, search="site-7") == ["Site-7:a", "site-70"]
    assert await ids_of(worker, search="7", order="desc") == ["site-70", "pack-7", "Site-7:a"]
    assert await ids_of(worker, search="7", prefix="s", sort="rows") == ["site-70"]
    assert await ids_of(worker, search="nothing") == []


async def test_the_order_follows_what_changes(worker: Worker) -> None:
    """New assets and values, assets that are gone, partitions that another worker has, and what cannot be read."""
    put(worker, "a", (1, 800, 10))
    put(worker, "b", (1, 800, 20))
    assert await ids_of(worker, sort="soc_percent") == ["a", "b"]
    put(worker, "a", (1, 800, 10), (1, 800, 30))
    put(worker, "c", (1, 800, 25))
    assert await ids_of(worker, sort="soc_percent") == ["b", "c", "a"]
    worker.tables.forget("b")
    put(worker, "d", (1, 800, 1))
    assert await ids_of(worker, sort="soc_percent") == ["d", "c", "a"]
    put(worker, "b", (1, 800, 99))
    broken = worker.tables.assets[partition_of(b"a")][b"a"][:40]
    worker.tables.assets[partition_of(b"broken")][b"broken"] = broken
    assert await ids_of(worker, sort="soc_percent", order="desc") == ["b", "a", "c", "d"]
    gone = partition_of(b"a")
    worker.tables.owned.discard(gone)
    page = await worker.lists.page(Wanted(sort="soc_percent"), hop=True)
    left = [name for name in ("d", "c", "a", "b") if partition_of(name.encode()) != gone]
    assert [each.asset_id for each in page.assets] == left


@pytest.mark.parametrize(
    "wanted",
    [
        {"sort": "nothing"},
        {"sort": "soc_dwell_s"},
        {"metrics": ("rte_v1", "nothing")},
        {"sort": "rows", "cursor": "a"},
        {"sort": "rows", "cursor": "///"},
        {"order": "desc", "cursor": "a"},
    ],
)
async def test_what_is_no_order_metric_or_cursor_is_refused(worker: Worker, wanted: dict[str, Any]) -> None:
    """The problem names the parameter."""
    worker.tables.put("a")
    with pytest.raises(InvalidError) as caught:
        await worker.lists.page(Wanted(**wanted))
    assert caught.value.column in ("sort", "metrics", "cursor")


async def test_a_cursor_holds_for_its_order_alone(worker: Worker) -> None:
    """In another one it would leave out what it must not."""
    for asset_id in "abc":
        worker.tables.put(asset_id)
    page = await worker.lists.page(Wanted(sort="rows", limit=1))
    with pytest.raises(InvalidError, match="in this order"):
        await worker.lists.page(Wanted(sort="rows", order="desc", cursor=page.next_cursor or "", limit=1))


def written(page: AssetList) -> bytes:
    """A page as another worker answers it."""
    items = [
        AssetItem(asset_id=each.asset_id, partition=each.partition, rows=each.rows, last_time=each.last_time)
        for each in page.assets
    ]
    meta = AnswerMeta(owner=THERE, seq=None, lag=2, stale=True)
    answer = AssetPage(assets=items, next_cursor=page.next_cursor, partitions=page.partitions, meta=meta)
    return json.dumps(answer.model_dump(mode="json") | {"values": page.values}).encode()


@pytest.mark.parametrize("sort", ["asset", "soc_percent", "rows"])
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_lists_of_all_workers_are_merged(worker: Worker, sort: str, order: Any) -> None:
    """In order, in pages, and as stale as all together."""
    whole, there = Worker(), Worker()
    for i in range(20):
        for each in (whole, worker, there):
            put(each, f"a-{i:02}", *[(1, 800, (i * 7) % 5)] * (1 + i % 3))
    worker.give_away(0, 1)
    there.tables.owned = {0, 1}
    ids, cursor = list[str](), ""
    while True:
        wanted = Wanted(sort=sort, order=order, limit=3, cursor=cursor)
        worker.peers.answers[THERE] = (200, written(await there.lists.page(wanted, hop=True)))
        page = await worker.lists.page(wanted)
        ids += [asset.asset_id for asset in page.assets]
        assert (page.meta.lag, page.meta.stale, page.partitions) == (2, True, [0, 1, 2, 3])
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert ids == await ids_of(whole, sort=sort, order=order, limit=3)


@pytest.mark.parametrize("answer", [None, (200, b"{}"), (503, b"")])
async def test_list_that_lacks_a_partition_is_503(worker: Worker, answer: tuple[int, bytes] | None) -> None:
    """Half a list looks like a whole one; so does half a sum."""
    worker.give_away(0, 1)
    if answer is not None:
        worker.peers.answers[THERE] = answer
    for ask in (worker.lists.page(Wanted()), worker.lists.page(Wanted(sort="rows")), worker.summaries.summary()):
        with pytest.raises(UnavailableError, match="partition"):
            await ask


async def test_a_partition_that_moves_while_a_list_is_made_is_503(worker: Worker) -> None:
    """Its assets would be missing without a word."""
    put(worker, "a", (1, 800, 50))
    page = asyncio.create_task(worker.lists.page(Wanted(sort="rows")))
    await asyncio.sleep(0)  # now it reads the columns
    worker.give_away(0)
    with pytest.raises(UnavailableError, match="partition 0"):
        await page


async def test_hop_lists_own_assets(worker: Worker) -> None:
    """And tells which partitions they are of."""
    worker.give_away(0, 1)
    worker.tables.put("b", partition=2)
    page = await worker.lists.page(Wanted(limit=3), hop=True)
    assert ([item.asset_id for item in page.assets], page.partitions) == (["b"], [2, 3])
    assert worker.peers.asked == []
