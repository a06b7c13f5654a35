"""Local wall time to UTC, through the changes between summer and winter time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from stream_app.columns.arrays import BoolArray, IntArray

#: Offsets change at such times.
_QUARTER_US = 900_000_000
_EPOCH = datetime(1970, 1, 1)  # wall time
_MICROSECOND = timedelta(microseconds=1)


class LocalClock:
    """Reads wall time of a zone. Of a time that comes twice in autumn, the order of the rows tells which one is meant.

    Parameters
    ----------
    name
        Of the zone.
    descending
        Whether the newest row comes first.
    """

    def __init__(self, name: str, *, descending: bool = False) -> None:
        self.name, self._zone, self._descending = name, ZoneInfo(name), descending
        self._last_us: dict[str, int] = {}
        self._offsets: dict[int, tuple[int, int]] = {}
        self.skipped = 0  # times that the clock jumps over in spring

    def restart(self) -> None:
        """Begin with the first row again."""
        self._last_us.clear()
        self.skipped = 0

    def utc_us(self, wall_us: IntArray, which: BoolArray, assets: Sequence[str] | None) -> IntArray:
        """Microseconds since 1970 UTC, shape ``(n,)``, of the wall times that are asked for; the others as they are."""
        out = wall_us.copy()
        quarters, at = np.unique(wall_us[which] // _QUARTER_US, return_inverse=True)
        offsets = [self._offset_us(quarter * _QUARTER_US) for quarter in quarters.tolist()]
        if offsets and all(first == second for first, second in offsets):  # no hour here comes twice
            out[which] -= np.array([first for first, _ in offsets], np.int64)[at]
            if assets is None:
                self._last_us[""] = int(out[which][-1])
            else:
                self._last_us |= dict(zip(np.array(assets, object)[which].tolist(), out[which].tolist(), strict=True))
            return out
        for i in np.flatnonzero(which).tolist():
            wall = int(wall_us[i])
            first, second = self._offset_us(wall)
            asset = assets[i] if assets is not None else ""
            time_us = wall - first
            if first != second:
                time_us = self._meant(wall - first, wall - second, self._last_us.get(asset))
            self._last_us[asset] = out[i] = time_us
        return out

    def _meant(self, one: int, two: int, last_us: int | None) -> int:
        early, late = min(one, two), max(one, two)
        if self._descending:
            return late if last_us is None or late <= last_us else early
        return early if last_us is None or early >= last_us else late

    def _offset_us(self, wall_us: int) -> tuple[int, int]:
        """Offsets of both readings of a wall time; they are the same but for the hour that comes twice."""
        hour = wall_us // _QUARTER_US
        if hour not in self._offsets:
            wall = _EPOCH + timedelta(microseconds=hour * _QUARTER_US)
            offsets = tuple(
                self._zone.utcoffset(wall.replace(fold=fold)) // _MICROSECOND  # type: ignore[operator]
                for fold in (0, 1)
            )
            if offsets[0] < offsets[1]:  # in spring: the clock was not changed in time, its old offset holds
                self.skipped += 1
                offsets = (offsets[0], offsets[0])
            self._offsets[hour] = (offsets[0], offsets[1])
        return self._offsets[hour]
