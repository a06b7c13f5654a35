"""Where the assets of a partition's batches are in its fleet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from stream_app.columns.arrays import IntArray

#: Slot of an asset that is not loaded yet.
UNKNOWN = -1


class KnownSlots:
    """Slot of each asset, by the number that the batches give it; kept from batch to batch.

    Parameters
    ----------
    load
        Brings assets into the fleet; returns their slots.
    """

    def __init__(self, load: Callable[[Sequence[str]], Sequence[int]]) -> None:
        self._load = load
        self._assets: Sequence[str] = ()
        self._slot, self._number = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def of(self, assets: Sequence[str], asset: IntArray) -> IntArray:
        """Slots of rows, shape (n,), whose ``asset`` indexes ``assets``; UNKNOWN where the asset is not loaded."""
        if assets is not self._assets:  # numbered anew
            self._assets, self._slot = assets, np.zeros(0, np.int64)
        if len(self._slot) < len(assets):
            self._slot = _grown(self._slot, 2 * len(assets))
        slot: IntArray = self._slot[asset]
        return slot

    def load(self, assets: Sequence[str], asset: IntArray) -> IntArray:
        """The same, after those that are not in the fleet were loaded into it."""
        slot = self.of(assets, asset)
        new = np.unique(asset[slot == UNKNOWN])
        if len(new):
            self._slot[new] = self._load([assets[number] for number in new.tolist()])
            slots = self._slot[new]
            if slots.max() >= len(self._number):
                self._number = _grown(self._number, 2 * int(slots.max()) + 1)
            self._number[slots] = new
            slot = self._slot[asset]
        return slot

    def forget(self, slot: int) -> None:
        """Forget an asset that leaves the fleet: should it come again, it is loaded again."""
        if slot < len(self._number) and (number := int(self._number[slot])) != UNKNOWN:
            if number < len(self._slot) and self._slot[number] == slot:
                self._slot[number] = UNKNOWN
            self._number[slot] = UNKNOWN


def _grown(array: IntArray, length: int) -> IntArray:
    grown = np.full(length, UNKNOWN)
    grown[: len(array)] = array
    return grown
