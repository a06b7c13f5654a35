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
    return total(loop.out_j for loop in whole) / in_j if in_j > 0 and depth_percent >= 50 else None


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


#: 60 -> 20 -> 80 -> 20 -> 90: 10 A x 900 V x 1 s charge each rise, 9 A x 900 V x 1 s are discharged in each fall.
LOOP: dict[str, Any] = {"current_a": [-9, 10, -9, 10, 0], "voltage_v": [900] * 5, "soc_percent": [60, 20, 80, 20, 90]}


def test_a_loops_energy_out_over_its_energy_in() -> None:
    """The loop 20-80-20 is closed where the SoC passes 80 % again: 9 / 10. Its depth is 60 %."""
    values = compute_all("rte_loop", **LOOP)
    assert values.value[0] == pytest.approx(0.9)
    assert values.reason[0] == ""


def test_its_uncertainty_is_that_of_the_socs_resolution() -> None:
    """Smallest SoC step q = 40 %, one loop of 60 %: 0.9 x 40 x sqrt(1 / 6) / 60."""
    values = compute_all("rte_loop", **LOOP)
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx(0.9 * 40 * math.sqrt(1 / 6) / 60)


def test_shallow_loops_are_shown_unchecked() -> None:
    """The loop 40-80-40 has a depth of 40 %, below the 50 % that are asked for: null, 9 / 10 beside it."""
    values = compute_all("rte_loop", **LOOP | {"soc_percent": [60, 40, 80, 40, 90]})
    assert values.reason[0] == "insufficient_throughput"
    assert values.unchecked is not None
    assert values.unchecked[0] == pytest.approx(0.9)


def test_a_loop_across_a_gap_is_left_out() -> None:
    """While nothing was measured the SoC moved from 80 to 20 %: the energy of this loop is not known."""
    assert compute("rte_loop", time_s=[0, 1, 2, 12, 13], **LOOP) == "no_closed_loop"


def test_what_it_needs() -> None:
    """A loop that closed, and energy that went in."""
    assert compute("rte_loop", current_a=[10, 10], voltage_v=[900, 900], soc_percent=[20, 80]) == "no_closed_loop"
    assert compute("rte_loop", **LOOP | {"current_a": [-9, -9, -9, -9, 0]}) == "no_charge"
