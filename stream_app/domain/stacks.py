"""Stacks of the sequential states: of each asset one after the other, as long as each is."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from stream_app.columns.arrays import FloatArray
from stream_app.columns.ragged import Ragged


class Stacks:
    """Stacks of all assets.

    Parameters
    ----------
    states
        Sequential states of an asset.

    Attributes
    ----------
    lengths
        Numbers on each stack, shape ``(assets, states)``.
    """

    def __init__(self, states: int) -> None:
        self._items = Ragged(np.zeros(0))
        self.lengths = np.zeros((0, states), np.int64)

    def resize(self, assets: int) -> None:
        """Make room for ``assets`` assets."""
        self._items.resize(assets)
        grown = assets - len(self.lengths)
        self.lengths = np.vstack([self.lengths, np.zeros((grown, self.lengths.shape[1]), np.int64)])

    def get(self, asset: int) -> list[FloatArray]:
        """Each state's stack of an asset."""
        (items,) = self._items.get(np.array([asset]))
        ends = np.cumsum(self.lengths[asset]).tolist()
        return [items[begin:end] for begin, end in pairwise([0, *ends])]

    def set(self, asset: int, stacks: list[FloatArray]) -> None:
        """Replace an asset's stacks."""
        self.lengths[asset] = [len(stack) for stack in stacks]
        count = np.array([self.lengths[asset].sum()])
        self._items.set(np.array([asset]), count, np.concatenate([np.zeros(0), *stacks]))

    def reserve(self, numbers: int) -> None:
        """See to it that so many numbers can be put anew."""
        self._items.reserve(numbers)

    def view(self) -> tuple[Any, ...]:
        """What the walk works on: start, count, room, used, numbers and their lengths."""
        items = self._items
        return items.start, items.count, items.room, items.used, *items.arrays, self.lengths
