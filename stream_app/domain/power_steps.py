"""Ramps of the power from row to row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import inlined
from stream_app.domain.samples import Samples
from stream_app.domain.sequential import SequentialState

#: Longest step that tells a ramp [s].
LONGEST_S: Final = 10.0

# One asset's numbers: the last power, and the duration of its step (0: not valid).
_POWER, _DT = range(2)


@dataclass(frozen=True, slots=True)
class Ramps:
    """Ramps in row order, each array of shape ``(r,)``."""

    row: IntArray
    ramp_w_per_s: FloatArray


@inlined
def _step(
    state: FloatArray, stack: FloatArray, depths: IntArray, power_w: float, dt_s: float, events: FloatArray
) -> int:
    """Take a row: its power, then how long it holds; whether its ramp from the row before is told."""
    dt, change_w = state[_DT], abs(power_w - state[_POWER])
    state[_POWER], state[_DT] = power_w, dt_s
    if 0 < dt <= LONGEST_S and not np.isnan(change_w):
        events[0, 0] = change_w / dt
        return 1
    return 0


class PowerSteps(SequentialState):
    """The last power."""

    name, version, width, point, points = "power_steps", 1, 2, 1, 1
    event = ("ramp_w_per_s",)
    step = staticmethod(_step)

    def start(self) -> FloatArray:
        """No row seen."""
        return np.array([np.nan, 0.0])

    def inputs(self, samples: Samples) -> tuple[Any, ...]:
        """Power of the row, and how long it holds."""
        return samples.power_w, samples.dt_s

    def events(self, row: Any, told: Mapping[str, Any]) -> Ramps:
        """The ramps that are told."""
        return Ramps(row, **told)
