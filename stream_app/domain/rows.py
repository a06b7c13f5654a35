"""Rows as columns: what a decoder hands to the fleet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stream_app.columns.arrays import FloatArray, IntArray

#: Columns of a row, in the order in which state keeps them. The wire's names, with units.
COLUMNS = (
    "current_a",
    "voltage_v",
    "soc_percent",
    "power_w",
    "temperature_c",
    "cell_v_min",
    "cell_v_max",
    "t_min_c",
    "t_max_c",
)


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
    """

    asset: IntArray
    offset: IntArray
    time_us: IntArray
    columns: Mapping[str, FloatArray]

    def __len__(self) -> int:
        return len(self.asset)
