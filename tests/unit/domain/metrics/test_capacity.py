"""Capacity by the charge between levels of the SoC: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from stream_app.domain.metrics.capacity import few_factor
from tests.metric_example import compute, compute_all
from tests.oracle import Part, known, total
from tests.unit.domain.metrics.test_level_efficiency import charges_of, is_unbalanced


def soc_agrees(part: Part) -> bool:
    """Whether all charge over all change of the SoC gives the capacity of the spans within 3 %, if there are any."""
    spans = [crossing.span for crossing in part.crossings if crossing.span is not None]
    if not spans:
        return True
    capacity_ah = 5 * total(into - out for into, out, _ in spans) / len(spans) / 3600
    moving = [row for row in part.rows if row.valid and known(row.current_a) and known(row.soc_ahead_percent)]
    moved_percent = part.soc_percent("charge") + part.soc_percent("discharge")
    off_ah = 100 * total(abs(row.current_a) * row.dt_s for row in moving) / 3600 - capacity_ah * moved_percent
    return abs(off_ah) <= 0.03 * capacity_ah * moved_percent


def plain_capacity_est(part: Part) -> float | None:
    spans = [crossing.span for crossing in part.crossings if crossing.span is not None]
    net_as = total(into - out for into, out, _ in spans)
    if len(spans) < 2 or net_as <= 0:
        return None
    capacity_ah = 5 * net_as / len(spans) / 3600
    if not soc_agrees(part):
        return None
    charges = charges_of(part)
    if charges is None or charges[0] <= 0 or charges[2] <= 0 or is_unbalanced(part):
        return capacity_ah
    in_as, out_as, trip_s = charges
    half = math.sqrt(out_as / in_as)
    by_charge = [half * into - out / half for into, out, _ in spans]
    lacking = [(1 - out_as / in_as) * ((into + out) / 2 - in_as / trip_s * span_s) for into, out, span_s in spans]
    return 5 * (total(by_charge) + total(lacking) / 2) / len(spans) / 3600


def plain_soh_capacity(part: Part) -> float | None:
    capacity_ah, nominal_ah = plain_capacity_est(part), part.nameplate.capacity_ah
    if not capacity_ah or not nominal_ah or is_unbalanced(part):
        return None
    return 100 * capacity_ah / nominal_ah


#: 10 -> 60 -> 10 -> 60 %, 50 Ah each time: 1 Ah per percent.
SWINGS: dict[str, Any] = {"dt_s": 3600, "current_a": [50, -50, 50, 0], "soc_percent": [10, 60, 10, 60]}


def test_one_ah_per_percent() -> None:
    """Six spans of 20 %, each of 20 Ah: 100 Ah; they do not scatter, the floor of 0.01 % stays."""
    values = compute_all("capacity_est", **SWINGS)
    assert values.value[0] == pytest.approx(100)
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx(0.01)


def test_a_loss_of_charge_is_shared_by_both_directions() -> None:
    """Of 50 Ah in 49.5 come back: 100 Ah per 100 % on the way up, 99 down, and no scatter is left between them."""
    values = compute_all("capacity_est", dt_s=3600, current_a=[50, -49.5] * 3 + [50, 0], soc_percent=[10, 60] * 4)
    assert values.value[0] == pytest.approx(100 * math.sqrt(0.99), rel=2e-5)
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx(0.01 * math.sqrt(0.99), rel=0.05)


@pytest.mark.parametrize(("rise_a", "fall_a"), [(30.4, -10.0), (30.1, -9.9)])
def test_a_loss_may_go_by_charge_or_by_time(rise_a: float, fall_a: float) -> None:
    """60 % up in 2 h, down in 6 h; 0.8 Ah are lost: of what is charged, or 0.1 A all the while.

    100 % take 101.33 Ah up and 100 Ah down, or 100.33 and 99: if all goes by charge, the root of their product is the
    capacity. If all goes by time, a span of 2 h down has (2 - 2/3) h x 0.1 A more of it than one up: half of that per
    20 % is the difference. What is shown is half way, and either end is 1.73 sigma away.
    """
    values = compute_all(
        "capacity_est",
        dt_s=3600,
        current_a=([rise_a] * 2 + [fall_a] * 6) * 5 + [0],
        soc_percent=([10, 40] + [70 - 10 * k for k in range(6)]) * 5 + [10],
    )
    by_charge_ah = math.sqrt(2 * rise_a / 0.6 * 6 * -fall_a / 0.6)
    by_time_ah = by_charge_ah + 5 * 0.1 * (2 - 2 / 3) / 2
    assert values.value[0] == pytest.approx((by_charge_ah + by_time_ah) / 2, rel=1e-4)
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx(math.hypot((by_time_ah - by_charge_ah) / math.sqrt(12), 0.01), rel=0.05)


def test_its_uncertainty_is_the_scatter_of_the_spans() -> None:
    """Spans of 20, 20, then 22, 22 Ah: mean 21, deviation of one sqrt(4 / 3), of the mean half of it, times five.

    Of four of them the quantile of Student's distribution for 95.45 % is 3.31 in place of 2.
    """
    values = compute_all("capacity_est", dt_s=3600, current_a=[50, -55, 0], soc_percent=[10, 60, 10])
    assert values.value[0] == pytest.approx(105)
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx(3.31 / 2 * 5 * math.sqrt(4 / 3) / 2, rel=0.01)


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 13.97), (2, 4.53), (3, 3.31), (4, 2.87), (6, 2.52), (10, 2.28), (50, 2.05)]
)
def test_a_few_spans_are_as_uncertain_as_student_has_it(freedom: int, quantile: float) -> None:
    """JCGM 100:2008, table G.2, for 95.45 %."""
    assert few_factor(np.array([freedom + 1.0]))[0] == pytest.approx(quantile / 2, rel=0.02)


def test_a_turn_is_in_no_span() -> None:
    """10 -> 40 -> 20 -> 40 %: one span up (12.5 to 32.5 %); the two crossings of 32.5 % around each turn are none."""
    rows: dict[str, Any] = {"current_a": [30, -20, 20, 0], "soc_percent": [10, 40, 20, 40]}
    assert compute("capacity_est", dt_s=3600, **rows) == "too_few_spans"


def test_a_soc_that_lags_is_suspected() -> None:
    """The first step after each turn moves it on by 2 %: spans are right, all charge over all its change is not."""
    rise, fall = [20, 30, 40, 50, 60, 62], [50, 40, 30, 20, 10, 8]
    values = compute_all(
        "capacity_est",
        dt_s=3600,
        current_a=[10] * 5 + ([-10] * 6 + [10] * 6) * 2 + [0],
        soc_percent=[10, *rise, *(fall + rise) * 2],
    )
    assert values.reason[0] == "soc_lag_suspect"
    assert values.unchecked is not None
    assert not math.isnan(values.unchecked[0])


def test_what_is_missing_is_named() -> None:
    """Charge needs a current, spans need a SoC."""
    rows = {name: column for name, column in SWINGS.items() if name != "soc_percent"}
    assert compute("capacity_est", **rows) == "soc_missing"
    assert compute("capacity_est", power_w=[1000] * 4, soc_percent=SWINGS["soc_percent"]) == "current_missing"


def test_a_gap_that_cannot_be_filled_leaves_its_span_out() -> None:
    """The rise from 10 to 60 % lies in a gap of which nothing is known; the fall after it has two spans."""
    got = compute("capacity_est", time_s=[0, 86_400, 90_000], current_a=[50, -50, 0], soc_percent=[10, 60, 10])
    assert got == pytest.approx(100)


def test_state_of_health() -> None:
    """100 Ah of 125 Ah; without a nominal capacity there is none, and an unbalanced charge holds it back."""
    assert compute("soh_capacity", nominal_capacity_ah=125, **SWINGS) == pytest.approx(80)
    assert compute("soh_capacity", **SWINGS) == "capacity_missing"
    rows: dict[str, Any] = SWINGS | {"current_a": [50, -40] * 4, "soc_percent": [10, 60] * 4}
    assert compute("soh_capacity", nominal_capacity_ah=125, **rows) == "charge_unbalanced"
    assert (
        compute("soh_capacity", nominal_capacity_ah=125, dt_s=3600, current_a=[1], soc_percent=[1]) == "too_few_spans"
    )
