"""Arithmetic on rows that are sorted by asset: one contiguous segment of rows per asset.

All sums here run in row order, so that a result does not depend on how the rows were cut into batches.
"""

from __future__ import annotations

import numpy as np

from stream_app.domain.rows import BoolArray, FloatArray, IntArray


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


def running_totals(carry: FloatArray, values: FloatArray, starts: IntArray) -> FloatArray:
    """Sum of the values BEFORE each row, per segment, begun at ``carry``; and nothing but sequential additions.

    Parameters
    ----------
    carry
        Total before each segment, shape ``(s,)``.
    values
        Shape ``(n,)``.
    starts
        First row of each of the ``s`` segments, shape ``(s,)``.

    Returns
    -------
    FloatArray
        Shape ``(n + s,)``: segment ``i`` has one entry per row and then its new carry, from ``starts[i] + i`` on.

    Notes
    -----
    Loops over the segments or over the rows of the longest one, whichever are fewer: at most ``sqrt(n)`` numpy calls.
    """
    n, s = len(values), len(starts)
    length = ends(starts, n) - starts
    out = np.empty(n + s)
    begin = starts + np.arange(s)
    out[begin] = carry
    if s == 0:
        return out
    longest = int(length.max())
    if s <= longest:
        for first, at, count in zip(starts.tolist(), begin.tolist(), length.tolist(), strict=True):
            out[at + 1 : at + 1 + count] = values[first : first + count]
            np.cumsum(out[at : at + 1 + count], out=out[at : at + 1 + count])
        return out
    order = np.argsort(-length, kind="stable")
    alive = np.searchsorted(-length[order], -np.arange(longest), side="left")
    for rank in range(longest):
        which = order[: alive[rank]]
        at = begin[which] + rank
        out[at + 1] = out[at] + values[starts[which] + rank]
    return out


def first_at_or_after(sorted_values: IntArray, low: IntArray, high: IntArray, target: IntArray) -> IntArray:
    """Binary search in many slices at once: first index in ``[low, high)`` whose value is >= target, else ``high``."""
    low, high = low.copy(), high.copy()
    while True:
        open_ = low < high
        if not open_.any():
            return low
        middle = (low + high) // 2
        below = open_ & (sorted_values[np.minimum(middle, len(sorted_values) - 1)] < target)
        low = np.where(below, middle + 1, low)
        high = np.where(open_ & ~below, middle, high)
