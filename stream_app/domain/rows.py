"""Rows as columns: what a decoder hands to the fleet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from schemas.columns import COLUMNS as INPUT_COLUMNS
from stream_app.columns.arrays import FloatArray, IntArray

#: Columns of a row, in the order in which the domain keeps them: the readings' names with units.
COLUMNS = tuple(column.name for column in INPUT_COLUMNS)


@dataclass(frozen=True, slots=True)
class Rows:
    """``n`` rows of one source partition in arrival order.

    Parameters
    ----------
    asset
        Slot of each row's asset in the fleet, shape ``(n,)``.
    offset
        Source offset of the message that brought the row, ascending, shape ``(n,)``. Rows of one message share it.
    time_us
        Event time, microseconds since 1970 UTC, shape ``(n,)``.
    columns
        Some of :data:`COLUMNS`, each shape ``(n,)``; NaN and an absent column mean "not measured".
    latest_us
        Latest stamp that each row may have, shape ``(n,)``; empty: any.
    """

    asset: IntArray
    offset: IntArray
    time_us: IntArray
    columns: Mapping[str, FloatArray]
    latest_us: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.asset)
