"""Rolling look-ups: which windows make a span, what they come to, and what cannot be told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schemas.asset import AssetSpec
from stream_app.domain import ingestion, views
from stream_app.domain.rows import Rows
from stream_app.domain.snapshot import Snapshots
from stream_app.domain.state import Fleet
from stream_app.usecases import window_keys
from stream_app.usecases.errors import InvalidError
from stream_app.usecases.queries import AssetFound
from stream_app.usecases.spans import KeptWindows, SpanRead, span_of
from tests.fakes import CATALOGUE, START_US, partition_of
from tests.updates import updates_of
from tests.worker import Worker

SIZES = ("1m", "15m", "1h", "1d")
KEPT = KeptWindows({60: 5, 900: 4, 3600: 24, 86_400: 7}, 24)


@pytest.mark.parametrize(
    ("size", "pane"),
    [
        ("1m", "1m"),
        ("5m", "1m"),
        ("360s", "1m"),
        ("1h", "15m"),
        ("6h", "1h"),
        ("24h", "1h"),
        ("1d", "1h"),
        ("25h", "1h"),
        ("2d", "1d"),
        ("8d", "1d"),
    ],
)
def test_a_span_is_made_of_the_windows_that_are_kept_for_so_long(size: str, pane: str) -> None:
    """The open window is one more than the closed ones that are kept."""
    assert span_of(size, SIZES, KEPT).pane == pane


def test_a_span_is_made_of_large_windows_where_ten_of_them_make_it() -> None:
    """A month of days, not of minutes; half a week of hours, since a day's begin would be too coarse."""
    kept = KeptWindows({}, 100_000)
    assert [span_of(size, SIZES, kept).pane for size in ("30d", "84h", "10d", "10m", "9m")] == [
        "1d",
        "1h",
        "1d",
        "1m",
        "1m",
    ]


@pytest.mark.parametrize(
    ("size", "code", "cure"),
    [
        ("90s", "span_not_divisible", "Ask for a multiple of 1m"),
        ("7m", "span_not_kept", "of 1m up to 6m, of 15m up to 75m, of 1h up to 25h, of 1d up to 8d"),
        ("9d", "span_not_kept", "STREAM_KEEP_WINDOWS"),
        ("week", "bad_window_size", "such as 15m"),
        ("0h", "bad_window_size", "such as 15m"),
    ],
)
def test_a_span_that_no_windows_make_names_those_that_do(size: str, code: str, cure: str) -> None:
    """The cure is a span that is there."""
    with pytest.raises(InvalidError) as caught:
        span_of(size, SIZES, KEPT)
    assert caught.value.code == code
    assert cure in caught.value.detail
    assert caught.value.column == "span"


def stored(worker: Worker, minutes: float, spec: AssetSpec | None = None) -> Fleet:
    """Store an asset whose rows come every 15 s for so long, with its closed windows; readings add up exactly."""
    fleet = Fleet(CATALOGUE, (60, 600))
    slot = fleet.slot("a")
    index = np.arange(int(minutes * 4) + 1)
    columns = {
        "current_a": np.where(index % 80 < 40, 32.0, -16.0),
        "voltage_v": 512.0 + index % 4,
        "soc_percent": 50.0 + np.minimum(index % 80, 80 - index % 80) / 2,
    }
    rows = Rows(np.full(len(index), slot), index, START_US + index * 15_000_000, columns)
    closed = views.concatenated(fleet, ingestion.apply(fleet, rows).closed)
    partition, snapshots = partition_of(b"a"), Snapshots(fleet)
    for i, value in enumerate(snapshots.dump_windows(closed, np.arange(len(closed)))):
        prefix = window_keys.size_prefix("a", int(closed.size_us[i]) // 1_000_000)
        worker.tables.closed[partition][window_keys.window_key(prefix, int(closed.start_us[i]))] = value
    fleet.set_spec(slot, spec or AssetSpec())
    worker.tables.assets[partition][b"a"] = snapshots.dump_all(np.array([slot]))[0]
    return fleet


async def span(worker: Worker, size: str) -> SpanRead | None:
    found = await worker.queries.asset("a", span=size)
    assert isinstance(found, AssetFound)
    return found.span


def metrics(read: SpanRead) -> dict[str, Any]:
    (update,) = updates_of(CATALOGUE, read.readings, "a")
    return {name: value.model_dump() for name, value in update.metrics.items()}


async def test_a_span_reads_as_the_window_of_the_same_rows() -> None:
    """Minutes 20 to 30 are the ten newest windows of a minute, and the open window of ten minutes."""
    # minute     |  0 .. 9  | 10 .. 19 | 20 .. 29 |
    # closed        10 x 1m    10 x 1m    9 x 1m      the last minute is open
    worker = Worker()
    fleet = stored(worker, minutes=29.5)
    read = await span(worker, "10m")
    assert read is not None
    both = views.current(fleet, np.array([0]))
    ten = views.read(fleet, views.taken(both, np.flatnonzero(both.size_us == 600_000_000)), closed=False)
    (expected,) = updates_of(CATALOGUE, ten, "a")
    assert metrics(read) == {name: value.model_dump() for name, value in expected.metrics.items()}
    assert (read.windows, read.begin, read.end) == (10, "2022-04-13T00:20:00Z", "2022-04-13T00:29:30Z")


async def test_a_span_rolls_with_the_open_window() -> None:
    """Four minutes later it begins four minutes later, in the middle of a larger window."""
    worker = Worker()
    stored(worker, minutes=33.5)
    read = await span(worker, "10m")
    assert read is not None
    assert (read.begin, read.end) == ("2022-04-13T00:24:00Z", "2022-04-13T00:33:30Z")
    assert metrics(read)["total_data_points"]["value"] == 9.5 * 4 + 1
    assert metrics(read)["coverage"]["value"] == 1


async def test_a_span_that_began_before_the_asset_says_what_it_covers() -> None:
    """Of twenty minutes there are five."""
    worker = Worker()
    stored(worker, minutes=4.75)
    read = await span(worker, "20m")
    assert read is not None
    assert read.windows == 5
    assert metrics(read)["coverage"]["value"] == pytest.approx(4.75 / 19.75)


async def test_a_span_is_read_by_the_present_spec() -> None:
    """Closed windows were stored with another one."""
    worker = Worker()
    stored(worker, minutes=29.5, spec=AssetSpec(nominal_capacity_ah=16))
    read = await span(worker, "10m")
    assert read is not None
    assert metrics(read)["c_rate_max_per_h"]["value"] == 2


async def test_an_asset_without_rows_has_no_span() -> None:
    """Only its spec is known."""
    worker = Worker()
    worker.tables.put("a", rows=0)
    assert await span(worker, "10m") is None


async def test_a_span_is_asked_of_the_worker_that_has_the_asset() -> None:
    """The question goes on with its span."""
    worker = Worker()
    worker.give_away(0, 1, 2, 3)
    worker.found_at("http://there", "a")
    await worker.queries.asset("a", span="10m")
    assert worker.peers.params[-1] == {"span": "10m"}
