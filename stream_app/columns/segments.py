"""Arithmetic on rows that are sorted by asset: one contiguous segment of rows per asset.

All sums here run in row order, so that a result does not depend on how the rows were cut into batches.
"""

from __future__ import annotations

import numpy as np

from stream_app.columns.arrays import BoolArray, IntArray
from stream_app.columns.compiled import compiled


def first_of_runs(*keys: IntArray) -> BoolArray:
    """True where a run of equal keys begins, shape ``(n,)``."""
    n = len(keys[0])
    first = np.zeros(n, bool)
    if n:
        first[0] = True
        for key in keys:
            first[1:] |= key[1:] != key[:-1]
    return first


def ends(starts: IntArray, n: int) -> IntArray:
    """Index after each segment, given where the segments start and how many rows there are."""
    return np.append(starts[1:], n)


def ragged_arange(start: IntArray, count: IntArray) -> IntArray:
    """``start[0] … start[0]+count[0]-1, start[1] …`` in one array.

    >>> ragged_arange(np.array([5, 20]), np.array([2, 3])).tolist()
    [5, 6, 20, 21, 22]
    """
    before = np.cumsum(count) - count
    index: IntArray = np.arange(int(count.sum())) + np.repeat(start - before, count)
    return index


@compiled
def first_at_or_after(sorted_values: IntArray, low: IntArray, high: IntArray, target: IntArray) -> IntArray:
    """Binary search in many slices: first index in ``[low, high)`` whose value is >= target, else ``high``."""
    found = np.empty(len(target), np.int64)
    for i in range(len(target)):
        a, b = low[i], high[i]
        while a < b:
            middle = (a + b) // 2
            if sorted_values[middle] < target[i]:
                a = middle + 1
            else:
                b = middle
        found[i] = a
    return found


def sorted_by(code: IntArray, codes: int) -> IntArray:
    """Positions of items sorted by code (``0 … codes-1``); those of one code stay in their order."""
    if len(code) < codes >> 4:
        return np.argsort(code, kind="stable")
    order = np.empty(len(code), np.int64)
    _counting_sort(code, np.zeros(codes + 1, np.int64), order)
    return order


@compiled
def _counting_sort(code: IntArray, place: IntArray, order: IntArray) -> None:
    for c in code:
        place[c + 1] += 1
    for c in range(1, len(place)):
        place[c] += place[c - 1]
    for i, c in enumerate(code):
        order[place[c]] = i
        place[c] += 1
