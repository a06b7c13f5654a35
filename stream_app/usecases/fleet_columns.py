"""Columns over the assets of a worker, which grow as assets come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import BoolArray, FloatArray, IntArray


@dataclass(slots=True)
class Columns:
    """Columns over slots; ``there`` tells which slots are in use, of the others the numbers mean nothing.

    ``metrics`` has a line per slot and a column per metric that is one number, NaN where undefined; the others are as
    in :class:`FleetRows`. Numbers are rounded to seven digits: they order, they are not shown.
    """

    there: BoolArray
    partition: IntArray
    rank: IntArray
    rows: IntArray
    rejected: IntArray
    last_us: IntArray
    silent_after_s: FloatArray
    is_upload: BoolArray
    doing: IntArray
    soc_percent: FloatArray
    power_w: FloatArray
    day_us: IntArray
    day_in_kwh: FloatArray
    day_out_kwh: FloatArray
    received_us: IntArray
    metrics: NDArray[np.float32]

    @classmethod
    def empty(cls, metrics: int) -> Columns:
        """No slots."""
        integers, numbers = np.zeros(0, np.int64), np.zeros(0)
        truths = np.zeros(0, np.bool_)
        return cls(
            truths,
            integers,
            integers,
            integers,
            integers,
            integers,
            numbers,
            truths,
            integers,
            numbers,
            numbers,
            integers,
            numbers,
            numbers,
            integers,
            np.zeros((0, metrics), np.float32),
        )

    def grow(self, room: int) -> None:
        """Make room for so many slots."""
        for name in self.__slots__:
            column = getattr(self, name)
            grown = np.zeros((room, *column.shape[1:]), column.dtype)
            grown[: len(column)] = column
            setattr(self, name, grown)
