"""The columns of a fleet follow the tables: before somebody asks, and while partitions move."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from stream_app.usecases import fleet_index
from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.fleet_order import Wanted
from tests.fakes import PARTITIONS, partition_of
from tests.worker import Worker

#: More than are read in one go.
MANY = 250


@pytest.fixture
def worker() -> Worker:
    worker = Worker()
    for number in range(MANY):
        worker.tables.put(f"a-{number:03}")
    return worker


@asynccontextmanager
async def following(worker: Worker) -> AsyncIterator[None]:
    """The columns follow while nobody asks."""
    run = asyncio.create_task(worker.index.run())
    try:
        yield
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        await worker.index.close()


async def until(condition: Callable[[], bool]) -> None:
    """Leave the event loop to others until something holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # the index signals no event to others
            await asyncio.sleep(0)


def is_current(worker: Worker) -> bool:
    """Whether every asset is in the columns and in the order."""
    return not (worker.index.behind or worker.index.order.is_behind)


async def followed(worker: Worker) -> None:
    """Let the columns follow until they are up to date, then no further."""
    async with following(worker):
        await asyncio.sleep(0)
        await until(lambda: is_current(worker))


async def test_the_columns_are_there_before_somebody_asks(worker: Worker) -> None:
    """So the first ordered list of a worker needs no reading, however many assets there are."""
    await followed(worker)
    assert len(worker.index.ids) == MANY
    page = await worker.lists.page(Wanted(sort="rows", order="desc", limit=3))
    assert [asset.asset_id for asset in page.assets] == ["a-000", "a-001", "a-002"]
    assert page.behind == 0


async def test_new_assets_are_read_before_changed_ones(worker: Worker) -> None:
    """A list that lacks an asset is worse than one in the order of a minute ago."""
    await followed(worker)
    for number in range(MANY):
        worker.tables.put(f"a-{number:03}", rows=1 + number % 7)
    worker.tables.put("new", partition=partition_of(b"a-249"))
    async with following(worker):
        await until(lambda: "new" in worker.index.ids)
        assert worker.index.behind > 0
        while (page := await worker.lists.page(Wanted(sort="rows", limit=1))).behind:
            pass
    assert page.assets[0].rows == 1


async def test_columns_are_kept_while_partitions_move(worker: Worker) -> None:
    """Nearly all are the same afterwards; those that another worker has by then are dropped."""
    await followed(worker)
    worker.tables.owned = set()
    async with following(worker):
        await asyncio.sleep(0)
        assert worker.index.columns.there.sum() == MANY
    left = set(range(1, PARTITIONS))
    worker.tables.owned = left
    await followed(worker)
    expected = sum(1 for number in range(MANY) if partition_of(f"a-{number:03}".encode()) in left)
    assert worker.index.columns.there.sum() == expected


async def test_a_fleet_whose_first_reading_takes_long_is_503(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """With when to ask again; the reading goes on meanwhile."""
    monkeypatch.setattr(fleet_index, "_FIRST_WAIT_S", 0.0)
    with pytest.raises(UnavailableError, match="still to be read") as refused:
        await worker.lists.page(Wanted(sort="rows"))
    assert refused.value.retry_after_s == 1
    await until(lambda: is_current(worker))
    assert len((await worker.lists.page(Wanted(sort="rows", limit=1000))).assets) == MANY
