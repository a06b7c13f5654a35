"""Rainflow cycles and the efficiency of closed loops: known numbers, limiting cases, and the plain computation.

How loops are found, against published counts: ``tests/unit/domain/test_soc_loops.py``.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import rainflow

from tests.metric_example import compute, compute_all
from tests.oracle import Part, known, total
from tests.oracle.rows import bin_of
from tests.unit.domain.metrics.test_level_efficiency import is_unbalanced

BINS = 20


def plain_rainflow_cycles(part: Part) -> list[float] | None:
    if not any(known(row.soc_percent) for row in part.rows):
        return None
    cycles = [0.0] * BINS
    points = part.turning_points_percent
    if points is None:  # of a window: the loops that closed in it
        for loop in part.loops:
            cycles[bin_of(loop.depth_percent, 5, BINS)] += 1
    elif len(points) == 2:  # the library leaves a single leg out
        cycles[bin_of(abs(points[0] - points[1]), 5, BINS)] += 0.5
    else:
        for depth_percent, _, count, _, _ in rainflow.extract_cycles(points):
            cycles[bin_of(depth_percent, 5, BINS)] += count
    return cycles


def plain_rte_loop(part: Part) -> float | None:
    whole = [loop for loop in part.loops if loop.whole]
    in_j = total(loop.in_j for loop in whole)
    depth_percent = total(loop.depth_percent for loop in whole)
    if in_j <= 0 or depth_percent < 50 or len(whole) < 3 or is_unbalanced(part):
        return None
    return total(loop.out_j for loop in whole) / in_j


def _bins(**counts: float) -> list[float]:
    """Cycles by bin: ``_bins(b20=1)`` is one cycle of 20 to 25 %."""
    return [counts.get(f"b{5 * i}", 0.0) for i in range(BINS)]


def test_a_loop_within_a_swing_is_one_cycle() -> None:
    """20 -> 90 -> 60 -> 80 -> 10: the loop 60-80 closes (20 %), the legs 20-90 and 90-10 are half a cycle each."""
    got = compute("rainflow_cycles", soc_percent=[20, 90, 60, 80, 10])
    assert got == _bins(b20=1, b70=0.5, b80=0.5)


def test_a_single_leg_is_half_a_cycle() -> None:
    """Ten percent up, and nothing else."""
    assert compute("rainflow_cycles", soc_percent=[50, 55, 60]) == _bins(b10=0.5)


def test_a_full_swing_counts_in_the_last_bin() -> None:
    """0 -> 100 -> 0 % are two legs of 100 %, which the bin from 95 % takes."""
    assert compute("rainflow_cycles", soc_percent=[0, 100, 0]) == _bins(b95=1)


def test_a_flicker_below_the_hysteresis_is_no_cycle() -> None:
    """Reversals of less than 1 % confirm nothing."""
    soc_percent = [50, 50.9, 50, 50.9, 50]
    assert compute("rainflow_cycles", soc_percent=soc_percent) == _bins()
    assert sum(1 for a, b in pairwise(soc_percent) if a != b) == 4


def test_cycles_need_a_soc() -> None:
    """No row has one; a SoC that rests has zero cycles."""
    assert compute("rainflow_cycles", current_a=[1, 2]) == "soc_missing"
    assert compute("rainflow_cycles", soc_percent=[50, 50]) == _bins()


def test_a_swing_of_one_bins_width_is_in_one_bin_wherever_it_is() -> None:
    """80 readings, 79 legs of 5.0 %: 65.1 - 60.1 is a little less than 5, all the same."""
    for top in (65.1, 55.0, 20.3):
        got = compute("rainflow_cycles", soc_percent=[round(top - 5 * (i % 2), 1) for i in range(80)])
        assert isinstance(got, list)
        assert (got[0], got[1]) == (0.0, 39.5), top


#: 20 -> 80 -> 20.1 -> 79.9 -> ... -> 81 %: each rise takes 10 A x 900 V x 1 s, each fall gives 9.9 A x 900 V x 1 s.
LOOPS: dict[str, Any] = {
    "current_a": [10, -9.9] * 4,
    "voltage_v": [900] * 8,
    "soc_percent": [20, 80, 20.1, 79.9, 20.2, 79.8, 20.3, 81],
}


def test_a_loops_energy_out_over_its_energy_in() -> None:
    """Three loops close where the SoC goes on to 81 %: 9.9 / 10; they do not scatter, the floor stays."""
    values = compute_all("rte_loop", **LOOPS)
    assert values.reason[0] == ""
    assert values.value[0] == pytest.approx(0.99)
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx(0.0002)


def test_its_uncertainty_is_the_scatter_of_the_loops() -> None:
    """Loops of 9,000 J in and 8,910, 8,955 and 8,865 J out: sqrt(3 / 2 x (45^2 + 45^2)) / 27,000."""
    rows = LOOPS | {"voltage_v": [900, 900, 900, 8955 / 9.9, 900, 8865 / 9.9, 900, 900]}
    values = compute_all("rte_loop", **rows)
    assert values.value[0] == pytest.approx(0.99)
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx(math.hypot(math.sqrt(1.5 * 2 * 45**2) / 27_000, 0.0002))


def test_what_holds_it_back() -> None:
    """Two loops, shallow loops, and trips whose charge does not balance: null, with the ratio beside it."""
    for change, reason in (
        ({"soc_percent": [20, 80, 20.1, 79.9, 20.2, 20.25, 20.3, 81]}, "too_few_loops"),
        ({"soc_percent": [20, 30, 21, 29, 22, 28, 23, 90]}, "insufficient_throughput"),
        ({"current_a": [10, -9] * 4}, "charge_unbalanced"),
    ):
        values = compute_all("rte_loop", **LOOPS | change)
        assert values.reason[0] == reason
        assert values.unchecked is not None
        assert values.unchecked[0] > 0


def test_a_loop_across_a_gap_is_left_out() -> None:
    """While nothing was measured the SoC moved from 20.1 to 79.9 %: the energy of this loop is not known."""
    values = compute_all("rte_loop", time_s=[0, 1, 2, 1002, 1003, 1004, 1005, 1006], **LOOPS)
    assert values.reason[0] == "too_few_loops"


def test_what_it_needs() -> None:
    """A SoC, a power, a loop that closed, and energy that went in."""
    assert compute("rte_loop", current_a=[10, 10], voltage_v=[900, 900]) == "soc_missing"
    assert compute("rte_loop", current_a=[10, 10], soc_percent=[20, 80]) == "power_missing"
    assert compute("rte_loop", current_a=[10, 10], voltage_v=[900, 900], soc_percent=[20, 80]) == "no_closed_loop"
    assert compute("rte_loop", **LOOPS | {"current_a": [-9] * 8}) == "no_charge"
