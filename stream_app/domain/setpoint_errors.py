"""How far the power is from its set-point, which only some assets tell: rows without one cost next to nothing.

Notes
-----
The sums are of the lifetime alone: of each window size they would need as much room again. What counts as near is a
share of the largest set-point so far, which is the rated power or less: no row counts that would not by the rated one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import borrowing, inlined
from stream_app.domain.samples import Samples
from stream_app.domain.sequential import SequentialState

#: Error that still counts as near, as a share of the largest set-point so far.
NEAR_SHARE: Final = 0.02

# One asset's numbers: sums over its steps with power and set-point of error x error x duration, |error| x duration, the
# duration, and the duration where the error is small; the largest |set-point| so far, below 0 before the first.
_SQUARED, _ABSOLUTE, _DURATION, _NEAR, _LARGEST = range(5)
_WIDTH: Final = 5
#: Numbers of the residue: 1, then those of the state.
IS_LIFETIME, SQUARED_W2S, ABSOLUTE_WS, READ_S, NEAR_S, LARGEST_W = range(6)


@inlined
def _step(
    state: FloatArray,
    stack: FloatArray,
    depths: IntArray,
    power_w: float,
    setpoint_w: float,
    dt_s: float,
    events: FloatArray,
) -> int:
    """Take a row; no events."""
    if np.isnan(setpoint_w):
        return 0
    state[_LARGEST] = max(state[_LARGEST], abs(setpoint_w))
    error_w = abs(power_w - setpoint_w)
    if dt_s > 0 and not np.isnan(error_w):
        state[_SQUARED] += error_w * error_w * dt_s
        state[_ABSOLUTE] += error_w * dt_s
        state[_DURATION] += dt_s
        if error_w <= NEAR_SHARE * state[_LARGEST]:
            state[_NEAR] += dt_s
    return 0


@borrowing
def _residue(state: FloatArray, stack: FloatArray, numbers: FloatArray) -> None:
    """Write 1, then the state."""
    numbers[IS_LIFETIME] = 1.0
    for x in range(_WIDTH):
        numbers[SQUARED_W2S + x] = state[x]


class SetpointErrors(SequentialState):
    """Sums of the errors over the lifetime."""

    name, version, width, point, points = "setpoint_errors", 1, _WIDTH, 1, 1
    event = ()
    step = staticmethod(_step)
    residue_width = 1 + _WIDTH
    residue = staticmethod(_residue)

    def start(self) -> FloatArray:
        """No set-point seen."""
        state = np.zeros(_WIDTH)
        state[_LARGEST] = -1.0
        return state

    def inputs(self, samples: Samples) -> tuple[Any, ...]:
        """Power of the row, its set-point, and how long they hold."""
        return samples.power_w, samples["power_setpoint_w"], samples.dt_s

    def events(self, row: Any, told: Mapping[str, Any]) -> None:
        """There are none."""
