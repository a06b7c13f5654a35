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
from dataclasses import dataclass, field

import numpy as np

from stream_app.domain.memory import Memory
from stream_app.domain.rows import BoolArray, FloatArray, IntArray
from stream_app.domain.samples import Samples
from stream_app.domain.segments import running_totals

HYSTERESIS_PERCENT = 1.0

# One asset's numbers. A point is (SoC, energy in, energy out, gaps), its counters less the loops already taken out.
_DIRECTION, _HIGH, _LOW, _COUNTED, _TAKEN, _LEVEL = 0, 1, 5, 9, 12, 15
_WIDTH = 16
_POINT = 4
_LOOK_AHEAD = 512


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


@dataclass(slots=True)
class _Track:
    """One asset's state while its rows are walked."""

    state: FloatArray
    stack: list[FloatArray]
    soc: FloatArray
    counted: FloatArray  # (rows, 3): counters before each row
    row: IntArray
    closed: list[tuple[int, float, float, float, float]] = field(default_factory=list)

    def point(self, i: int) -> FloatArray:
        return np.append(self.soc[i], self.counted[i] - self.state[_TAKEN : _TAKEN + 3])

    def extreme(self, side: int, low: int, high: int, find: np.ufunc) -> None:
        """Move the extreme to the first best row of ``low <= i < high``, if that is beyond it."""
        if low < high:
            best = find.reduce(self.soc[low:high])
            if find(best, self.state[side]) != self.state[side]:
                i = low + int(np.argmax(self.soc[low:high] == best))
                self.state[side : side + _POINT] = self.point(i)

    def close(self, i: int) -> None:
        """Take the loop between the two last turning points out: the SoC is back where it began.

        No row of this leg was beyond the level before, so the row is its extreme, with what is left in the counters.
        """
        b, c = self.stack[-2], self.stack[-1]
        energy = self.point(i)[1:] - b[1:]
        self.state[_TAKEN : _TAKEN + 3] += energy
        side = _HIGH if self.state[_DIRECTION] > 0 else _LOW
        self.state[side : side + _POINT] = self.point(i)
        self.closed.append((int(self.row[i]), abs(b[0] - c[0]), energy[0], energy[1], float(energy[2] == 0)))
        del self.stack[-2:]
        self.set_level()

    def set_level(self) -> None:
        """Level whose crossing closes a loop; NaN while there is none."""
        self.state[_LEVEL] = np.nan
        if len(self.stack) >= 3:
            a, b, c = (p[0] for p in self.stack[-3:])
            if abs(a - b) >= abs(b - c):
                self.state[_LEVEL] = b


class SocLoops(Memory):
    """Turning points of the SoC that no closed loop has used up yet."""

    name, version, width, tail_limit = "soc_loops", 1, _WIDTH, 1200

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
        """Walk the rows; most assets most of the time neither turn nor cross a level and are done without a loop."""
        state, tails = state.copy(), list(tails)
        counted = self._count(state, samples)
        measured = np.flatnonzero(~np.isnan(samples.soc_percent))
        soc, owner = samples.soc_percent[measured], samples.asset[measured]
        if not len(measured):
            return state, tails, _loops([])
        begin = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
        who = owner[begin]
        stop = np.append(begin[1:], len(owner))
        busy = self._settle_quiet(state, who=who, begin=begin, soc=soc, owner=owner, counted=counted[measured])
        closed: list[tuple[int, float, float, float, float]] = []
        for i in np.flatnonzero(busy).tolist():
            k, rows = who[i], slice(begin[i], stop[i])
            track = _Track(
                state[k], list(tails[k].reshape(-1, _POINT)), soc[rows], counted[measured[rows]], measured[rows]
            )
            self._walk(track)
            tails[k] = np.concatenate([np.zeros(0), *track.stack])
            closed += track.closed
        return state, tails, _loops(closed)

    def _count(self, state: FloatArray, samples: Samples) -> FloatArray:
        """Energy in, energy out and gaps before each row, ``(n, 3)``; the state's counters go past the last row."""
        energy_j = samples.power_w * samples.dt_s
        lost = samples.soc_over_gap_percent != 0
        lost |= np.isnan(energy_j) & (samples.charge_step | samples.discharge_step)
        added = (
            np.where(samples.charge_step, np.nan_to_num(energy_j), 0.0),
            np.where(samples.discharge_step, -np.nan_to_num(energy_j), 0.0),
            lost.astype(float),
        )
        before = np.empty((len(samples), 3))
        own = np.arange(len(samples)) + samples.asset
        newest = samples.stops + np.arange(len(samples.starts))
        for column, values in enumerate(added):
            totals = running_totals(state[:, _COUNTED + column], values, samples.starts)
            before[:, column] = totals[own]
            state[:, _COUNTED + column] = totals[newest]
        return before

    def _settle_quiet(
        self,
        state: FloatArray,
        *,
        who: IntArray,
        begin: IntArray,
        soc: FloatArray,
        owner: IntArray,
        counted: FloatArray,
    ) -> BoolArray:
        """Settle the assets whose rows only carry on; true for the ones left to walk."""
        top, bottom = np.maximum.reduceat(soc, begin), np.minimum.reduceat(soc, begin)
        now = state[who]
        up, down = now[:, _DIRECTION] > 0, now[:, _DIRECTION] < 0
        turns = np.where(up, np.maximum(now[:, _HIGH], top) - bottom, top - np.minimum(now[:, _LOW], bottom))
        crosses = np.where(up, top >= now[:, _LEVEL], bottom <= now[:, _LEVEL])
        busy = ~(up | down) | (turns >= self._hysteresis) | crosses
        for side, best, beyond in (
            (_HIGH, top, ~busy & up & (top > now[:, _HIGH])),
            (_LOW, bottom, ~busy & down & (bottom < now[:, _LOW])),
        ):
            target = np.full(len(state), np.nan)
            target[who[beyond]] = best[beyond]
            hit = np.flatnonzero(soc == target[owner])
            hit = hit[np.append(True, owner[hit][1:] != owner[hit][:-1])] if len(hit) else hit
            k = owner[hit]
            state[k, side] = soc[hit]
            state[k, side + 1 : side + _POINT] = counted[hit] - state[k, _TAKEN : _TAKEN + 3]
        return busy

    def _walk(self, track: _Track) -> None:
        """Go from turn to crossing to turn; between two of them rows are looked at as arrays."""
        i, ahead, n = 0, _LOOK_AHEAD, len(track.soc)
        while i < n:
            stop = min(i + ahead, n)
            event = self._next_event(track, i, stop)
            if event == stop:
                i, ahead = stop, ahead * 2
                continue
            ahead = _LOOK_AHEAD
            i = event

    def _next_event(self, track: _Track, i: int, stop: int) -> int:
        """Handle the first event of rows ``i … stop-1`` and return its row (to be looked at again), or ``stop``."""
        state, soc = track.state, track.soc[i:stop]
        direction = state[_DIRECTION]
        highs = np.maximum.accumulate(np.maximum(soc, state[_HIGH])) if direction >= 0 else None
        lows = np.minimum.accumulate(np.minimum(soc, state[_LOW])) if direction <= 0 else None
        falls = _first((highs - soc >= self._hysteresis) & (soc < highs)) if highs is not None else len(soc)
        rises = _first((soc - lows >= self._hysteresis) & (soc > lows)) if lows is not None else len(soc)
        crossing = len(soc)
        if not np.isnan(state[_LEVEL]):
            crossing = _first(soc >= state[_LEVEL] if direction > 0 else soc <= state[_LEVEL])
        turn = min(falls, rises)
        if crossing < turn:
            track.close(i + crossing)
            return i + crossing
        if direction >= 0:
            track.extreme(_HIGH, i, i + turn, np.maximum)
        if direction <= 0:
            track.extreme(_LOW, i, i + turn, np.minimum)
        if turn < len(soc):
            falling = falls < rises
            turned, fresh = (_HIGH, _LOW) if falling else (_LOW, _HIGH)
            track.stack.append(state[turned : turned + _POINT].copy())
            state[_DIRECTION] = -1.0 if falling else 1.0
            state[fresh : fresh + _POINT] = track.point(i + turn)
            track.set_level()
        return i + turn

    @staticmethod
    def residue_percent(state: FloatArray, tail: FloatArray) -> FloatArray:
        """SoC of the turning points that no loop has used up, the running extreme last."""
        points = tail[::_POINT]
        if not state[_DIRECTION]:
            return points
        return np.append(points, state[_HIGH if state[_DIRECTION] > 0 else _LOW])


def _first(condition: BoolArray) -> int:
    """Index of the first True, else the length."""
    i = int(np.argmax(condition)) if len(condition) else 0
    return i if len(condition) and condition[i] else len(condition)


def _loops(closed: list[tuple[int, float, float, float, float]]) -> Loops:
    columns = np.array(closed).reshape(-1, 5).T
    return Loops(columns[0].astype(np.int64), columns[1], columns[2], columns[3], columns[4])
