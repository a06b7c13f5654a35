"""What the processor must arrive at, by pandas and loops over rows, sharing nothing with the domain.

Slow and obvious on purpose. Formulas: docs/metrics.md.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pandas as pd
import rainflow

Row = dict[str, Any]  # time_us, offset, current, voltage, soc, power (None: not measured)


@dataclass(frozen=True)
class Nameplate:
    """What the plain computation needs of an asset's spec."""

    capacity_ah: float | None = None
    period_s: float | None = None
    max_gap_s: float | None = None


@dataclass
class Expected:
    """Rows with their durations, and the metrics over any part of them."""

    frame: pd.DataFrame
    nameplate: Nameplate
    loops: list[dict[str, float]]
    late: int
    last_us: int
    turning: list[float] = field(default_factory=list)

    def window(self, size_us: int, start_us: int) -> pd.DataFrame:
        """Rows of one window."""
        return self.frame[(self.frame.time_us >= start_us) & (self.frame.time_us < start_us + size_us)]

    def starts(self, size_us: int) -> list[int]:
        """Starts of the windows that have rows."""
        return sorted({int(t) // size_us * size_us for t in self.frame.time_us})

    def metrics(self, part: pd.DataFrame, span_s: float, *, life: bool) -> dict[str, Any]:
        """Every metric by name; None where it is undefined."""
        capacity = self.nameplate.capacity_ah
        d = part
        iv = d.current * d.voltage
        energy = d.power_w * d.dt_s
        kind = d["class"]
        e_in, e_out = energy[kind == "C"].sum(), -energy[kind == "D"].sum()
        q_in, q_out = (d.current * d.dt_s)[kind == "C"].sum(), -(d.current * d.dt_s)[kind == "D"].sum()
        s_in, s_out = d.ahead[kind == "C"].sum(), -d.ahead[kind == "D"].sum()
        metered = d.dt_s[d.power_w.notna()].sum() > 0
        currented = d.dt_s[d.current.notna()].sum() > 0
        loaded_s = d.dt_s[kind.isin(["C", "D"])].sum()
        rows = set(d.index)
        loops = [loop for loop in self.loops if loop["row"] in rows]
        whole = [loop for loop in loops if loop["whole"]]
        loop_in = math.fsum(loop["in"] for loop in whole)
        cycles = [0.0] * 20
        for loop in loops:
            cycles[_bin(loop["depth"], 5, 20)] += 1
        if life:
            cycles = [0.0] * 20
            legs = [(abs(self.turning[0] - self.turning[1]), 0, 0.5, 0, 0)] if len(self.turning) == 2 else []
            for depth, _, count, _, _ in legs or rainflow.extract_cycles(self.turning):  # which leaves a single leg out
                cycles[_bin(depth, 5, 20)] += count
        dwell = [0.0] * 10
        for soc, dt_s in zip(d.soc, d.dt_s, strict=True):
            if not math.isnan(soc):
                dwell[_bin(soc, 10, 10)] += dt_s
        full = None if capacity is None else capacity * 3600
        smaller = min(s_in, s_out) / 100 if full is None else min(q_in, q_out) / full
        closed = abs(s_in - s_out) <= 0.02 * (s_in + s_out)
        out: dict[str, Any] = {
            "total_data_points": len(d),
            "rte_v1": (
                d.step_c.abs().sum() / d.step_d.abs().sum() * -iv[d.current < 0].sum() / iv[d.current > 0].sum()
                if d.step_d.abs().sum() > 0 and iv[d.current < 0].sum() < 0 and iv[d.current > 0].sum() > 0
                else None
            ),
            "c_rate_v1": (
                100 / d.step.abs().sum() * d.current.abs().sum() / full if full and d.step.abs().sum() > 0 else None
            ),
            "energy_in_kwh": e_in / 3.6e6 if metered else None,
            "energy_out_kwh": e_out / 3.6e6 if metered else None,
            "charge_in_ah": q_in / 3600 if currented else None,
            "charge_out_ah": q_out / 3600 if currented else None,
            "equivalent_full_cycles": (q_in + q_out) / (2 * full) if full and currented else None,
            "rte_raw": e_out / e_in if e_in > 0 and e_out > 0 and smaller >= 0.5 and closed else None,
            "c_rate_mean_per_h": (q_in + q_out) / loaded_s / capacity if capacity and loaded_s > 0 else None,
            "c_rate_max_per_h": d.current.abs().max() / capacity if capacity and d.current.notna().any() else None,
            "coverage": min(d.dt_s.sum() / span_s, 1.0) if span_s > 0 else None,
            "gap_count": int((d.gap_s > 0).sum()),
            "gap_s": d.gap_s.sum(),
            "soc_dwell_s": dwell if sum(dwell) > 0 else None,
            "rainflow_cycles": cycles if d.soc.notna().any() else None,
            "rte_loop": (
                math.fsum(loop["out"] for loop in whole) / loop_in
                if loop_in > 0 and math.fsum(loop["depth"] for loop in whole) >= 50
                else None
            ),
        }
        for name, unit, column in (
            ("soc", "percent", d.soc),
            ("voltage", "v", d.voltage),
            ("current", "a", d.current),
            ("power", "w", d.power_w),
        ):
            read_s = d.dt_s[column.notna()].sum()
            there = bool(column.notna().any())
            out[f"{name}_min_{unit}"] = column.min() if there else None
            out[f"{name}_max_{unit}"] = column.max() if there else None
            out[f"{name}_mean_{unit}"] = (column * d.dt_s).sum() / read_s if read_s > 0 else None
        return out


def expected(
    rows: list[Row],
    nameplate: Nameplate,
    *,
    ended: bool,
    lateness_s: float = 0,
    known_us: float | None = None,
    hysteresis: float = 1.0,
) -> Expected:
    """Rows of one asset in arrival order, as the processor must see them after the last one.

    ``known_us`` is the stamp before which no row is taken any more, if it is not the lateness that tells.
    """
    kept: list[Row] = []
    newest_us = -(2**62)
    for row in rows:
        if row["time_us"] >= newest_us - lateness_s * 1e6:
            kept.append(dict(row))
            newest_us = max(newest_us, row["time_us"])
    kept.sort(key=lambda row: int(row["time_us"]))
    known_us = newest_us - lateness_s * 1e6 if known_us is None else known_us
    _durations(kept, nameplate, known_us=math.inf if ended else known_us)
    frame = pd.DataFrame(kept).astype(dict.fromkeys(("current", "voltage", "soc", "power"), float))
    frame["power_w"] = frame.power.where(frame.power.notna(), frame.current * frame.voltage)
    rest = 0.005 * (nameplate.capacity_ah or 0)
    flow = frame.current.where(frame.current.isna() | (frame.current.abs() > rest), 0).fillna(frame.power_w.fillna(0))
    frame["class"] = ["C" if f > 0 else "D" if f < 0 else "R" for f in flow]
    frame.loc[~frame.valid, "class"] = "none"
    frame["step"] = frame.soc.diff()
    frame["step_c"] = frame.soc[frame.current > 0].diff()
    frame["step_d"] = frame.soc[frame.current < 0].diff()
    frame["ahead"] = frame.soc.shift(-1) - frame.soc
    loops, turning = _loops(frame, hysteresis)
    return Expected(frame, nameplate, loops, len(rows) - len(kept), kept[-1]["stamp_us"], turning)


def _durations(rows: list[Row], nameplate: Nameplate, *, known_us: float) -> None:  # noqa: PLR0912  # a branch a rule
    """Give each row ``dt_s``, ``valid``, ``gap_s``, ``settled`` and its spread ``time_us``.

    Before a stamp after ``known_us`` others may still come.
    """
    groups: list[list[Row]] = []
    for row in rows:
        row |= {"stamp_us": row["time_us"], "dt_s": 0.0, "valid": False, "gap_s": 0.0, "settled": True}
        if groups and groups[-1][0]["stamp_us"] == row["stamp_us"]:
            groups[-1].append(row)
        else:
            groups.append([row])
    spans = [(b[0]["stamp_us"] - a[0]["stamp_us"]) / 1e6 for a, b in pairwise(groups)]
    steps = [span / len(group) for span, group in zip(spans, groups, strict=False)]
    ended = known_us == math.inf
    known = sum(group[0]["stamp_us"] <= known_us for group in groups[1:])  # groups whose next stamp is certain
    opening = len(groups[0]) > 1 and nameplate.period_s is None
    if opening and known >= 2:
        steps[0] = min(steps[0], steps[1])
    elif opening and not ended:
        known = 0
    measured: float | None = None
    for i, group in enumerate(groups):
        period = nameplate.period_s if nameplate.period_s is not None else measured
        limit = 3600.0 if period is None else 3 * period
        limit = limit if nameplate.max_gap_s is None else nameplate.max_gap_s
        n = len(group)
        if i >= known:
            if not ended:
                for row in group:
                    row["settled"] = False
            elif period:
                for rank, row in enumerate(group[:-1]):
                    row |= {"dt_s": period, "valid": True, "time_us": row["stamp_us"] + int(rank * (period * 1e6))}
                group[-1]["time_us"] += int((n - 1) * (period * 1e6))
            continue
        lead = 0.0
        if steps[i] > limit:
            hold = min(period or 0.0, spans[i] / n) if n > 1 else 0.0
            group[-1]["gap_s"] = spans[i] - hold * (n - 1)
            held = group[:-1] if hold > 0 else []
        else:
            hold, held = steps[i], group
            lead = spans[i] - hold * n if i == 0 and opening and known >= 2 else 0.0
        for row in held:
            row |= {"dt_s": hold, "valid": True}
        for rank, row in enumerate(group):
            row["time_us"] = row["stamp_us"] + int(rank * (hold * 1e6)) + int(lead * 1e6)
        count = i + 1
        if count <= 16 or count % 16 == 0:
            measured = statistics.median(steps[max(0, count - 15) : count])


class _Walk:
    """Streaming rainflow as the reference tells it, one row at a time: counters fall back when a loop is taken out."""

    def __init__(self, hysteresis: float) -> None:
        self.hysteresis = hysteresis
        self.stack: list[tuple[float, ...]] = []
        self.loops: list[dict[str, float]] = []
        self.counters = (0.0, 0.0, 0)  # energy in, energy out, gaps
        self.direction = 0
        self.high: tuple[float, ...] = (-math.inf,)
        self.low: tuple[float, ...] = (math.inf,)

    def close(self, soc: float, row: Any) -> None:
        while self.direction and len(self.stack) >= 3:
            a, b, c = (p[0] for p in self.stack[-3:])
            if not (soc >= b if self.direction > 0 else soc <= b) or abs(a - b) < abs(b - c):
                return
            begin = self.stack[-2]
            e_in, e_out, gaps = (now - then for now, then in zip(self.counters, begin[1:], strict=True))
            self.loops.append({"row": row, "depth": abs(b - c), "in": e_in, "out": e_out, "whole": gaps == 0})
            self.counters = (begin[1], begin[2], int(begin[3]))
            del self.stack[-2:]

    def see(self, soc: float, row: Any) -> None:
        self.close(soc, row)
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
        self.close(soc, row)
        if self.direction > 0:
            self.high = (soc, *self.counters)
        else:
            self.low = (soc, *self.counters)


def _loops(frame: pd.DataFrame, hysteresis: float) -> tuple[list[dict[str, float]], list[float]]:
    """Closed loops, and the SoC's turning points with the running extreme last."""
    walk = _Walk(hysteresis)
    for index, row in frame[frame.settled].iterrows():
        if not math.isnan(row.soc):
            walk.see(row.soc, index)
        e_in, e_out, gaps = walk.counters
        energy = row.power_w * row.dt_s
        if row["class"] in ("C", "D") and math.isnan(energy):
            gaps += 1
        elif row["class"] == "C":
            e_in += energy
        elif row["class"] == "D":
            e_out -= energy
        if row.gap_s > 0 and row.ahead != 0:
            gaps += 1
        walk.counters = (e_in, e_out, gaps)
    return walk.loops, _turning_points([s for s in frame[frame.settled].soc if not math.isnan(s)], hysteresis)


def _turning_points(soc: list[float], hysteresis: float) -> list[float]:
    """Turning points that a reversal of at least ``hysteresis`` confirms, the running extreme last."""
    points: list[float] = []
    high = low = soc[0] if soc else math.nan
    direction = 0
    for s in soc:
        high, low = max(high, s), min(low, s)
        if direction >= 0 and high - s >= hysteresis and s < high:
            points.append(high)
            direction, low = -1, s
        elif direction <= 0 and s - low >= hysteresis and s > low:
            points.append(low)
            direction, high = 1, s
        if direction > 0:
            low = s
        if direction < 0:
            high = s
    return [*points, high if direction > 0 else low] if direction else points


def _bin(value: float, width: float, bins: int) -> int:
    return min(max(int(value // width), 0), bins - 1)
