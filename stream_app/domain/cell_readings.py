"""Temperatures and spreads of cells, which only some assets have: rows without them cost next to nothing.

Notes
-----
Each row with a temperature or a spread is an event, whose numbers the metrics add. The time in each range of the
temperature is kept of the lifetime alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
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
_KELVIN: Final = 273.15
_REFERENCE_K: Final = 298.15
#: Activation energy 50 kJ/mol over the gas constant [J/(mol K)]: K.
_ACTIVATION_K: Final = 50_000 / 8.314462618


@dataclass(frozen=True, slots=True)
class CellRows:
    """Steps with a temperature or a spread, in row order, each array of shape ``(c,)``; NaN where not measured.

    ``aged_s`` is the time at 25 degC that ages as much; ``rest_s`` is the duration at rest, 0 under load; ``loaded_s``
    and ``loaded_as`` are duration and |charge| under load, 0 at rest and without a current.
    """

    row: IntArray
    temperature_c: FloatArray
    aged_s: FloatArray
    spread_v: FloatArray
    spread_k: FloatArray
    dt_s: FloatArray
    rest_s: FloatArray
    loaded_s: FloatArray
    loaded_as: FloatArray


def temperature_c(samples: Samples) -> FloatArray:
    """Temperature of the row [degC]; without one the middle of the lowest and the highest cell's."""
    measured = samples["temperature_c"]
    return np.where(np.isnan(measured), (samples["t_min_c"] + samples["t_max_c"]) / 2, measured)


def spread(samples: Samples, low: str, high: str) -> FloatArray:
    """Highest less lowest reading; NaN where they are swapped, which no pack can be."""
    difference = samples[high] - samples[low]
    return np.where(difference >= 0, difference, np.nan)


@inlined
def _step(
    state: FloatArray,
    stack: FloatArray,
    depths: IntArray,
    temperature: float,
    spread_v: float,
    spread_k: float,
    current_a: float,
    dt_s: float,
    charges: bool,
    rests: bool,
    events: FloatArray,
) -> int:
    """Take a row; whether it is told."""
    has_temperature = not np.isnan(temperature)
    if dt_s <= 0 or not (has_temperature or spread_v >= 0 or spread_k >= 0):
        return 0
    events[0, 0], events[1, 0] = temperature, np.nan
    if has_temperature:
        place = int(min(max((temperature - LOWEST_C) // BIN_K, 0.0), BINS - 1.0))
        state[place] += dt_s
        if charges:
            state[BINS + place] += dt_s
        kelvin = min(max(temperature, -60.0), 150.0) + _KELVIN
        events[1, 0] = math.exp(_ACTIVATION_K * (1 / _REFERENCE_K - 1 / kelvin)) * dt_s
    events[2, 0], events[3, 0], events[4, 0] = spread_v, spread_k, dt_s
    is_loaded = not rests and not np.isnan(current_a)
    events[5, 0] = dt_s if rests else 0.0
    events[6, 0] = dt_s if is_loaded else 0.0
    events[7, 0] = abs(current_a) * dt_s if is_loaded else 0.0
    return 1


@borrowing
def _residue(state: FloatArray, stack: FloatArray, numbers: FloatArray) -> None:
    """Time in each bin, then while charging."""
    for x in range(_WIDTH):
        numbers[x] = state[x]


class CellReadings(SequentialState):
    """Time by temperature over the lifetime; each row with a temperature or a spread is told."""

    name, version, width, point, points = "cell_readings", 1, _WIDTH, 1, 1
    event = ("temperature_c", "aged_s", "spread_v", "spread_k", "dt_s", "rest_s", "loaded_s", "loaded_as")
    step = staticmethod(_step)
    residue_width = _WIDTH
    residue = staticmethod(_residue)

    def start(self) -> FloatArray:
        """No time."""
        return np.zeros(_WIDTH)

    def inputs(self, samples: Samples) -> tuple[Any, ...]:
        """Temperature, spreads, current and length of the step, whether it charges, and whether it rests."""
        return (
            temperature_c(samples),
            spread(samples, "cell_v_min", "cell_v_max"),
            spread(samples, "t_min_c", "t_max_c"),
            samples.current_a,
            samples.dt_s,
            samples.charge_step,
            samples.rest_step,
        )

    def events(self, row: Any, told: Mapping[str, Any]) -> CellRows:
        """The rows that are told."""
        return CellRows(row, **told)
