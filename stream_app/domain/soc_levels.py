"""Counters of energy and charge at levels of the state of charge: what round trips and capacity are metered by.

Notes
-----
Levels stand every 5 % of SoC. A level is crossed when the SoC has left it by half of ``HYSTERESIS_PERCENT``; the
counters at the crossing are those of the step in which the SoC passed the level itself, interpolated. Two crossings of
one level, one after the other, are a trip: the SoC is where it was, so energy out over energy in is the efficiency of
the trip, free of any SoC or open-circuit-voltage bias. The errors of successive trips of a level telescope: in the sum
of all trips only its first and last crossing count. Two crossings of levels 20 % apart, one after the other and in one
direction, are a span: its net charge is a fifth of the capacity.

What flows during a gap is filled in by the change of the SoC times the asset's own energy (charge) per percent in that
direction, once it has moved by ``FILL_FROM_PERCENT``; before that, trips and spans with a gap are not told. The energy
that gaps are filled with is told by itself.

Between two readings of nearly the same power the voltage drifts, so the energy is that of a trapezoid; a step of the
power is one of a set-point, and the reading holds until it. Where rows are lost, the power between two readings is not
known: the variance of the energy that holds over them is told with the next crossing. It is that of a walk from one
reading to the next, which a switch at any lost row has as well.

References
----------
Level-crossing counting: ASTM E1049-85, 5.1; the hysteresis is that of a Schmitt trigger.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import borrowing, inlined
from stream_app.domain.capacity_trend import TREND_NUMBERS, TREND_WIDTH, count_span, write_trend
from stream_app.domain.level_crossings import Crossings
from stream_app.domain.samples import Samples
from stream_app.domain.sequential import SequentialState

LEVELS: Final = 20
_STEP_PERCENT: Final = 5.0
#: The lowest level; no reading of usual resolution is equal to a level.
_LOWEST_PERCENT: Final = 2.513
HYSTERESIS_PERCENT: Final = 1.0
#: Charge is told between every fourth level, of the third one on.
SPAN_PERCENT: Final = 20.0
_SPAN_LEVELS, _SPAN_FIRST = 4, 2
#: SoC that must have moved in a direction before gaps are filled by what it took.
FILL_FROM_PERCENT: Final = 20.0

#: Share by which two powers differ that are nearly the same.
DRIFT_SHARE: Final = 0.02
#: Of rows that do not come so many at a time are taken for lost; a longer silence is one of the source.
MOST_LOST: Final = 9
#: By how much the usual step may be longer from one row to the next, as a ratio.
_SLOWER: Final = 1.05

# Counters: energy in and out [J], charge in and out [As], time [s], and steps and gaps of which something is unknown.
_COUNTERS, _UNKNOWN = 6, 5
#: One number for both counts, since the state of an asset has to stay small: steps without known charge count so many.
_CHARGES: Final = 2.0**26
# One asset's numbers: levels below the SoC (-1: no SoC yet) plus the way of the last crossing that may begin a span
# (0: none, _UPWARDS, _DOWNWARDS), since the state has to stay small; the last SoC; of the last row power and step (< 0
# of a discharge, 0: no energy), the usual step, and the variance of what was held over lost rows since the last
# crossing [J2]; counters where a level was passed but is not crossed yet, now and at the last SoC; of up and of down
# the SoC moved with known energy, that energy, the SoC moved with known charge, that charge; the counters of each
# level's last crossing; and the spans by day.
_BELOW, _SOC, _POWER, _HOLDS_S, _USUAL_S, _HELD = range(6)
_UPWARDS, _DOWNWARDS = 0.25, 0.5
_AT_PASSED: Final = 6
_NOW: Final = _AT_PASSED + _COUNTERS
_AT_SOC: Final = _NOW + _COUNTERS
_UP: Final = _AT_SOC + _COUNTERS
_DOWN: Final = _UP + 4
_LAST: Final = _DOWN + 4
#: Among an event's numbers, those of a gap, then the variance and the time of a span.
_GAP: Final = 11
_VARIANCE: Final = _GAP + 3
_SPAN_TIME: Final = _VARIANCE + 1
_TREND: Final = _LAST + _COUNTERS * LEVELS
_WIDTH: Final = _TREND + TREND_WIDTH


@inlined
def _step(
    state: FloatArray,
    stack: FloatArray,
    depths: IntArray,
    soc_percent: float,
    power_w: float,
    energy_j: float,
    charge_as: float,
    dt_s: float,
    charge: bool,
    discharge: bool,
    soc_ahead_percent: float,
    over_gap_percent: float,
    gap_s: float,
    events: FloatArray,
) -> int:
    """Take a row: its SoC, then what flows in its step or gap; how many events are told."""
    told = 0
    if state[_HOLDS_S] != 0:
        _end_step(state, power_w)
    if soc_percent != state[_SOC] and not np.isnan(soc_percent):
        if state[_BELOW] < 0:
            state[_BELOW] = min(max((soc_percent - _LOWEST_PERCENT) // _STEP_PERCENT + 1.0, 0.0), float(LEVELS))
        else:
            told = _move(state, soc_percent, events)
        state[_SOC] = soc_percent
    if not np.isnan(soc_percent):
        for x in range(_COUNTERS):
            state[_AT_SOC + x] = state[_NOW + x]
    state[_NOW + 4] += dt_s
    state[_TREND] += dt_s + gap_s
    if charge:
        _count(state, 0, energy_j, charge_as, soc_ahead_percent)
    elif discharge:
        _count(state, 1, -energy_j, -charge_as, -soc_ahead_percent)
    state[_POWER] = power_w
    state[_HOLDS_S] = 0.0 if np.isnan(energy_j) else dt_s if charge else -dt_s if discharge else 0.0
    if dt_s > 0:
        state[_USUAL_S] = min(dt_s, _SLOWER * state[_USUAL_S])
    if over_gap_percent != 0:
        _fill(state, over_gap_percent, events, told)
        told += 1
    return told


@inlined
def _end_step(state: FloatArray, power_w: float) -> None:
    """End the step of the last row at a reading: what its power did meanwhile."""
    change_w = power_w - state[_POWER]
    if np.isnan(change_w):
        return
    dt_s = abs(state[_HOLDS_S])
    if abs(change_w) <= DRIFT_SHARE * abs(state[_POWER]):
        state[_NOW + (0 if state[_HOLDS_S] > 0 else 1)] += change_w / 2 * state[_HOLDS_S]
    steps = dt_s / state[_USUAL_S]
    if 1 < steps <= MOST_LOST + 1:
        usual_j = change_w * state[_USUAL_S]
        state[_HELD] += usual_j * usual_j * ((steps - 1) * (2 * steps - 1) / 6)


@inlined
def _count(state: FloatArray, out: int, energy_j: float, charge_as: float, soc_percent: float) -> None:
    """Count a step's energy and charge, > 0 in its direction, as far as they are known."""
    moved = _DOWN if out else _UP
    if np.isnan(energy_j):
        state[_NOW + _UNKNOWN] += 1
    else:
        state[_NOW + out] += energy_j
        if not np.isnan(soc_percent):
            state[moved] += soc_percent
            state[moved + 1] += energy_j
    if np.isnan(charge_as):
        state[_NOW + _UNKNOWN] += _CHARGES
    else:
        state[_NOW + 2 + out] += charge_as
        if not np.isnan(soc_percent):
            state[moved + 2] += soc_percent
            state[moved + 3] += charge_as


@borrowing
def _fill(state: FloatArray, over_gap_percent: float, events: FloatArray, told: int) -> None:
    """Count what moved the SoC during a gap, if the asset has shown how much that takes; tell its energy."""
    for x in range(_SPAN_TIME + 1):
        events[x, told] = 0.0
    out = 1 if over_gap_percent < 0 else 0
    moved = _DOWN if out else _UP
    for x in range(2):  # energy, charge
        seen_percent = state[moved + 2 * x]
        if np.isnan(over_gap_percent) or seen_percent < FILL_FROM_PERCENT:
            state[_NOW + _UNKNOWN] += _CHARGES if x else 1.0
            events[_GAP + 2, told] = 1.0 if x == 0 else events[_GAP + 2, told]
        else:
            amount = abs(over_gap_percent) / seen_percent * state[moved + 2 * x + 1]
            state[_NOW + 2 * x + out] += amount
            if x == 0:
                events[_GAP + out, told] = amount


@borrowing
def _move(state: FloatArray, soc_percent: float, events: FloatArray) -> int:
    """Move the SoC to a reading; how many crossings are told."""
    told, half = 0, HYSTERESIS_PERCENT / 2
    before = state[_SOC]
    if soc_percent > before:
        level = int(state[_BELOW])
        while level < LEVELS:
            at_percent = _LOWEST_PERCENT + _STEP_PERCENT * level
            if before < at_percent <= soc_percent:
                _pass(state, (at_percent - before) / (soc_percent - before))
            if soc_percent < at_percent + half:
                break
            told += _cross(state, level, 1.0, events, told)
            level += 1
        state[_BELOW] = level + state[_BELOW] % 1
    else:
        level = int(state[_BELOW]) - 1
        while level >= 0:
            at_percent = _LOWEST_PERCENT + _STEP_PERCENT * level
            if soc_percent < at_percent <= before:
                _pass(state, (at_percent - before) / (soc_percent - before))
            if soc_percent > at_percent - half:
                break
            told += _cross(state, level, -1.0, events, told)
            level -= 1
        state[_BELOW] = level + 1 + state[_BELOW] % 1
    return told


@borrowing
def _pass(state: FloatArray, share: float) -> None:
    """Take down the counters at which the SoC passes a level, a share of the way from the last SoC."""
    for x in range(_COUNTERS):
        before = state[_AT_SOC + x]
        state[_AT_PASSED + x] = before if x == _UNKNOWN else before + share * (state[_NOW + x] - before)


@borrowing
def _cross(state: FloatArray, level: int, direction: float, events: FloatArray, told: int) -> int:
    """Cross a level at what :func:`_pass` took down; 1 if a trip or a span ends, which is then told."""
    last, at = _LAST + _COUNTERS * level, _AT_PASSED
    before, now = state[last + _UNKNOWN], state[_NOW + _UNKNOWN]
    energy, charge = before % _CHARGES == now % _CHARGES, before // _CHARGES == now // _CHARGES
    for x in range(5):
        known = charge if x in (2, 3, 4) else energy
        events[3 + x, told] = state[at + x] - state[last + x] if known else 0.0
    for x in range(_COUNTERS):
        state[last + x] = state[at + x]
    span, in_as, out_as, span_s = False, 0.0, 0.0, 0.0
    if level % _SPAN_LEVELS == _SPAN_FIRST:
        # Between two crossings in one direction lies no other: the last one is of the level before.
        way = _UPWARDS if direction > 0 else _DOWNWARDS
        if state[_BELOW] % 1 == way:
            begin = _LAST + _COUNTERS * int(level - direction * _SPAN_LEVELS)
            span = state[begin + _UNKNOWN] // _CHARGES == now // _CHARGES
            if span:
                in_as = direction * (state[at + 2] - state[begin + 2])
                out_as = direction * (state[at + 3] - state[begin + 3])
                span_s = direction * (state[at + 4] - state[begin + 4])
                count_span(state[_TREND:_WIDTH], in_as - out_as)
        state[_BELOW] = state[_BELOW] // 1 + way
    events[0, told], events[1, told], events[2, told] = level, 1.0 if energy else 0.0, 1.0 if charge else 0.0
    events[8, told], events[9, told], events[10, told] = 1.0 if span else 0.0, in_as, out_as
    events[_GAP, told], events[_GAP + 1, told], events[_GAP + 2, told] = 0.0, 0.0, 0.0
    events[_VARIANCE, told], events[_SPAN_TIME, told] = state[_HELD], span_s
    if not (energy or charge or span):
        return 0
    state[_HELD] = 0.0
    return 1


@borrowing
def _residue(state: FloatArray, stack: FloatArray, numbers: FloatArray) -> None:
    """Write the sums of the spans by day."""
    write_trend(state[_TREND:_WIDTH], numbers)


class SocLevels(SequentialState):
    """Counters now and at each level's last crossing; the residue tells of the spans by day."""

    name, version, width, point, points = "soc_levels", 4, _WIDTH, 1, LEVELS + 1
    event = (
        *("level", "trip", "charged", "in_j", "out_j", "in_as", "out_as", "trip_s", "span"),
        *("span_in_as", "span_out_as", "gap_in_j", "gap_out_j", "unfilled", "held_j2", "span_s"),
    )
    step = staticmethod(_step)
    residue_width = TREND_NUMBERS
    residue = staticmethod(_residue)

    def start(self) -> FloatArray:
        """No SoC seen, no level crossed, all counters 0."""
        state = np.zeros(_WIDTH)
        state[_BELOW] = -1.0
        state[[_SOC, _POWER]] = np.nan
        state[_USUAL_S] = np.inf
        state[_LAST:_TREND].reshape(LEVELS, _COUNTERS)[:, _UNKNOWN] = np.nan
        return state

    def inputs(self, samples: Samples) -> tuple[Any, ...]:
        """SoC and power of the row; energy, charge, length, direction of its step; SoC's change over it or its gap."""
        return (
            samples.soc_percent,
            samples.power_w,
            samples.energy_j,
            samples.charge_as,
            samples.dt_s,
            samples.charge_step,
            samples.discharge_step,
            samples.soc_ahead_percent,
            samples.soc_over_gap_percent,
            samples.gap_s,
        )

    def events(self, row: Any, told: Mapping[str, Any]) -> Crossings:
        """The crossings that end something."""
        return Crossings(row, **told)
