"""Rests: what the state of charge loses while nothing flows, and the voltage that it settles to.

Notes
-----
A rest is a run of steps at rest; a gap ends it. One of ``LONG_REST_S`` tells self-discharge: the change of the SoC,
less the charge that the sensor did see. One of ``SETTLED_S`` tells a point of the open-circuit voltage: the last
resting row's voltage and SoC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import borrowing, inlined
from stream_app.domain.samples import Samples
from stream_app.domain.sequential import SequentialState

#: Rest that tells self-discharge, and after which the voltage has settled [s].
LONG_REST_S, SETTLED_S = 7200.0, 1800.0

# One asset's numbers: SoC at the rest's begin (NaN: no rest), time and charge so far; the rest's last SoC, and time and
# charge up to it; the last settled voltage and its SoC. What is told is not forgotten when a rest ends.
_BEGIN, _TIME, _CHARGE, _LAST, _LAST_TIME, _LAST_CHARGE, _VOLTAGE, _VOLTAGE_SOC, _TOLD = range(9)
#: Of the long rests: count, time, change of the SoC, charge, and dS dS / t, dS dQ / t, dQ dQ / t.
LONG_SUMS: Final = 0
#: Of the points: count, SoC, voltage, and S S, S V, V V.
POINT_SUMS: Final = 7
#: Smallest change of the SoC from row to row; infinite before there is one.
RESOLUTION: Final = 13
_TOLD_WIDTH: Final = 14
_WIDTH: Final = _TOLD + _TOLD_WIDTH


@inlined
def _step(
    state: FloatArray,
    stack: FloatArray,
    depths: IntArray,
    rests: bool,
    soc_percent: float,
    soc_step_percent: float,
    voltage_v: float,
    charge_as: float,
    dt_s: float,
    events: FloatArray,
) -> int:
    """Take a row: its SoC, then its step; no events."""
    known = not np.isnan(soc_percent)
    if 0 < abs(soc_step_percent) < state[_TOLD + RESOLUTION]:
        state[_TOLD + RESOLUTION] = abs(soc_step_percent)
    if not np.isnan(state[_BEGIN]):
        if known:
            state[_LAST], state[_LAST_TIME], state[_LAST_CHARGE] = soc_percent, state[_TIME], state[_CHARGE]
        if not rests:
            _end(state)
    if rests:
        if known and np.isnan(state[_BEGIN]):
            state[_BEGIN], state[_LAST] = soc_percent, soc_percent
        if known and state[_TIME] >= SETTLED_S and not np.isnan(voltage_v):
            state[_VOLTAGE], state[_VOLTAGE_SOC] = voltage_v, soc_percent
        if not np.isnan(state[_BEGIN]):
            state[_TIME] += dt_s
            if not np.isnan(charge_as):
                state[_CHARGE] += charge_as
    return 0


@borrowing
def _end(state: FloatArray) -> None:
    """Count the rest that ends, and forget it."""
    time_s = state[_LAST_TIME]
    if time_s >= LONG_REST_S:
        change, charge, at = state[_LAST] - state[_BEGIN], state[_LAST_CHARGE], _TOLD + LONG_SUMS
        state[at] += 1
        state[at + 1] += time_s
        state[at + 2] += change
        state[at + 3] += charge
        state[at + 4] += change * change / time_s
        state[at + 5] += change * charge / time_s
        state[at + 6] += charge * charge / time_s
    if not np.isnan(state[_VOLTAGE]):
        soc, voltage, at = state[_VOLTAGE_SOC], state[_VOLTAGE], _TOLD + POINT_SUMS
        state[at] += 1
        state[at + 1] += soc
        state[at + 2] += voltage
        state[at + 3] += soc * soc
        state[at + 4] += soc * voltage
        state[at + 5] += voltage * voltage
    for x in range(_TOLD):
        state[x] = 0.0
    state[_BEGIN] = state[_LAST] = state[_VOLTAGE] = state[_VOLTAGE_SOC] = np.nan


@borrowing
def _residue(state: FloatArray, stack: FloatArray, numbers: FloatArray) -> None:
    """Write the sums of the long rests, those of the points, and the resolution."""
    for x in range(_TOLD_WIDTH):
        numbers[x] = state[_TOLD + x]


class Rests(SequentialState):
    """The rest that is open, and the sums over those before."""

    name, version, width, point, points = "rests", 1, _WIDTH, 1, 1
    event = ()
    step = staticmethod(_step)
    residue_width = _TOLD_WIDTH
    residue = staticmethod(_residue)

    def start(self) -> FloatArray:
        """No rest seen."""
        state = np.zeros(_WIDTH)
        state[[_BEGIN, _LAST, _VOLTAGE, _VOLTAGE_SOC]] = np.nan
        state[_TOLD + RESOLUTION] = np.inf
        return state

    def inputs(self, samples: Samples) -> tuple[Any, ...]:
        """Whether the step rests, SoC and its change from the row before, voltage, charge and length of the step."""
        return (
            samples.rest_step,
            samples.soc_percent,
            samples.diff("soc_percent"),
            samples.voltage_v,
            samples.charge_as,
            samples.dt_s,
        )

    def events(self, row: Any, told: Mapping[str, Any]) -> None:
        """There are none."""
