"""Windows that time has passed: each case is drawn as one line of time, in minutes from the start."""

from __future__ import annotations

import numpy as np

from stream_app.domain import ingestion, views
from stream_app.domain.rows import Rows
from stream_app.domain.state import Fleet
from tests.unit.domain.fleets import CATALOGUE, START_US

MINUTE_US = 60_000_000


def passed(*minutes: float, sizes_s: tuple[int, ...] = (60, 180), cuts: int = 1) -> list[tuple[int, int, int]]:
    """Closed windows of one asset as (size [min], start [min], rows), in the order in which they were closed."""
    fleet = Fleet(CATALOGUE, sizes_s)
    slot, found = fleet.slot("a"), []
    offset = np.arange(len(minutes))
    time_us = START_US + (np.array(minutes) * MINUTE_US).astype(np.int64)
    for part in np.array_split(offset, cuts):
        rows = Rows(np.full(len(part), slot), part, time_us[part], {"current_a": np.ones(len(part))})
        found += ingestion.apply(fleet, rows).closed
    closed = views.concatenated(fleet, found)
    rows_of = closed.totals[:, CATALOGUE.rows_at].astype(int)
    starts = (closed.start_us - START_US) // MINUTE_US
    return list(zip((closed.size_us // MINUTE_US).tolist(), starts.tolist(), rows_of.tolist(), strict=True))


def test_a_window_stays_open_while_time_stands_in_it() -> None:
    """Rows add up; nothing is closed."""
    # minute   |    0    |    1
    # rows     |  x   x  |
    assert passed(0.2, 0.6) == []


def test_windows_that_time_has_passed_are_closed_and_go_on_into_larger_ones() -> None:
    """A window without rows is none; a larger one takes the smaller ones in, and closes when time has passed it."""
    # minute       |    0    |    1    |    2    |    3    |    4    |
    # rows         |  x   x  |         |  x  x x |    x    |    x
    # 1 min closed      2                   3         1
    # 3 min closed              5
    assert passed(0.2, 0.6, 2.1, 2.4, 2.7, 3.5, 4.5) == [(1, 0, 2), (1, 2, 3), (1, 3, 1), (3, 0, 5)]


def test_cuts_change_no_window() -> None:
    """The same windows whether the rows come at once or one by one; only the order of sizes follows the fetches."""
    minutes = (0.2, 0.6, 2.1, 2.4, 2.7, 3.5, 4.5, 7.1, 7.2, 9.9, 10.1)
    assert all(sorted(passed(*minutes, cuts=cuts)) == sorted(passed(*minutes)) for cuts in range(1, len(minutes) + 1))
