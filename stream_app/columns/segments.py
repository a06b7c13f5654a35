"""Arithmetic on rows that are sorted by asset: one contiguous segment of rows per asset.

All sums here run in row order, so that a result does not depend on how the rows were cut into batches.
"""

from __future__ import annotations

import numpy as np

from stream_app.columns.arrays import BoolArray, IntArray
from stream_app.columns.compiled import borrowing, compiled


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


def segments_of(slot: IntArray, slots: int) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Sort items by slot (``0 … slots-1``), those of one slot in their order.

    Returns
    -------
    order, present, starts, stops
        Positions of the items, shape ``(n,)``; the slots that have any, ascending, and where the items of each begin
        and end in the order.
    """
    if len(slot) < slots >> 4:
        order = np.argsort(slot, kind="stable")
        starts = np.flatnonzero(first_of_runs(slot[order]))
        return order, slot[order[starts]], starts, np.append(starts, len(slot))[1:]
    order, place = np.empty(len(slot), np.int64), np.zeros(slots + 1, np.int64)
    _counting_sort(slot, place, order)
    stops = place[:-1]
    count = np.diff(stops, prepend=0)
    present = np.flatnonzero(count)
    return order, present, stops[present] - count[present], stops[present]


@borrowing
def first_at_or_after(sorted_us: IntArray, low: int, high: int, target_us: int) -> int:
    """First index in ``[low, high)`` whose stamp is at or after the target, else ``high``."""
    while low < high:
        middle = (low + high) // 2
        if sorted_us[middle] < target_us:
            low = middle + 1
        else:
            high = middle
    return low


@borrowing
def sort_stamps(stamp_us: IntArray, n: int, order: IntArray, spare: IntArray) -> tuple[IntArray, IntArray]:
    """Positions of the first ``n`` stamps, sorted by stamp; equal ones stay in their order.

    Both arrays are written. The first result is the one that holds the positions, the second the other one.
    """
    for i in range(n):
        order[i] = i
    width = 1
    while width < n:
        for low in range(0, n, 2 * width):
            middle, high = min(low + width, n), min(low + 2 * width, n)
            left, right = low, middle
            for i in range(low, high):
                if left < middle and (right == high or stamp_us[order[left]] <= stamp_us[order[right]]):
                    spare[i] = order[left]
                    left += 1
                else:
                    spare[i] = order[right]
                    right += 1
        order, spare = spare, order
        width *= 2
    return order, spare


@compiled
def _counting_sort(code: IntArray, place: IntArray, order: IntArray) -> None:
    for c in code:
        place[c + 1] += 1
    for c in range(1, len(place)):
        place[c] += place[c - 1]
    for i, c in enumerate(code):
        order[place[c]] = i
        place[c] += 1
