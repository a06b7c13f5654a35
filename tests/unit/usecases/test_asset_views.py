"""Stored states as values: loaded once, read alike whatever was read before, and errors that spoil nothing."""

from __future__ import annotations

import uuid

import pytest

from schemas.control import EndOfUpload
from schemas.metrics import MetricsUpdate
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.errors import CorruptStateError
from stream_app.domain.metrics import REGISTRY
from stream_app.domain.snapshot import Snapshots
from stream_app.domain.state import Fleet
from stream_app.domain.stored_layout import SectionNames
from stream_app.usecases import window_keys
from stream_app.usecases.asset_views import AssetViews
from tests.fakes import CATALOGUE, START_US, a_closed_window, a_state, partition_of
from tests.updates import updates_of
from tests.worker import Worker

#: Without one metric: its states have a layout that is looked up each time when one is loaded.
OLDER = Catalogue([metric for name, metric in REGISTRY.items() if name != "soc_dwell_s"])
TASK = str(uuid.UUID(int=1))
UPLOAD = f"upload-{TASK}"


class CountingLayouts(dict[str, SectionNames]):
    """Counts how often a layout is asked for."""

    def __init__(self) -> None:
        super().__init__(Snapshots(Fleet(OLDER, (60,))).layouts)
        self.asked = 0

    def __getitem__(self, layout: str) -> SectionNames:
        self.asked += 1
        return super().__getitem__(layout)


@pytest.fixture
def layouts() -> CountingLayouts:
    return CountingLayouts()


@pytest.fixture
def worker(layouts: CountingLayouts) -> Worker:
    """A worker whose states an older version wrote."""
    worker = Worker()
    worker.lookup.views = AssetViews(CATALOGUE, layouts)
    ended = EndOfUpload(asset_id=UPLOAD, rows=5)
    worker.tables.assets[0][b"a"] = a_state("a", rows=5, seq=7, catalogue=OLDER)
    worker.tables.assets[partition_of(UPLOAD.encode())][UPLOAD.encode()] = a_state(
        UPLOAD, rows=5, seq=7, ended=ended, catalogue=OLDER
    )
    return worker


async def test_look_up_of_an_asset_loads_its_state_once(worker: Worker, layouts: CountingLayouts) -> None:
    """Its summary and its metrics come from one load."""
    await worker.queries.asset("a")
    assert layouts.asked == 1


async def test_look_up_of_a_spec_loads_the_state_once(worker: Worker, layouts: CountingLayouts) -> None:
    """No metric is read."""
    await worker.queries.spec("a")
    assert layouts.asked == 1


async def test_look_up_of_a_task_loads_the_state_once(worker: Worker, layouts: CountingLayouts) -> None:
    """Whether it has succeeded, and with what."""
    await worker.tasks.task(TASK)
    assert layouts.asked == 1


async def test_look_up_of_windows_loads_the_state_and_each_window_once(
    worker: Worker, layouts: CountingLayouts
) -> None:
    """Windows here have the present layout, which need not be looked up."""
    worker.tables.close_window("a", "1m", -60)
    await worker.queries.windows("a", "1m", limit=10)
    assert layouts.asked == 1


def read(views: AssetViews, asset_id: str, value: bytes) -> list[MetricsUpdate]:
    readings = views.asset(asset_id, value).readings
    assert readings is not None
    return updates_of(CATALOGUE, readings, asset_id)


def test_values_are_independent_of_what_is_read_later() -> None:
    """Many more states are read than are kept at a time, the same asset among them."""
    views = AssetViews(CATALOGUE, {})
    view = views.asset("a", a_state("a", rows=5, seq=7, ended=EndOfUpload(asset_id="a", rows=5)))
    assert view.readings is not None
    before = updates_of(CATALOGUE, view.readings, "a")
    for number in range(200):
        asset_id = f"asset-{number % 150}"
        assert read(views, asset_id, a_state(asset_id, rows=9, seq=8))[0].seq == 8
        assert views.summary("a", a_state("a", rows=3, seq=9)).ended is None
    assert updates_of(CATALOGUE, view.readings, "a") == before


def test_windows_read_together_are_those_read_one_by_one() -> None:
    """Each with the stamp that its key says."""
    views = AssetViews(CATALOGUE, {})
    prefix = window_keys.size_prefix("a", 60)
    starts_us = [START_US + 60_000_000 * i for i in range(3)]
    stored = [(window_keys.window_key(prefix, us), a_closed_window("a", 60, us)) for us in starts_us]
    together = updates_of(CATALOGUE, views.windows("a", 60, stored), "a", closed=True)
    alone = [updates_of(CATALOGUE, views.windows("a", 60, [one]), "a", closed=True)[0] for one in stored]
    assert together == alone
    assert [update.window.start[-9:] for update in together] == ["00:00:00Z", "00:01:00Z", "00:02:00Z"]


def test_state_that_cannot_be_read_spoils_no_other() -> None:
    """Not even the next state of the same asset."""
    views = AssetViews(CATALOGUE, {})
    value = a_state("a", rows=5, seq=7)
    before = read(views, "a", value)
    with pytest.raises(CorruptStateError, match="cannot be read"):
        views.asset("a", value[:-9])
    assert read(views, "a", value) == before


@pytest.mark.parametrize("start_us", [-(10**15), -1, 0, START_US])
def test_keys_tell_the_start_of_their_window(start_us: int) -> None:
    """Before 1970 too."""
    assert window_keys.start_us(window_keys.window_key(window_keys.size_prefix("a", 60), start_us)) == start_us


def test_keys_sort_by_start() -> None:
    """Within an asset and size, before 1970 too."""
    prefix = window_keys.size_prefix("a", 60)
    keys = [window_keys.window_key(prefix, start_us) for start_us in (-(10**15), -1, 0, START_US)]
    assert keys == sorted(keys)
    assert all(key.startswith(window_keys.asset_prefix("a")) for key in keys)
