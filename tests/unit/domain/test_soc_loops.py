"""Streaming rainflow against published counts, the batch library, and a pack whose efficiency is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import rainflow
from hypothesis import given
from hypothesis import strategies as st

from stream_app.columns.arrays import FloatArray
from stream_app.domain.rows import COLUMNS
from stream_app.domain.samples import Samples
from stream_app.domain.soc_loops import Loops, SocLoops


def samples_of(soc: list[float], power_w: list[float] | None = None) -> Samples:
    n = len(soc)
    flow = np.zeros(n) if power_w is None else np.array(power_w)
    measured = {"soc_percent": np.array(soc), "power_w": flow, "current_a": flow}
    return Samples(
        asset=np.zeros(n, np.int64),
        starts=np.zeros(1, np.int64),
        values={name: np.full(n, np.nan) for name in COLUMNS} | measured,
        soc_following_percent=np.full(n, np.nan),
        dt_s=np.ones(n),
        valid=np.ones(n, bool),
        gap_s=np.zeros(n),
        carried=(),
        carry=np.zeros((1, 0)),
    )


def residue_percent(state: FloatArray, stack: FloatArray) -> list[float]:
    """SoC of the turning points that no loop has used up, the running extreme last."""
    points: list[float] = stack[:: SocLoops.point].tolist()
    direction, high, low = float(state[0]), float(state[1]), float(state[5])
    return points + ([] if direction == 0 else [high if direction > 0 else low])


def counted(series: list[float], cuts: list[int] | None = None) -> Counter[float]:
    """Rainflow counts of a series: closed loops, and half a cycle per leg of the residue."""
    turning = SocLoops(hysteresis_percent=0)
    state = turning.start()[None]
    tails: Sequence[FloatArray] = [np.zeros(0)]
    counts: Counter[float] = Counter()
    edges = [0, *(cuts or []), len(series)]
    for low, high in pairwise(edges):
        if low < high:
            loops: Loops
            state, tails, loops = turning.advance(state, tails, samples_of(series[low:high]))
            counts.update(dict.fromkeys(loops.depth_percent.tolist(), 0))
            for depth in loops.depth_percent.tolist():
                counts[depth] += 1
    for leg in np.abs(np.diff(residue_percent(state[0], tails[0]))).tolist():
        counts[leg] += 0.5  # type: ignore[assignment]  # half cycles
    return counts


@pytest.mark.parametrize(
    ("series", "counts"),
    [
        pytest.param([-2, 1, -3, 5, -1, 3, -4, 4, -2], {3: 0.5, 4: 1.5, 6: 0.5, 8: 1.0, 9: 0.5}, id="ASTM E1049-85"),
        pytest.param(
            [-1.5, 1, -3, 10, -1, 3, -8, 4, -2, 6, -1, -4, -8, 2, 1, -5, 0, 2.5, -4, 1, 0, 2, -0.5],
            {1: 1, 2.5: 1, 4: 1.5, 6: 1.5, 6.5: 0.5, 7: 1, 10.5: 0.5, 13: 0.5, 14: 1, 18: 0.5},
            id="second published series",
        ),
        pytest.param(
            [2, -14, 10, 0, 13, -9, 11, -8, 8, -9, 15, -4, 10, 0, 13, 0],
            {10: 2, 13: 0.5, 16: 1.5, 17: 0.5, 19: 0.5, 20: 1, 22: 1, 29: 0.5},
            id="encyclopaedia's series",
        ),
    ],
)
def test_published_counts(series: list[float], counts: dict[float, float]) -> None:
    """Counts equal the published ones, whole and in pieces."""
    assert counted(series) == counts
    assert counted(series, [3, 4, 9]) == counts


@given(series=st.lists(st.integers(0, 100), min_size=3, max_size=80), cut=st.integers(0, 80))
def test_counts_equal_the_batch_library(series: list[int], cut: int) -> None:
    """Any series, cut anywhere, counts as the batch library counts it whole."""
    values = [float(v) for v in series]
    due: Counter[float] = Counter()
    for depth, _, count, _, _ in rainflow.extract_cycles(values):
        due[depth] += count
    legs = len(set(values)) > 1 and len(list(rainflow.reversals(values))) > 2
    if legs:  # the library leaves a single leg out
        assert {k: v for k, v in counted(values, [min(cut, len(values))]).items() if v} == {
            k: v for k, v in due.items() if v and k
        }


def test_a_loops_energy_leaves_the_one_around_it() -> None:
    """20 -> 90 -> 60 -> 80 -> 20: the inner loop and the outer one are metered apart, 1 W s each step."""
    soc = [20, 50, 90, 60, 80, 55, 20, 15]
    power = [10, 10, -10, 10, -10, -10, -10, -10]
    turning = SocLoops()
    closed: list[tuple[float, float, float]] = []
    state, tails = turning.start()[None], [np.zeros(0)]
    start = [30.0, 15.0]  # so that the outer loop has a leg before it
    _, _, loops = turning.advance(
        state, tails, samples_of([*start, *map(float, soc)], [-1.0, 10.0, *map(float, power)])
    )
    closed = list(zip(loops.depth_percent, loops.energy_in_j, loops.energy_out_j, strict=True))
    assert closed[0] == (20.0, 10.0, 10.0)
    assert loops.whole.all()


def test_the_state_is_bounded() -> None:
    """However long the SoC wanders, there are at most two unused turning points a length that a leg may have."""
    rng = np.random.default_rng(5)
    turning = SocLoops()
    state = turning.start()[None]
    tails: Sequence[FloatArray] = [np.zeros(0)]
    for _ in range(20):
        state, tails, _ = turning.advance(state, tails, samples_of(rng.integers(-10, 121, 2000).astype(float).tolist()))
        assert 0 < len(tails[0]) // 4 <= 2 * 130
