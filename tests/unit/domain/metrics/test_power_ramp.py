"""Ramps of the power: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

from tests.metric_example import compute
from tests.oracle import Part, known


def plain_power_ramp_max_kw_per_s(part: Part) -> float | None:
    ramps = [
        abs(row.power_w - row.previous.power_w) / row.previous.dt_s / 1000
        for row in part.rows
        if row.settled and row.previous and 0 < row.previous.dt_s <= 10
    ]
    return max((ramp for ramp in ramps if known(ramp)), default=None)


def test_a_ramp_is_over_the_time_of_its_step() -> None:
    """2 kW in 4 s, then 1 kW in 1 s."""
    assert compute("power_ramp_max_kw_per_s", time_s=[0, 4, 5], power_w=[0, 2000, 1000]) == 1.0


def test_both_directions_count() -> None:
    """1 kW to -3 kW in a second."""
    assert compute("power_ramp_max_kw_per_s", power_w=[1000, -3000, -3000]) == 4.0


def test_current_times_voltage_is_a_power() -> None:
    """10 A x 800 V in a second."""
    assert compute("power_ramp_max_kw_per_s", current_a=[0, 10], voltage_v=[800, 800]) == 8.0


def test_constant_power_has_no_ramp() -> None:
    """0, which is known."""
    assert compute("power_ramp_max_kw_per_s", power_w=[5, 5, 5]) == 0.0


def test_slow_rows_hide_the_ramp() -> None:
    """A minute between two rows; and no power at all."""
    assert compute("power_ramp_max_kw_per_s", dt_s=60, power_w=[0, 1000, 0]) == "resolution_too_coarse"
    assert compute("power_ramp_max_kw_per_s", soc_percent=[1, 2]) == "resolution_too_coarse"
