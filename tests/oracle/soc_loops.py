"""Closed loops of the state of charge, one row at a time, and its turning points."""

from __future__ import annotations

import math

from tests.oracle.rows import Loop, Row, known


class _Walk:
    """Streaming rainflow as the reference describes it: counters fall back when a loop is taken out."""

    def __init__(self, hysteresis: float) -> None:
        self.hysteresis = hysteresis
        self.stack: list[tuple[float, ...]] = []
        self.loops: list[Loop] = []
        self.counters = (0.0, 0.0, 0)  # energy in, energy out, gaps
        self.direction = 0
        self.high: tuple[float, ...] = (-math.inf,)
        self.low: tuple[float, ...] = (math.inf,)

    def close(self, row: Row) -> None:
        soc = row.soc_percent
        while self.direction and len(self.stack) >= 3:
            a, b, c = (point[0] for point in self.stack[-3:])
            if not (soc >= b if self.direction > 0 else soc <= b) or abs(a - b) < abs(b - c):
                return
            begin = self.stack[-2]
            in_j, out_j, gaps = (now - then for now, then in zip(self.counters, begin[1:], strict=True))
            self.loops.append(Loop(row, abs(b - c), in_j, out_j, gaps == 0))
            self.counters = (begin[1], begin[2], int(begin[3]))
            del self.stack[-2:]

    def see(self, row: Row) -> None:
        soc = row.soc_percent
        self.close(row)
        if self.direction >= 0 and soc > self.high[0]:
            self.high = (soc, *self.counters)
        if self.direction <= 0 and soc < self.low[0]:
            self.low = (soc, *self.counters)
        if self.direction >= 0 and self.high[0] - soc >= self.hysteresis and soc < self.high[0]:
            self.stack.append(self.high)
            self.direction = -1
            self.low = (soc, *self.counters)
        elif self.direction <= 0 and soc - self.low[0] >= self.hysteresis and soc > self.low[0]:
            self.stack.append(self.low)
            self.direction = 1
            self.high = (soc, *self.counters)
        else:
            return
        self.close(row)
        if self.direction > 0:
            self.high = (soc, *self.counters)
        else:
            self.low = (soc, *self.counters)

    def count(self, row: Row) -> None:
        in_j, out_j, gaps = self.counters
        energy = row.power_w * row.dt_s
        if row.flow in ("charge", "discharge") and not known(energy):
            gaps += 1
        elif row.flow == "charge":
            in_j += energy
        elif row.flow == "discharge":
            out_j -= energy
        if row.gap_s > 0 and row.soc_ahead_percent != 0:
            gaps += 1
        self.counters = (in_j, out_j, gaps)


def closed_loops(rows: list[Row], hysteresis: float) -> list[Loop]:
    """Loops that close at one of an asset's settled rows."""
    walk = _Walk(hysteresis)
    for row in rows:
        if known(row.soc_percent):
            walk.see(row)
        walk.count(row)
    return walk.loops


def turning_points(soc_percent: list[float], hysteresis: float) -> list[float]:
    """Turning points that a reversal of at least ``hysteresis`` confirms, the running extreme last."""
    points: list[float] = []
    high = low = soc_percent[0] if soc_percent else math.nan
    direction = 0
    for soc in soc_percent:
        high, low = max(high, soc), min(low, soc)
        if direction >= 0 and high - soc >= hysteresis and soc < high:
            points.append(high)
            direction, low = -1, soc
        elif direction <= 0 and soc - low >= hysteresis and soc > low:
            points.append(low)
            direction, high = 1, soc
        if direction > 0:
            low = soc
        if direction < 0:
            high = soc
    return [*points, high if direction > 0 else low] if direction else points
