"""A stored asset on its way into a fleet: brought up to what this release computes and this deployment keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.asset import AssetSpec
from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.lines import LEVELS, NEVER, UNOPENED, Integers
from stream_app.domain.pending import TimedColumns
from stream_app.domain.sequential import SequentialState
from stream_app.domain.since import LIFE, Since, Sinces, late
from stream_app.domain.state import Ended


@dataclass(slots=True)
class StoredAsset:
    """One asset's line of a fleet.

    Parameters
    ----------
    integers
        Shape ``(Integers.WIDTH,)``.
    totals
        Of the lifetime and of each level's open window, shape ``(1 + LEVELS, pane)``.
    rest
        What stands before the totals in a line of :class:`stream_app.domain.lines.Floats`.
    own_sizes
        Whether a spec has named its window sizes.
    """

    integers: IntArray
    totals: FloatArray
    rest: FloatArray
    waiting: TimedColumns
    tails: Mapping[type[SequentialState], FloatArray]
    spec: AssetSpec
    own_sizes: bool
    ended: Ended | None
    since: Sinces

    @property
    def _levels(self) -> IntArray:
        """Number of the open window and size of each level, ``(LEVELS, 2)``, a view."""
        return self.integers[len(Integers.NAMES) :].reshape(LEVELS, -1)

    def _last_us(self) -> int:
        return int(self.integers[Integers.NAMES.index("last_us")])

    def follow(self, sizes_s: tuple[int, ...], catalogue: Catalogue, fields: frozenset[str]) -> None:
        """Keep the deployment's window sizes, which may have changed, unless a spec names others.

        A size that is new begins with the open smallest window. The smallest one stays: rows stand in its open window,
        which would be torn.
        """
        sizes_us = [size * 1_000_000 for size in sizes_s]
        stored = {int(size_us): level for level, (_, size_us) in enumerate(self._levels.tolist()) if size_us}
        if self.own_sizes or not sizes_us or sizes_us == list(stored) or sizes_us[0] != next(iter(stored), None):
            return
        before, totals = self._levels.copy(), self.totals.copy()
        begun, pane_us = before[0].tolist()
        self._levels[:] = UNOPENED, 0
        self.totals[1:] = catalogue.layout.empty(1)[:, 0]
        for level, size_us in enumerate(sizes_us):
            if size_us in stored:
                self._levels[level], self.totals[1 + level] = before[stored[size_us]], totals[1 + stored[size_us]]
                continue
            self._levels[level] = UNOPENED, size_us
            if begun != UNOPENED:
                number = begun * pane_us // size_us
                self._levels[level, 0] = number
                self._begin(Since(fields, begun * pane_us, 0, 0.0), size_us, number * size_us)
        kept = {(size_us, number * size_us) for number, size_us in self._levels.tolist() if size_us}
        self.since = {window: some for window, some in self.since.items() if window == LIFE or window in kept}

    def _begin(self, since: Since, size_us: int, start_us: int) -> None:
        """Tell of a window that was open before its size was kept, if rows of it may be missing."""
        first_us = int(self.integers[Integers.NAMES.index("first_us")])
        if self._last_us() != NEVER and max(start_us, first_us) < since.time_us:
            self.since[size_us, start_us] = (since,)

    def mark_late(self, fields: frozenset[str], catalogue: Catalogue) -> None:
        """Tell of fields that the state did not hold yet: they count from the oldest row that waits."""
        if not fields or self._last_us() == NEVER:
            return
        time_us = int(self.waiting.time_us.min()) if len(self.waiting) else self._last_us()
        pane = self.totals[1]
        windows = {LIFE: self.totals[0] + pane}
        for level, (number, size_us) in enumerate(self._levels.tolist()):
            if size_us and number != UNOPENED:
                windows[size_us, number * size_us] = pane if level == 0 else self.totals[1 + level] + pane
        for window, totals in windows.items():
            since = late(fields, time_us, totals, catalogue)
            self.since |= {window: (*self.since.get(window, ()), *since)} if since else {}
