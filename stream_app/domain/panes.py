"""Tumbling windows over many assets at once: rows add to the smallest, closed ones fold into the larger.

A level is one window size of every asset. Its open window is a number (start / size) and a vector of totals per asset.
Items (rows, or closed panes) come sorted by asset and time; each goes to its window, and windows that the asset's time
has passed are closed. All in row order, so the result is the same bits however the rows were batched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import compiled
from stream_app.domain.fields import Layout

#: Number of an open window that no item has opened yet.
UNOPENED = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Closed:
    """Windows that were closed: asset index ``(c,)``, window number ``(c,)``, totals ``(width, c)``; in time order."""

    asset: IntArray
    number: IntArray
    totals: FloatArray


@dataclass(frozen=True, slots=True)
class Open:
    """The open window of each of ``k`` assets: number ``(k,)``, totals ``(width, k)``."""

    number: IntArray
    totals: FloatArray


@compiled
def numbers(time_us: IntArray, asset: IntArray, size_us: IntArray) -> IntArray:
    """Number of the window in which each row stands, ``(n,)``; ``size_us`` is each asset's, ``(k,)``."""
    number = np.empty(len(time_us), np.int64)
    last, begin, end, at = -1, 0, 0, 0
    for i in range(len(time_us)):
        # Divisions are slow, and most rows stand in the window of the row before.
        if asset[i] != last or time_us[i] < begin or time_us[i] >= end:
            last, size = asset[i], size_us[asset[i]]
            at = time_us[i] // size
            begin, end = at * size, (at + 1) * size
        number[i] = at
    return number


def advance(
    layout: Layout,
    rows_at: int,
    open_: Open,
    *,
    asset: IntArray,
    number: IntArray,
    now: IntArray,
    add: Callable[[FloatArray, IntArray], None],
) -> tuple[Closed, Open]:
    """Add items to their windows and close those before ``now``.

    Parameters
    ----------
    layout, rows_at
        What a window keeps; where the count of rows stands in it (a window without rows is never closed, only left).
    open_
        The open windows of ``k`` assets.
    asset, number
        Asset index and window number of each item, sorted, shape ``(n,)``.
    now
        Number of the window in which each asset's time stands, shape ``(k,)``.
    add
        Called with totals ``(width, panes)`` and each item's pane ``(n,)``; adds the items.
    """
    k, n = len(now), len(asset)
    pane, own = np.empty(n, np.int64), np.empty(k, np.int64)
    pane_asset, pane_number = np.empty(k + n, np.int64), np.empty(k + n, np.int64)
    panes = _assign_panes(asset, number, np.ascontiguousarray(open_.number), pane, own, pane_asset, pane_number)
    pane_asset, pane_number = pane_asset[:panes], pane_number[:panes]
    totals = layout.empty(panes)
    totals[:, own] = open_.totals
    add(totals, pane)

    passed = pane_number < now[pane_asset]
    done = np.flatnonzero(passed & (totals[rows_at] > 0))
    closed = Closed(pane_asset[done], pane_number[done], totals[:, done])
    current = np.flatnonzero(~passed)  # at most one per asset: items never lie beyond now
    fresh = layout.empty(k)
    fresh[:, pane_asset[current]] = totals[:, current]
    return closed, Open(now.copy(), fresh)


@compiled
def _assign_panes(
    asset: IntArray,
    number: IntArray,
    open_number: IntArray,
    pane: IntArray,
    own: IntArray,
    pane_asset: IntArray,
    pane_number: IntArray,
) -> int:
    """One pane for each asset's open window, and one more whenever an item is in another window than the one before."""
    i, at = 0, 0
    for k in range(len(open_number)):
        own[k], pane_asset[at], pane_number[at] = at, k, open_number[k]
        while i < len(asset) and asset[i] == k:
            if number[i] != pane_number[at]:
                at += 1
                pane_asset[at], pane_number[at] = k, number[i]
            pane[i] = at
            i += 1
        at += 1
    return at
