"""Time in each range of the temperature, all of it and while charging: what limits are read from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import borrowing, inlined
from stream_app.domain.samples import Samples
from stream_app.domain.sequential import SequentialState

#: Bins of 5 K from -30 degC on; the outer ones take what lies beyond.
BINS: Final = 20
BIN_K: Final = 5.0
LOWEST_C: Final = -30.0
#: Time [s] in each bin, then time in each bin while charging.
_WIDTH: Final = 2 * BINS


def temperature_c(samples: Samples) -> FloatArray:
    """Temperature of the row [degC]; without one the middle of the lowest and the highest cell's."""
    measured = samples["temperature_c"]
    return np.where(np.isnan(measured), (samples["t_min_c"] + samples["t_max_c"]) / 2, measured)


@inlined
def _step(
    state: FloatArray,
    stack: FloatArray,
    depths: IntArray,
    temperature: float,
    dt_s: float,
    charging: bool,
    events: FloatArray,
) -> int:
    """Take a row: its temperature and its step; no events."""
    if dt_s > 0 and not np.isnan(temperature):
        place = int(min(max((temperature - LOWEST_C) // BIN_K, 0.0), BINS - 1.0))
        state[place] += dt_s
        if charging:
            state[BINS + place] += dt_s
    return 0


@borrowing
def _residue(state: FloatArray, stack: FloatArray, numbers: FloatArray) -> None:
    """All of it."""
    for x in range(_WIDTH):
        numbers[x] = state[x]


class TemperatureDwell(SequentialState):
    """Time by temperature over the lifetime."""

    name, version, width, point, points = "temperature_dwell", 1, _WIDTH, 1, 1
    event = ()
    step = staticmethod(_step)
    residue_width = _WIDTH
    residue = staticmethod(_residue)

    def start(self) -> FloatArray:
        """No time."""
        return np.zeros(_WIDTH)

    def inputs(self, samples: Samples) -> tuple[Any, ...]:
        """Temperature, length of the step, and whether it charges."""
        return temperature_c(samples), samples.dt_s, samples.charge_step

    def events(self, row: Any, told: Mapping[str, Any]) -> None:
        """There are none."""
