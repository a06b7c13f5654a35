"""Charge in and out and equivalent full cycles: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import pytest

from tests.metric_example import compute
from tests.oracle import Part


def plain_charge_in_ah(part: Part) -> float | None:
    return part.charge_as("charge") / 3600 if part.measured_s("current_a") > 0 else None


def plain_charge_out_ah(part: Part) -> float | None:
    return part.charge_as("discharge") / 3600 if part.measured_s("current_a") > 0 else None


def plain_equivalent_full_cycles(part: Part) -> float | None:
    capacity_ah = part.nameplate.capacity_ah
    if capacity_ah is None or part.measured_s("current_a") == 0:
        return None
    return (part.charge_as("charge") + part.charge_as("discharge")) / 3600 / (2 * capacity_ah)


def test_a_reading_holds_until_the_next_one() -> None:
    """2 h x 40 A = 80 Ah in. The last row has no next one, so 1 h x 30 A = 30 Ah out."""
    current_a = [40, 40, -30, -30]
    assert compute("charge_in_ah", dt_s=3600, current_a=current_a) == 80.0
    assert compute("charge_out_ah", dt_s=3600, current_a=current_a) == 30.0


def test_charge_needs_no_voltage_but_a_current() -> None:
    """Power alone moves an unknown charge."""
    assert compute("charge_in_ah", dt_s=3600, current_a=[10, 0]) == 10.0
    assert compute("charge_in_ah", dt_s=3600, power_w=[1000, 0]) == "current_missing"


def test_a_missing_current_leaves_only_its_own_step_out() -> None:
    """Of three hours at 10 A one was not measured: 20 Ah."""
    assert compute("charge_in_ah", dt_s=3600, current_a=[10, None, 10, 0]) == 20.0


def test_one_cycle_is_one_capacity_in_and_one_out() -> None:
    """40 Ah in and 40 Ah out of a 40 Ah pack: (40 + 40) / (2 x 40) = 1."""
    assert compute("equivalent_full_cycles", dt_s=3600, nominal_capacity_ah=40, current_a=[40, -40, 0]) == 1.0


def test_half_a_cycle_in_one_direction() -> None:
    """A full charge alone is half a cycle."""
    assert compute("equivalent_full_cycles", dt_s=3600, nominal_capacity_ah=40, current_a=[40, 0]) == 0.5


@pytest.mark.parametrize("metric", ["charge_in_ah", "charge_out_ah", "equivalent_full_cycles"])
def test_no_charge_without_a_step(metric: str) -> None:
    """A single row holds for an unknown time."""
    assert compute(metric, nominal_capacity_ah=40, current_a=[40]) == "no_valid_steps"


def test_in_less_out_is_the_mean_current_times_the_time() -> None:
    """4 h at 10, -0.001, 0.002 and -3 A: no current is too small to count."""
    current_a = [10, -0.001, 0.002, -3, 0]
    net_ah = compute("charge_in_ah", dt_s=3600, current_a=current_a) - compute(  # type: ignore[operator]
        "charge_out_ah", dt_s=3600, current_a=current_a
    )
    assert net_ah == pytest.approx(4 * compute("current_mean_a", dt_s=3600, current_a=current_a))


def test_cycles_need_a_capacity() -> None:
    """Without a capacity there is no full cycle to compare with; this reason comes first."""
    assert compute("equivalent_full_cycles", current_a=[40, 40]) == "capacity_missing"
    assert compute("equivalent_full_cycles", current_a=[40]) == "capacity_missing"
