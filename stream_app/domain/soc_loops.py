"""Closed loops of the state of charge: streaming rainflow counting that also meters each loop's energy.

Notes
-----
The SoC's turning points (those that a reversal of at least ``hysteresis_percent`` confirms) stand on a stack with the
energy counters at their time. When the SoC, coming from the last point C, crosses the level of the point B before it,
and the range before B was no smaller, the loop B-C-B is closed: a full cycle of the four-point rule, with no net change
of charge, so energy out over energy in is its round-trip efficiency free of any SoC or open-circuit-voltage bias. The
loop's energy is then taken out of the counters, so that an enclosing loop does not count it again.

References
----------
ASTM E1049-85 (rainflow counting); four-point rule: full cycles here plus the residue as half cycles equal its counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import borrowing, inlined
from stream_app.domain.samples import Samples
from stream_app.domain.sequential import SequentialState

HYSTERESIS_PERCENT = 1.0
#: Bins of a cycle's depth, and the width of one.
DEPTH_BINS = 20
DEPTH_BIN_PERCENT = 100 / DEPTH_BINS
#: A depth that is so little short of a bin's edge is on it: 65.1 - 60.1 is less than 5.
EDGE_PERCENT = 1e-9

# One asset's numbers. A point is (SoC, energy in, energy out, gaps), its counters less the loops already taken out.
_DIRECTION, _HIGH, _LOW, _COUNTED, _TAKEN, _LEVEL = 0, 1, 5, 9, 12, 15
_WIDTH = 16
_POINT = 4
#: Turning points that are kept: some ten of any real pack. Of a SoC that swings ever wider the oldest are forgotten.
_POINTS = 1024


@dataclass(frozen=True, slots=True)
class Loops:
    """Loops closed in a batch, in row order, each array of shape ``(l,)``.

    ``whole`` is false where a gap took some of the loop's energy.
    """

    row: IntArray
    depth_percent: FloatArray
    energy_in_j: FloatArray
    energy_out_j: FloatArray
    whole: FloatArray


@inlined
def _step(
    state: FloatArray,
    stack: FloatArray,
    depths: IntArray,
    soc_percent: float,
    energy_j: float,
    charge: bool,
    discharge: bool,
    over_gap_percent: float,
    hysteresis_percent: float,
    events: FloatArray,
) -> int:
    """Take a row: its SoC, then the energy of its step; how many loops were closed."""
    closed = 0
    direction, soc = state[_DIRECTION], soc_percent
    crossed = state[_LEVEL] <= soc if direction > 0 else soc <= state[_LEVEL]
    if crossed or _turn(state, soc, hysteresis_percent) != 0.0:
        closed = _turn_and_close(state, stack, depths, soc, hysteresis_percent, events)
    else:
        if direction >= 0 and soc > state[_HIGH]:
            _extend(state, _HIGH, soc)
        if direction <= 0 and soc < state[_LOW]:
            _extend(state, _LOW, soc)
    unknown = np.isnan(energy_j)
    if charge and not unknown:
        state[_COUNTED] += energy_j
    if discharge and not unknown:
        state[_COUNTED + 1] -= energy_j
    if over_gap_percent != 0 or (unknown and (charge or discharge)):
        state[_COUNTED + 2] += 1
    return closed


@borrowing
def _turn_and_close(
    state: FloatArray,
    stack: FloatArray,
    depths: IntArray,
    soc_percent: float,
    hysteresis_percent: float,
    events: FloatArray,
) -> int:
    """Go from turn to crossing to turn; how many loops were closed."""
    closed = 0
    while True:
        turn = _turn(state, soc_percent, hysteresis_percent)
        if turn != 0.0:
            _push(state, stack, depths, turn)
            _extend(state, _LOW if turn < 0 else _HIGH, soc_percent)
            state[_LEVEL] = _level(stack, depths[0])
        elif state[_LEVEL] <= soc_percent if state[_DIRECTION] > 0 else soc_percent <= state[_LEVEL]:
            depths[0] -= 2
            _close(state, soc_percent, stack[_POINT * depths[0] :], events, closed)
            closed += 1
            state[_LEVEL] = _level(stack, depths[0])
        else:
            if state[_DIRECTION] >= 0 and soc_percent > state[_HIGH]:
                _extend(state, _HIGH, soc_percent)
            if state[_DIRECTION] <= 0 and soc_percent < state[_LOW]:
                _extend(state, _LOW, soc_percent)
            return closed


@inlined
def _turn(state: FloatArray, soc_percent: float, hysteresis_percent: float) -> float:
    """Direction into which a reading turns the SoC; 0 when it does not."""
    direction = state[_DIRECTION]
    if direction >= 0 and soc_percent < state[_HIGH] and state[_HIGH] - soc_percent >= hysteresis_percent:
        return -1.0
    if direction <= 0 and soc_percent > state[_LOW] and soc_percent - state[_LOW] >= hysteresis_percent:
        return 1.0
    return 0.0


@borrowing
def _push(state: FloatArray, stack: FloatArray, depths: IntArray, turn: float) -> None:
    """Put the extreme that a turn confirms onto the stack."""
    if depths[0] == _POINTS:
        for x in range(_POINT * (_POINTS - 1)):
            stack[x] = stack[x + _POINT]
        depths[0] -= 1
    side = _HIGH if turn < 0 else _LOW
    for x in range(_POINT):
        stack[_POINT * depths[0] + x] = state[side + x]
    depths[0] += 1
    state[_DIRECTION] = turn


@inlined
def _extend(state: FloatArray, side: int, soc_percent: float) -> None:
    """Move the running extreme to a reading, with what is in the counters then."""
    state[side] = soc_percent
    for x in range(3):
        state[side + 1 + x] = state[_COUNTED + x] - state[_TAKEN + x]


@borrowing
def _level(stack: FloatArray, depth: int) -> float:
    """Level whose crossing closes a loop; NaN while there is none."""
    if depth < 3:
        return np.nan
    a, b, c = stack[_POINT * (depth - 3)], stack[_POINT * (depth - 2)], stack[_POINT * (depth - 1)]
    return b if abs(a - b) >= abs(b - c) else np.nan


@borrowing
def _close(state: FloatArray, soc_percent: float, loop: FloatArray, events: FloatArray, closed: int) -> None:
    """Take the loop between two turning points, which are the first of ``loop``, out: the SoC is back where it began.

    No row of this leg was beyond the level before, so the row is its extreme, with what is left in the counters.
    """
    events[0, closed] = abs(loop[0] - loop[_POINT])
    side = _HIGH if state[_DIRECTION] > 0 else _LOW
    state[side] = soc_percent
    for x in range(3):
        energy = state[_COUNTED + x] - state[_TAKEN + x] - loop[1 + x]
        state[_TAKEN + x] += energy
        state[side + 1 + x] = state[_COUNTED + x] - state[_TAKEN + x]
        if x < 2:
            events[1 + x, closed] = energy
        else:
            events[3, closed] = 1.0 if energy == 0 else 0.0


@borrowing
def _residue(state: FloatArray, stack: FloatArray, cycles: FloatArray) -> None:
    """Half cycles by depth: the legs between turning points, the running extreme last."""
    cycles[:] = 0.0
    before = np.nan
    for at in range(0, len(stack), _POINT):
        _count_leg(cycles, before, stack[at])
        before = stack[at]
    if state[_DIRECTION] != 0:
        _count_leg(cycles, before, state[_HIGH] if state[_DIRECTION] > 0 else state[_LOW])


@borrowing
def _count_leg(cycles: FloatArray, start_percent: float, end_percent: float) -> None:
    """Count half a cycle; before the first turning point (NaN) there is no leg."""
    if not np.isnan(start_percent):
        number = (abs(end_percent - start_percent) + EDGE_PERCENT) // DEPTH_BIN_PERCENT
        cycles[int(min(number, DEPTH_BINS - 1.0))] += 0.5


class SocLoops(SequentialState):
    """Turning points of the SoC that no closed loop has used up yet."""

    name, version, width, point, points = "soc_loops", 1, _WIDTH, _POINT, _POINTS
    event = ("depth_percent", "energy_in_j", "energy_out_j", "whole")
    step = staticmethod(_step)
    residue_width = DEPTH_BINS
    residue = staticmethod(_residue)

    def __init__(self, hysteresis_percent: float = HYSTERESIS_PERCENT) -> None:
        self._hysteresis_percent = hysteresis_percent

    def start(self) -> FloatArray:
        """No SoC seen, no direction, all counters 0."""
        state = np.zeros(_WIDTH)
        state[[_HIGH, _LOW, _LEVEL]] = -np.inf, np.inf, np.nan
        return state

    def inputs(self, samples: Samples) -> tuple[Any, ...]:
        """SoC and energy of the row's step, its direction, and the SoC's change over the gap behind it."""
        return (
            samples.soc_percent,
            samples.energy_j,
            samples.charge_step,
            samples.discharge_step,
            samples.soc_over_gap_percent,
            np.full(len(samples), self._hysteresis_percent),
        )

    def events(self, row: Any, told: Mapping[str, Any]) -> Loops:
        """The loops that close."""
        return Loops(row, **told)
