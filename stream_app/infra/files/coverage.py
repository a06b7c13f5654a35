"""How much of an asset's time its rows cover, by the gap limit of its spec; and its steps. In bounded memory."""

from __future__ import annotations

from typing import Final

import numpy as np

from schemas.file import FileSpec
from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.domain.durations import RING, Durations, StepHistory, measure
from stream_app.domain.specs import AssetSpecs

#: Less is worth a warning.
ENOUGH: Final = 0.95
#: Rows that are measured at a time, and steps that are kept for their percentiles.
_AT_A_TIME: Final = 8192
_KEPT_STEPS: Final = 65_536


class Coverage:
    """Takes an asset's times, ascending, in as many portions as there are."""

    def __init__(self, spec: FileSpec) -> None:
        specs = AssetSpecs.of(spec.of_asset())
        self._period_s, self._max_gap_s, self._least_gap_s = specs.period_s, specs.max_gap_s, specs.least_gap_s
        self._history = StepHistory(np.zeros(1, np.int64), np.zeros((1, RING)), np.full(1, np.nan))
        self._waiting: list[IntArray] = []
        self._rows_waiting = 0
        self._covered_s = self._gaps_s = 0.0
        self._steps: FloatArray = np.zeros(0)
        self._every = 1  # so manieth step is kept
        self.longest_s = 0.0
        self.rows = self.repeats = 0
        self.first_us = self.last_us = 0

    def add(self, times_us: IntArray) -> None:
        """Take more times, none of them before the last one."""
        if not len(times_us):
            return
        self.first_us = self.first_us if self.rows else int(times_us[0])
        self.rows += len(times_us)
        self._waiting.append(times_us)
        self._rows_waiting += len(times_us)
        if self._rows_waiting >= _AT_A_TIME:
            self._measure()

    def share(self) -> float:
        """Share of the time in steps that are no gaps, as the metrics of the asset will have it."""
        self._measure()
        if self.first_us == self.last_us:
            return 1.0
        last = self._durations(np.concatenate(self._waiting), flush=True)
        covered = self._covered_s + float(last.dt_s.sum())
        gaps = self._gaps_s + float(last.gap_s.sum())
        return covered / (covered + gaps) if covered + gaps > 0 else 1.0

    def steps_s(self, *percentiles: float) -> list[float]:
        """Percentiles of the steps between stamps that differ [s]; 0 where there are none."""
        self._measure()
        return np.percentile(self._steps, percentiles).tolist() if len(self._steps) else [0.0] * len(percentiles)

    def warning(self) -> str | None:
        """What to say of rows whose steps are gaps for a good part; None when they are not."""
        share = self.share()
        if share >= ENOUGH:
            return None
        return (
            f"only {share:.0%} of the time is covered: longer steps count as gaps. If readings hold until the next "
            f"row, say --max-gap {np.ceil(self.steps_s(95)[0]):.0f} (95 % of the steps are no longer; the longest has "
            f"{self.longest_s:.0f} s)"
        )

    def _measure(self) -> None:
        if not self._rows_waiting:
            return
        times_us = np.concatenate(self._waiting)
        old = len(times_us) - self._rows_waiting
        self._add_steps(times_us[old:])
        durations = self._durations(times_us, flush=False)
        self._covered_s += float(durations.dt_s.sum())
        self._gaps_s += float(durations.gap_s.sum())
        self._history = durations.history
        self._waiting = [times_us[~durations.settled]]
        self._rows_waiting = 0

    def _durations(self, times_us: IntArray, *, flush: bool) -> Durations:
        return measure(
            np.zeros(1, np.int64),
            times_us,
            self._history,
            watermark_us=times_us[-1:] if len(times_us) else np.zeros(1, np.int64),
            nominal_s=self._period_s,
            max_gap_s=self._max_gap_s,
            least_gap_s=self._least_gap_s,
            flush=np.full(1, flush),
        )

    def _add_steps(self, times_us: IntArray) -> None:
        before = self.last_us or self.first_us
        steps = np.diff(times_us, prepend=before) / 1e6
        moved = steps[steps > 0]
        self.repeats += len(steps) - len(moved) - (self.last_us == 0)
        self.last_us = int(times_us[-1])
        if not len(moved):
            return
        self.longest_s = max(self.longest_s, float(moved.max()))
        self._steps = np.concatenate((self._steps, moved[:: self._every]))
        while len(self._steps) > _KEPT_STEPS:
            self._steps, self._every = self._steps[::2], self._every * 2
