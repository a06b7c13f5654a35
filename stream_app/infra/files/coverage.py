"""How much of a file's time its rows cover, by the gap limit that its spec gives."""

from __future__ import annotations

from typing import Final

import numpy as np

from schemas.file import FileSpec
from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.domain.durations import RING, StepHistory, measure
from stream_app.domain.specs import AssetSpecs

#: Less is worth a warning.
ENOUGH: Final = 0.95


def steps_s(times_us: IntArray) -> FloatArray:
    """Steps between stamps that differ [s], of times that ascend."""
    steps = np.diff(times_us) / 1e6
    moved: FloatArray = steps[steps > 0]
    return moved


def coverage(times_us: IntArray, spec: FileSpec) -> float:
    """Share of the time in steps that are no gaps, as the metrics of one asset will have it."""
    if len(times_us) < 2 or times_us[0] == times_us[-1]:
        return 1.0
    specs = AssetSpecs.of(spec.of_asset())
    durations = measure(
        np.zeros(1, np.int64),
        times_us,
        StepHistory(np.zeros(1, np.int64), np.zeros((1, RING)), np.full(1, np.nan)),
        watermark_us=times_us[-1:],
        nominal_s=specs.period_s,
        max_gap_s=specs.max_gap_s,
        least_gap_s=specs.least_gap_s,
        flush=np.ones(1, np.bool_),
    )
    covered, gaps = float(durations.dt_s.sum()), float(durations.gap_s.sum())
    return covered / (covered + gaps) if covered + gaps > 0 else 1.0


def warning(times_us: IntArray, spec: FileSpec) -> str | None:
    """What to say of a file whose steps are gaps for the most part; None when they are not."""
    share = coverage(times_us, spec)
    if share >= ENOUGH:
        return None
    steps = steps_s(times_us)
    usual = float(np.percentile(steps, 95))
    return (
        f"only {share:.0%} of the time is covered: longer steps count as gaps. If readings hold until the next row, "
        f"say --max-gap {np.ceil(usual):.0f} (95 % of the steps are no longer; the longest has {steps.max():.0f} s)"
    )
