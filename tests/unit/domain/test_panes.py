"""Panes: items go to their windows, windows that time has passed are closed. Each case is drawn as one line of time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.domain.fields import MAX, SUM, Layout
from stream_app.domain.panes import UNOPENED, Closed, Open, advance, numbers

LAYOUT = Layout({"rows@1": SUM, "high@1": MAX})
Item = tuple[int, int, float]  # asset, window number, value


def an_open(*windows: tuple[int, float, float]) -> Open:
    """Open windows of assets 0, 1, …: number, rows and highest value of each."""
    number, rows, high = np.array(windows).T
    return Open(number.astype(np.int64), np.array([rows, high]))


NEW = (UNOPENED, 0.0, -np.inf)


def advanced(open_: Open, items: list[Item], now: list[int]) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Closed windows as (asset, number, rows, high), open ones as (number, rows, high)."""
    asset, number = (np.array([item[k] for item in items], np.int64) for k in (0, 1))
    value = np.array([item[2] for item in items])

    def add(totals: np.ndarray, pane: np.ndarray) -> None:
        LAYOUT.add(totals, pane, {"rows@1": np.ones(len(items)), "high@1": value})

    closed, left = advance(LAYOUT, 0, open_, asset=asset, number=number, now=np.array(now), add=add)
    return shown(closed), list(zip(left.number.tolist(), *left.totals.tolist(), strict=True))


def shown(closed: Closed) -> list[tuple[int, ...]]:
    return list(zip(closed.asset.tolist(), closed.number.tolist(), *closed.totals.tolist(), strict=True))


def test_a_window_stays_open_while_time_stands_in_it() -> None:
    """Items add up; nothing is closed."""
    # window   |    0    |    1
    # items    |  5   7  |
    # time            ^
    assert advanced(an_open(NEW), [(0, 0, 5), (0, 0, 7)], now=[0]) == ([], [(0, 2, 7)])


def test_windows_that_time_has_passed_are_closed_in_order() -> None:
    """What was open before closes with what is added to it now, and an empty window in between is none."""
    # window   |    0    |    1    |    2    |    3    |
    # before   |  3 rows |
    # items    |       9 |         |  4   1  |  6
    # time                                        ^
    closed, open_ = advanced(an_open((0, 3, 8)), [(0, 0, 9), (0, 2, 4), (0, 2, 1), (0, 3, 6)], now=[3])
    assert closed == [(0, 0, 4, 9), (0, 2, 2, 4)]
    assert open_ == [(3, 1, 6)]


def test_time_closes_a_window_without_any_item() -> None:
    """A gap ends: the window before it is closed, the one that time stands in is open and empty."""
    # window   |    0    |    1    |  ...  |    8    |
    # before   |  3 rows |
    # time                                      ^
    assert advanced(an_open((0, 3, 8)), [], now=[8]) == ([(0, 0, 3, 8)], [(8, 0, -np.inf)])


def test_a_window_without_rows_is_left_not_closed() -> None:
    """There is nothing to tell of it."""
    # window   |    0    |    1    |
    # before   |    -    |
    # time                    ^
    assert advanced(an_open((0, 0, -np.inf)), [], now=[1]) == ([], [(1, 0, -np.inf)])


def test_each_asset_has_its_own_time() -> None:
    """Windows of one asset say nothing of those of another, which has no items here."""
    # window    |    0    |    1    |    2    |
    # asset 0   |  2 rows |  1      |          time in 1
    # asset 1             |  1 row  |          time in 1
    # asset 2                       |  5       time in 2, its first item
    closed, open_ = advanced(an_open((0, 2, 2), (1, 1, 3), NEW), [(0, 1, 1), (2, 2, 5)], now=[1, 1, 2])
    assert closed == [(0, 0, 2, 2)]
    assert open_ == [(1, 1, 1), (1, 1, 3), (2, 1, 5)]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-(10**6), 10**6)), max_size=50))
def test_window_numbers_are_floor_divisions(items: list[tuple[int, int]]) -> None:
    """Before 1970 too, and whatever window the row before stood in."""
    asset = np.array([asset for asset, _ in items], np.int64)
    time_us = np.array([time for _, time in items], np.int64)
    size_us = np.array([60, 7, 100_000])
    assert numbers(time_us, asset, size_us).tolist() == (time_us // size_us[asset]).tolist()
