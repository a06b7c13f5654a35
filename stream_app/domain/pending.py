"""Rows that wait: how long a reading held is known only when the next stamp of its asset arrives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.ragged import Ragged


@dataclass(frozen=True, slots=True)
class TimedColumns:
    """Rows as plain arrays: stamps ``(n,)``, source offsets ``(n,)`` and readings ``(columns, n)``."""

    time_us: IntArray
    offset: IntArray
    values: FloatArray

    def __len__(self) -> int:
        return len(self.time_us)


class PendingRows:
    """The waiting rows of all assets.

    Parameters
    ----------
    columns
        How many readings a row may have.
    """

    def __init__(self, columns: int) -> None:
        self._rows = Ragged(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, columns)))

    def resize(self, assets: int) -> None:
        """Make room for ``assets`` assets."""
        self._rows.resize(assets)

    @property
    def count(self) -> IntArray:
        """How many rows wait per asset."""
        return self._rows.count

    def get(self, assets: IntArray) -> TimedColumns:
        """Waiting rows of the assets, one asset after the other."""
        time_us, offset, values = self._rows.get(assets)
        return TimedColumns(time_us, offset, np.ascontiguousarray(values.T))

    def set(self, assets: IntArray, count: IntArray, rows: TimedColumns) -> None:
        """Replace what waits: ``count[i]`` of the given rows, in order, belong to ``assets[i]``."""
        self._rows.set(assets, count, rows.time_us, rows.offset, rows.values.T)

    def reserve(self, rows: int) -> None:
        """See to it that so many rows can be put anew."""
        self._rows.reserve(rows)

    def view(self) -> tuple[Any, ...]:
        """What the walk works on: start, count, room, used, stamps, offsets and readings."""
        rows = self._rows
        return rows.start, rows.count, rows.room, rows.used, *rows.arrays
