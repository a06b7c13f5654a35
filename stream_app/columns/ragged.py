"""Items of many slots in shared arrays: each slot's items stand together, and have some room to grow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import IntArray
from stream_app.columns.compiled import borrowing, compiled
from stream_app.columns.segments import ragged_arange


class Ragged:
    """Items of slots ``0 … n-1``; compiled code writes them in place (:func:`placed`).

    Parameters
    ----------
    arrays
        Empty arrays, one for each property of an item; the first axis counts items.

    Attributes
    ----------
    start, count, room
        Of each slot: where its items begin, how many there are, how many fit; shape ``(n,)``.
    used
        Items of the arrays that are given away, shape ``(1,)``.
    """

    def __init__(self, *arrays: NDArray[Any]) -> None:
        self.arrays = list(arrays)
        self.start, self.count, self.room = np.zeros((3, 0), np.int64)
        self.used = np.zeros(1, np.int64)

    def resize(self, slots: int) -> None:
        """Make room for ``slots`` slots; new ones are empty."""
        more = np.zeros(slots - len(self.start), np.int64)
        self.start, self.count, self.room = (np.append(a, more) for a in (self.start, self.count, self.room))

    def get(self, slots: IntArray) -> list[NDArray[Any]]:
        """Items of the slots, one slot after the other, from each array."""
        if len(slots) == 1:
            start, count = int(self.start[slots[0]]), int(self.count[slots[0]])
            return [array[start : start + count].copy() for array in self.arrays]
        index = ragged_arange(self.start[slots], self.count[slots])
        return [array[index] for array in self.arrays]

    def set(self, slots: IntArray, count: IntArray, *items: NDArray[Any]) -> None:
        """Replace the slots' items: ``count[i]`` of the given ones, in order, belong to ``slots[i]``."""
        self.reserve(2 * int(count.sum()) + len(slots))
        _place(self.start, self.room, self.used, slots, count)
        self.count[slots] = count
        index: slice | IntArray
        if len(slots) == 1:
            start = int(self.start[slots[0]])
            index = slice(start, start + int(count[0]))
        else:
            index = ragged_arange(self.start[slots], count)
        for array, given in zip(self.arrays, items, strict=True):
            array[index] = given

    def reserve(self, items: int) -> None:
        """See to it that so many items can be given away; what was abandoned is reclaimed first."""
        size = len(self.arrays[0])
        if self.used[0] + items <= size:
            return
        kept = np.flatnonzero(self.count)
        held = self.get(kept)
        size = max(size, 2 * (len(held[0]) + items) + 1024)
        self.arrays = [np.empty((size, *array.shape[1:]), array.dtype) for array in self.arrays]
        self.used[0], self.room[:] = 0, 0
        _place(self.start, self.room, self.used, kept, self.count[kept])
        index = ragged_arange(self.start[kept], self.count[kept])
        for array, items_ in zip(self.arrays, held, strict=True):
            array[index] = items_


@borrowing
def placed(start: IntArray, room: IntArray, used: IntArray, slot: int, count: int) -> int:
    """Where ``count`` items of a slot go: where it is, or to the end of what is used, with some room to grow."""
    if count > room[slot]:
        start[slot] = used[0]
        room[slot] = count if count == 1 else 2 * count
        used[0] += room[slot]
    return int(start[slot])


@compiled
def _place(start: IntArray, room: IntArray, used: IntArray, slots: IntArray, count: IntArray) -> None:
    for i in range(len(slots)):
        placed(start, room, used, slots[i], count[i])
