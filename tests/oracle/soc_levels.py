"""Crossings of levels of the state of charge, found level by level, each by itself."""

from __future__ import annotations

import math
from itertools import pairwise

from tests.oracle.rows import Crossing, GapFill, Row, known

LEVELS_PERCENT = [2.513 + 5 * level for level in range(20)]
FILL_FROM_PERCENT = 20.0

#: Energy in and out, charge in and out, time, steps and gaps without known energy, without known charge.
Counters = tuple[float, ...]


class _Meter:
    """Counts what flows; gaps are filled by what the SoC took in that direction so far."""

    def __init__(self) -> None:
        self.counters = [0.0] * 7
        self.moved: dict[tuple[int, int], list[float]] = {(o, x): [0.0, 0.0] for o in range(2) for x in range(2)}
        self.fills: list[GapFill] = []

    def count(self, row: Row) -> None:
        self.counters[4] += row.dt_s
        if row.flow in ("charge", "discharge"):
            out = int(row.flow == "discharge")
            sign = -1 if out else 1
            for x, flow in enumerate((row.power_w, row.current_a)):
                self._add(out, x, sign * flow * row.dt_s, sign * row.soc_ahead_percent)
            if row.following and known(row.power_w) and known(row.following.power_w):
                change_w = row.following.power_w - row.power_w
                if abs(change_w) <= 0.02 * abs(row.power_w):  # a drift, so a trapezoid
                    self.counters[out] += sign * change_w / 2 * row.dt_s
        if row.gap_s > 0 and row.soc_ahead_percent != 0:
            out = int(row.soc_ahead_percent < 0)
            filled: list[float | None] = []
            for x in range(2):
                percent, amount = self.moved[out, x]
                fillable = known(row.soc_ahead_percent) and percent >= FILL_FROM_PERCENT
                filled.append(abs(row.soc_ahead_percent) / percent * amount if fillable else None)
                self.counters[2 * x + out] += filled[x] or 0
                self.counters[5 + x] += not fillable
            energy = filled[0]
            self.fills.append(GapFill(row, None if energy is None else ((0.0, energy) if out else (energy, 0.0))))

    def _add(self, out: int, x: int, amount: float, soc_percent: float) -> None:
        if not known(amount):
            self.counters[5 + x] += 1
            return
        self.counters[2 * x + out] += amount
        if known(soc_percent):
            self.moved[out, x][0] += soc_percent
            self.moved[out, x][1] += amount


def _of_level(percent: float, readings: list[tuple[Row, Counters]]) -> list[tuple[Row, int, Counters, Counters]]:
    """Crossings of one level: row, direction, counters at the passing and at the row."""
    crossings = []
    above = readings[0][0].soc_percent >= percent
    passed: Counters = ()
    for (before, then), (row, now) in pairwise(readings):
        if (before.soc_percent >= percent) != (row.soc_percent >= percent):
            share = (percent - before.soc_percent) / (row.soc_percent - before.soc_percent)
            passed = (*(a + share * (b - a) for a, b in zip(then[:5], now[:5], strict=True)), *then[5:])
        beyond = percent + 0.5 if not above else percent - 0.5
        if row.soc_percent <= beyond if above else row.soc_percent >= beyond:
            above = not above
            crossings.append((row, 1 if above else -1, passed, now))
    return crossings


def level_crossings(rows: list[Row]) -> tuple[list[Crossing], list[GapFill]]:
    """All crossings and gaps of an asset's settled rows, in the order in which they come."""
    meter, readings = _Meter(), list[tuple[Row, Counters]]()
    for row in rows:
        if known(row.soc_percent):
            readings.append((row, tuple(meter.counters)))
        meter.count(row)
    if not readings:
        return [], meter.fills
    order = {id(row): i for i, row in enumerate(rows)}
    found = []
    for level, percent in enumerate(LEVELS_PERCENT):
        last: Counters = (0.0,) * 5 + (math.nan, math.nan)
        for row, direction, at, now in _of_level(percent, readings):
            since = tuple(a - b for a, b in zip(at[:5], last[:5], strict=True))
            energies_j = since[:2] if last[5] == now[5] else None
            charges = since[2:] if last[6] == now[6] else None
            found.append(((order[id(row)], direction * level), direction, level, row, energies_j, charges, at, now))
            last = at
    found.sort(key=lambda one: one[0])
    crossings, previous = [], None
    for _, direction, level, row, energies_j, charges, at, now in found:
        span = None
        if level % 4 == 2:
            if previous and previous[:2] == (direction, level - 4 * direction) and previous[3] == now[6]:
                in_as, out_as, span_s = (direction * (a - b) for a, b in zip(at[2:5], previous[2], strict=True))
                span = in_as, out_as, span_s
            previous = (direction, level, at[2:5], at[6])
        crossings.append(Crossing(row, level, energies_j, charges, span))
    return crossings, meter.fills
