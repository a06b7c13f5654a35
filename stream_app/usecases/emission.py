"""When the updates of an asset's open windows and lifetime are published: at most once in so many seconds.

An update that came too early is held back, and published as soon as its time has come, whether or not more rows do. So
the last state of an asset always appears. States are written at each checkpoint all the same, and a partition's marker
has the lowest source offset of the assets whose updates are held back: whoever starts from the tables finds them, as
each state begins with its offset, and publishes them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Final

import numpy as np

from stream_app.columns.arrays import IntArray

_NEVER_S: Final = -np.inf


class Emission:
    """Whose updates of a partition are held back.

    Parameters
    ----------
    interval_s
        Time between two updates of an asset [s]; 0: none is held back.
    clock
        Seconds, monotonic.
    """

    def __init__(self, interval_s: float, clock: Callable[[], float]) -> None:
        self._interval_s, self._clock = interval_s, clock
        self._published_s: dict[int, float] = {}  # by slot
        self._held: set[int] = set()

    def publish(self, changed: IntArray, ended: Container[int]) -> IntArray:
        """Slots to publish now, ascending: those that changed and those held back whose time has come.

        The others are held back; an asset that has ended is not.
        """
        if not self._interval_s and not self._held:
            return changed
        now_s = self._clock()
        self._held.update(changed.tolist())
        due = sorted(slot for slot in self._held if slot in ended or self._due_s(slot) <= now_s)
        self._held.difference_update(due)
        self._published_s.update(dict.fromkeys(due, now_s))
        return np.array(due, np.int64)

    def hold(self, slots: Iterable[int]) -> None:
        """Publish these as soon as may be: their last update may not have been written."""
        for slot in slots:
            self._held.add(slot)
            self._published_s.pop(slot, None)

    def forget(self, slot: int) -> None:
        """Publish nothing more of an asset that is gone."""
        self._held.discard(slot)
        self._published_s.pop(slot, None)

    def held(self) -> IntArray:
        """Slots whose updates are held back."""
        return np.array(sorted(self._held), np.int64)

    def next_s(self) -> float | None:
        """When the next update that is held back is to be published, on the clock; None: there is none."""
        return min(map(self._due_s, self._held), default=None)

    def _due_s(self, slot: int) -> float:
        return self._published_s.get(slot, _NEVER_S) + self._interval_s
