"""Steps of current and voltage from row to row: resistance, and whether the two belong together.

Notes
-----
A step from one row to the next counts when the duration between them is valid. It can tell the resistance when it is at
most ``LONGEST_S`` long, at least a tenth of the largest current so far, and when the current moved at most a quarter of
it in each of the two steps before: then the polarisation of earlier steps is small beside it. What of it is left still
relaxes, and the SoC moves, so the step before shows how the voltage drifts: it is subtracted. A drift does not go on as
it was where the open-circuit voltage bends (a pack that stops because it is empty), so a step with much of it is left
out. So is a step over a lost row, and one soon after it: nobody knows when in it the current changed. None of this
needs the spec, so it does not matter when the spec came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import borrowing, inlined
from stream_app.domain.samples import Samples
from stream_app.domain.sequential import SequentialState

#: Longest step that tells a resistance [s]: rows every 10 s come a little late now and then.
LONGEST_S: Final = 12.0
#: Least step of the current, as a share of the largest current so far.
LEAST_SHARE: Final = 0.1
#: What the two steps before may be of it.
QUIET_SHARE: Final = 0.25
#: What the drift of the voltage may be of its step.
DRIFT_SHARE: Final = 0.03
#: How long a step may be beside the usual one: between one row that is late and one that is lost.
LONGEST_RATIO: Final = 1.75
#: By how much the usual step may be longer from one row to the next, as a ratio.
_SLOWER: Final = 1.05
#: Current and voltage that both stay the same for so long, under such a load, are frozen [s].
FROZEN_S: Final = 600.0

# One asset's numbers: the last readings and the duration of their step (0: not valid), the size of the last two steps
# of the current (infinite: unknown, or over a lost row), what current and voltage moved per second in the last one, the
# largest current, time without any change, the usual step; frozen time, count of all steps, and the sums of their
# squares and products.
_CURRENT, _VOLTAGE, _DT, _BEFORE, _LONG_BEFORE, _DRIFT_I, _DRIFT_V, _LARGEST, _SAME_S, _USUAL_S, _TOLD = range(11)
_TOLD_WIDTH: Final = 5
_WIDTH: Final = _TOLD + _TOLD_WIDTH


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps that tell the resistance, in row order, each array of shape ``(s,)``: changes less those of the drift."""

    row: IntArray
    di_a: FloatArray
    dv_v: FloatArray
    dt_s: FloatArray


@inlined
def _step(
    state: FloatArray,
    stack: FloatArray,
    depths: IntArray,
    current_a: float,
    voltage_v: float,
    dt_s: float,
    events: FloatArray,
) -> int:
    """Take a row: its readings, then how long they hold; whether its step from the row before is told."""
    told, dt = 0, state[_DT]
    di, dv = current_a - state[_CURRENT], voltage_v - state[_VOLTAGE]
    size = abs(di)
    state[_LARGEST] = max(state[_LARGEST], abs(current_a))
    if dt > 0:
        state[_USUAL_S] = min(dt, _SLOWER * state[_USUAL_S])
    if dt > 0 and not np.isnan(di) and not np.isnan(dv):
        state[_TOLD + 1] += 1
        state[_TOLD + 2] += di * di
        state[_TOLD + 3] += di * dv
        state[_TOLD + 4] += dv * dv
        if di == 0 and dv == 0 and current_a != 0 and abs(current_a) >= LEAST_SHARE * state[_LARGEST]:
            state[_SAME_S] += dt
            if state[_SAME_S] >= FROZEN_S:
                state[_TOLD] += state[_SAME_S] if state[_SAME_S] - dt < FROZEN_S else dt
        else:
            state[_SAME_S] = 0.0
    else:
        state[_SAME_S] = 0.0
        size = np.inf
    if dt > LONGEST_RATIO * state[_USUAL_S]:
        size = np.inf
    quiet = QUIET_SHARE * size
    drift_v = state[_DRIFT_V] * dt
    if (
        0 < size < np.inf
        and dt <= LONGEST_S
        and size >= LEAST_SHARE * state[_LARGEST]
        and state[_BEFORE] <= quiet
        and state[_LONG_BEFORE] <= quiet
        and abs(drift_v) <= DRIFT_SHARE * abs(dv - drift_v)
    ):
        told = 1
        events[0, 0] = di - state[_DRIFT_I] * dt
        events[1, 0] = dv - drift_v
        events[2, 0] = dt
    if size < np.inf:
        state[_DRIFT_I], state[_DRIFT_V] = di / dt, dv / dt
    state[_LONG_BEFORE], state[_BEFORE] = state[_BEFORE], size
    state[_CURRENT], state[_VOLTAGE], state[_DT] = current_a, voltage_v, dt_s
    return told


@borrowing
def _residue(state: FloatArray, stack: FloatArray, numbers: FloatArray) -> None:
    """Frozen time, count of steps, and the sums of dI dI, dI dV and dV dV."""
    for x in range(_TOLD_WIDTH):
        numbers[x] = state[_TOLD + x]


class SignalSteps(SequentialState):
    """The last readings, and sums over all steps of the lifetime."""

    name, version, width, point, points = "signal_steps", 3, _WIDTH, 1, 1
    event = ("di_a", "dv_v", "dt_s")
    step = staticmethod(_step)
    residue_width = _TOLD_WIDTH
    residue = staticmethod(_residue)

    def start(self) -> FloatArray:
        """No row seen."""
        state = np.zeros(_WIDTH)
        state[[_CURRENT, _VOLTAGE]] = np.nan
        state[[_BEFORE, _LONG_BEFORE, _USUAL_S]] = np.inf
        return state

    def inputs(self, samples: Samples) -> tuple[Any, ...]:
        """Current and voltage of the row, and how long they hold."""
        return samples.current_a, samples.voltage_v, samples.dt_s

    def events(self, row: Any, told: Mapping[str, Any]) -> Steps:
        """The steps that are told."""
        return Steps(row, **told)
