"""Expected state of one asset, row by row."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.chaos.traffic import STEP_S
from tests.oracle.arrival import Arrivals, StampedRow
from tests.oracle.durations import step_limit_s
from tests.oracle.rows import Nameplate

#: Most rows of an asset that may wait, for any allowed lateness.
MOST_WAITING = 8192


@dataclass
class AssetTruth:
    """Expected state of one asset after the last record."""

    partition: int
    asset_id: str
    rows: list[dict[str, Any]] = field(
        default_factory=list
    )  # applied, by stamp and arrival, as tests.oracle takes them
    late: int = 0
    arrivals: Arrivals = field(default_factory=lambda: Arrivals(0))
    settled: int = 0  # number of rows whose order is final
    seq: int = -1
    spec: dict[str, Any] = field(default_factory=dict)
    ended: dict[str, Any] | None = None

    @property
    def uploaded(self) -> bool:
        """Whether the asset came through the upload API."""
        return self.asset_id.startswith("upload-")

    @property
    def known(self) -> int:
        """Rows that a state has: those that count, and those that wait for their confirmation."""
        return len(self.rows) + len(self.arrivals.held)

    @property
    def watermark_us(self) -> float:
        """Older rows are late."""
        return self.arrivals.watermark_us

    def take(self, row: dict[str, Any]) -> list[StampedRow]:
        """Insert a row by its stamp, unless it must wait for its confirmation; returns the rows that are refused now.

        Stamps that repeat thousands of times and specs with a sampling period follow rules that are not modelled here.
        """
        verdict = self.arrivals.take(row)
        self.late += len(verdict.refused)
        for each in verdict.counted:
            insort(self.rows, dict(each), key=_stamp)
        if (over := len(self.rows) + len(self.arrivals.held) - self.settled - MOST_WAITING) > 0:
            self.arrivals.watermark_us = max(self.watermark_us, _stamp(self.rows[self.settled + over]))
        known = bisect_right(self.rows, self.watermark_us, key=_stamp)
        if known:
            self.settled = self._first_of_stamp(known - 1)  # the newest of these stamps may get more rows
        if self.settled and self._first_of_stamp(self.settled - 1) == 0 < self.settled - 1:
            self.settled = 0  # an opening stamp of several rows takes its step from the second one
        return verdict.refused

    def end(self, control: dict[str, Any]) -> None:
        """Take the end of an upload: nothing will come that could refuse what is held."""
        self.ended = control
        self.rows += map(dict, self.arrivals.held)
        self.arrivals.held = []

    def _first_of_stamp(self, at: int) -> int:
        return bisect_left(self.rows, _stamp(self.rows[at]), key=_stamp)

    def open_until_us(self, size_us: int) -> float:
        """End of the window that holds the oldest waiting row: later windows have no update yet."""
        if self.ended or self.settled == len(self.rows):
            return math.inf
        return (_stamp(self.rows[self.settled]) // size_us + 1) * size_us

    def sums(self, period_s: float | None = None) -> dict[str, float]:
        """Energies [kWh] and charges [Ah] by plain sums; an asset's steps have one length except for gaps."""
        period_s = period_s or (1 if self.uploaded else STEP_S)
        time_s = np.array([row["time_us"] for row in self.rows]) / 1e6
        current = np.array([row["current"] for row in self.rows], float)
        power = current * np.array([row["voltage"] for row in self.rows], float)
        starts = np.flatnonzero(np.diff(time_s, prepend=-math.inf) > 0)
        count = np.diff(starts, append=len(time_s))
        span_s = np.append(np.diff(time_s[starts]), math.nan)
        step_s = span_s / count
        gap = np.array([*_is_gap(step_s.tolist())])
        hold_s = np.where(gap, np.where(count > 1, np.minimum(period_s, step_s), 0.0), step_s)
        dt_s = np.repeat(hold_s, count)
        dt_s[(starts + count - 1)[gap]] = 0.0
        if math.isnan(hold_s[-1]):
            dt_s[starts[-1] :] = 0.0
            if self.ended:
                dt_s[starts[-1] : -1] = period_s
        charging, discharging = current > 0, current < 0
        return {
            "energy_in_kwh": float((power * dt_s)[charging].sum() / 3.6e6),
            "energy_out_kwh": float(-(power * dt_s)[discharging].sum() / 3.6e6),
            "charge_in_ah": float((current * dt_s)[charging].sum() / 3600),
            "charge_out_ah": float(-(current * dt_s)[discharging].sum() / 3600),
        }


def _is_gap(steps_s: list[float]) -> Iterator[bool]:
    """Whether each step is a gap, by the median of the 15 before."""
    for i, step_s in enumerate(steps_s):
        before_s = steps_s[max(0, i - 15) : i]
        period_s = statistics.median(before_s) if before_s else None
        yield step_s > step_limit_s(period_s, before_s, Nameplate())


def _stamp(row: dict[str, Any]) -> int:
    return int(row["time_us"])
