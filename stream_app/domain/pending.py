"""Rows that wait: how long a reading held is known only when the next stamp of its asset arrives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.segments import ragged_arange


@dataclass(frozen=True, slots=True)
class TimedColumns:
    """Rows as plain arrays: stamps ``(n,)``, source offsets ``(n,)`` and readings ``(columns, n)``."""

    time_us: IntArray
    offset: IntArray
    values: FloatArray

    def __len__(self) -> int:
        return len(self.time_us)

    def take(self, index: IntArray) -> TimedColumns:
        """Rows at the given positions."""
        return TimedColumns(self.time_us[index], self.offset[index], self.values[:, index])


@dataclass(frozen=True, slots=True)
class TimedRows:
    """Rows as :class:`TimedColumns`, but with an array ``(n,)`` per column; all columns without readings share one."""

    time_us: IntArray
    offset: IntArray
    values: Sequence[FloatArray]

    def __len__(self) -> int:
        return len(self.time_us)

    def take(self, index: IntArray) -> TimedRows:
        """Rows at the given positions."""
        taken: dict[int, FloatArray] = {}
        for column in self.values:
            if id(column) not in taken:
                taken[id(column)] = column[index]
        values = [taken[id(column)] for column in self.values]
        return TimedRows(self.time_us[index], self.offset[index], values)

    def columns(self) -> TimedColumns:
        """The same as one array of readings."""
        return TimedColumns(self.time_us, self.offset, np.array(self.values))


class PendingRows:
    """The waiting rows of all assets: an append-only log with a live slice per asset, compacted when half is dead.

    Parameters
    ----------
    columns
        How many readings a row may have.
    """

    def __init__(self, columns: int) -> None:
        self._start = np.zeros(0, np.int64)
        self._count = np.zeros(0, np.int64)
        self._time_us = np.zeros(0, np.int64)
        self._offset = np.zeros(0, np.int64)
        self._values = np.zeros((columns, 0))
        self._used = 0

    def resize(self, assets: int) -> None:
        """Make room for ``assets`` assets."""
        grown = assets - len(self._start)
        self._start = np.append(self._start, np.zeros(grown, np.int64))
        self._count = np.append(self._count, np.zeros(grown, np.int64))

    def count(self, assets: IntArray) -> IntArray:
        """How many rows wait per asset."""
        return self._count[assets]

    def get(self, assets: IntArray) -> TimedColumns:
        """Waiting rows of the assets, one asset after the other."""
        index = ragged_arange(self._start[assets], self._count[assets])
        return TimedColumns(self._time_us[index], self._offset[index], self._values[:, index])

    def set(self, assets: IntArray, count: IntArray, rows: TimedColumns) -> None:
        """Replace what waits: ``count[i]`` of the given rows, in order, belong to ``assets[i]``."""
        n = len(rows)
        if self._used + n > len(self._time_us):
            self._compact(assets, n)
        at = self._used
        self._time_us[at : at + n] = rows.time_us
        self._offset[at : at + n] = rows.offset
        self._values[:, at : at + n] = rows.values
        self._start[assets] = at + np.cumsum(count) - count
        self._count[assets] = count
        self._used = at + n

    def _compact(self, replaced: IntArray, room: int) -> None:
        self._count[replaced] = 0
        live = np.flatnonzero(self._count)
        kept = self.get(live)
        size = 2 * (len(kept) + room) + 1024
        self._time_us = np.zeros(size, np.int64)
        self._offset = np.zeros(size, np.int64)
        self._values = np.zeros((len(self._values), size))
        self._used = 0
        self.set(live, self._count[live], kept)
