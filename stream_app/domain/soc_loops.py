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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray, IntArray
from stream_app.columns.compiled import compiled
from stream_app.domain.samples import Samples
from stream_app.domain.sequential import SequentialState

HYSTERESIS_PERCENT = 1.0

# One asset's numbers. A point is (SoC, energy in, energy out, gaps), its counters less the loops already taken out.
_DIRECTION, _HIGH, _LOW, _COUNTED, _TAKEN, _LEVEL = 0, 1, 5, 9, 12, 15
_WIDTH = 16
_POINT = 4


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


class SocLoops(SequentialState):
    """Turning points of the SoC that no closed loop has used up yet.

    What is left are legs that grow and then shrink, each at least ``hysteresis_percent`` long and no two of the
    shrinking ones alike. So there are at most twice as many as lengths of a leg: 2,600 where the SoC comes in tenths of
    a percent from -15 to 115, and some ten of any real pack.
    """

    name, version, width = "soc_loops", 1, _WIDTH

    def __init__(self, hysteresis_percent: float = HYSTERESIS_PERCENT) -> None:
        self._hysteresis = hysteresis_percent

    def start(self) -> FloatArray:
        """No SoC seen, no direction, all counters 0."""
        state = np.zeros(_WIDTH)
        state[[_HIGH, _LOW, _LEVEL]] = -np.inf, np.inf, np.nan
        return state

    def advance(
        self, state: FloatArray, tails: Sequence[FloatArray], samples: Samples
    ) -> tuple[FloatArray, Sequence[FloatArray], Loops]:
        """Walk the rows, asset by asset."""
        state, tails = state.copy(), list(tails)
        starts, stops = samples.starts, samples.stops
        depth = np.array([len(tail) // _POINT for tail in tails], np.int64)
        # Each row may bring one turning point, and each closed loop takes two.
        room = np.cumsum(depth + stops - starts)
        stacks = np.empty((int(room[-1]) if len(room) else 0, _POINT))
        bottom = room - (depth + stops - starts)
        for at, tail, points in zip(bottom.tolist(), tails, depth.tolist(), strict=True):
            if points:
                stacks[at : at + points] = tail.reshape(-1, _POINT)
        rows, loops = np.empty(len(stacks) // 2, np.int64), np.empty((4, len(stacks) // 2))
        steps = samples.charge_step, samples.discharge_step
        turned = np.zeros(len(starts), np.bool_)
        closed = _walk(
            (starts, stops),
            (samples.soc_percent, samples.energy_j, samples.soc_over_gap_percent),
            steps,
            self._hysteresis,
            state,
            (stacks, bottom, depth, turned),
            (rows, loops),
        )
        for k in np.flatnonzero(turned).tolist():
            tails[k] = stacks[bottom[k] : bottom[k] + depth[k]].ravel()
        return state, tails, Loops(rows[:closed], *loops[:, :closed])

    @staticmethod
    def residues_percent(held: Sequence[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, IntArray]:
        """SoC of the turning points that no loop has used up, the running extreme last, of several assets.

        Returns
        -------
        soc_percent, count
            One asset after the other, shape ``(sum of counts,)``; how many there are of each, shape ``(assets,)``.
        """
        state = np.array([state for state, _ in held]).reshape(-1, _WIDTH)
        points = np.concatenate([np.zeros(0), *(tail for _, tail in held)])[::_POINT]
        count = np.array([len(tail) // _POINT for _, tail in held], np.int64)
        moves = state[:, _DIRECTION] != 0
        extreme = np.where(state[:, _DIRECTION] > 0, state[:, _HIGH], state[:, _LOW])[moves]
        return np.insert(points, np.cumsum(count)[moves], extreme), count + moves


@compiled
def _walk(
    segments: tuple[IntArray, IntArray],
    readings: tuple[FloatArray, FloatArray, FloatArray],
    steps: tuple[BoolArray, BoolArray],
    hysteresis: float,
    states: FloatArray,
    tails: tuple[FloatArray, IntArray, IntArray, BoolArray],
    out: tuple[IntArray, FloatArray],
) -> int:
    """Go from turn to crossing to turn; how many loops were closed.

    ``tails`` are the assets' turning points: where each asset's begin and how many there are; ``turned`` tells which
    have changed.
    """
    starts, stops = segments
    soc_percent, energy_j, over_gap_percent = readings
    charge_step, discharge_step = steps
    stacks, bottoms, depths, turned = tails
    closed = 0
    point = np.empty(_POINT)
    for k in range(len(starts)):
        state, bottom, depth = states[k], bottoms[k], depths[k]
        for i in range(starts[k], stops[k]):
            soc = soc_percent[i]
            while not np.isnan(soc):
                point[0] = soc
                for x in range(3):
                    point[1 + x] = state[_COUNTED + x] - state[_TAKEN + x]
                turn = _turn(state, soc, hysteresis)
                if turn != 0.0:
                    turned[k] = True
                    from_, fresh = (_HIGH, _LOW) if turn < 0 else (_LOW, _HIGH)
                    stacks[bottom + depth] = state[from_ : from_ + _POINT]
                    depth += 1
                    state[_DIRECTION] = turn
                    state[fresh : fresh + _POINT] = point
                    state[_LEVEL] = _level(stacks, bottom, depth)
                elif state[_LEVEL] <= soc if state[_DIRECTION] > 0 else soc <= state[_LEVEL]:
                    turned[k] = True
                    _close(state, point, stacks, bottom + depth - 2, out, closed)
                    out[0][closed] = i
                    closed += 1
                    depth -= 2
                    state[_LEVEL] = _level(stacks, bottom, depth)
                else:
                    if state[_DIRECTION] >= 0 and soc > state[_HIGH]:
                        state[_HIGH : _HIGH + _POINT] = point
                    if state[_DIRECTION] <= 0 and soc < state[_LOW]:
                        state[_LOW : _LOW + _POINT] = point
                    break
            energy = energy_j[i]
            unknown = np.isnan(energy)
            if charge_step[i] and not unknown:
                state[_COUNTED] += energy
            if discharge_step[i] and not unknown:
                state[_COUNTED + 1] -= energy
            if over_gap_percent[i] != 0 or (unknown and (charge_step[i] or discharge_step[i])):
                state[_COUNTED + 2] += 1
        depths[k] = depth
    return closed


@compiled
def _turn(state: FloatArray, soc: float, hysteresis: float) -> float:
    """Direction into which a reading turns the SoC; 0 when it does not."""
    direction = state[_DIRECTION]
    if direction >= 0 and soc < state[_HIGH] and state[_HIGH] - soc >= hysteresis:
        return -1.0
    if direction <= 0 and soc > state[_LOW] and soc - state[_LOW] >= hysteresis:
        return 1.0
    return 0.0


@compiled
def _level(stacks: FloatArray, bottom: int, depth: int) -> float:
    """Level whose crossing closes a loop; NaN while there is none."""
    if depth < 3:
        return np.nan
    top = bottom + depth
    a, b, c = stacks[top - 3, 0], stacks[top - 2, 0], stacks[top - 1, 0]
    return b if abs(a - b) >= abs(b - c) else np.nan


@compiled
def _close(
    state: FloatArray, point: FloatArray, stacks: FloatArray, b: int, out: tuple[IntArray, FloatArray], closed: int
) -> None:
    """Take the loop between the two last turning points out: the SoC is back where it began.

    No row of this leg was beyond the level before, so the row is its extreme, with what is left in the counters.
    """
    loops = out[1]
    loops[0, closed] = abs(stacks[b, 0] - stacks[b + 1, 0])
    side = _HIGH if state[_DIRECTION] > 0 else _LOW
    state[side] = point[0]
    for x in range(3):
        energy = point[1 + x] - stacks[b, 1 + x]
        state[_TAKEN + x] += energy
        state[side + 1 + x] = state[_COUNTED + x] - state[_TAKEN + x]
        if x < 2:
            loops[1 + x, closed] = energy
        else:
            loops[3, closed] = 1.0 if energy == 0 else 0.0
