"""Energy in and out: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.metric_example import compute
from tests.oracle import Part


def plain_energy_in_kwh(part: Part) -> float | None:
    return part.energy_j("charge") / 3.6e6 if part.measured_s("power_w") > 0 else None


def plain_energy_out_kwh(part: Part) -> float | None:
    return part.energy_j("discharge") / 3.6e6 if part.measured_s("power_w") > 0 else None


def test_a_reading_holds_until_the_next_one() -> None:
    """40 A x (900 + 905) V x 1 h = 72.2 kWh in. The last row has no next one, so 40 A x 890 V x 1 h = 35.6 kWh out."""
    rows: dict[str, Any] = {"current_a": [40, 40, -40, -40], "voltage_v": [900, 905, 890, 885]}
    assert compute("energy_in_kwh", dt_s=3600, **rows) == pytest.approx(72.2)
    assert compute("energy_out_kwh", dt_s=3600, **rows) == pytest.approx(35.6)


def test_measured_power_wins_over_current_times_voltage() -> None:
    """1000 W are measured for one hour: 1 kWh, although I V = 36 kW."""
    rows: dict[str, Any] = {"current_a": [40, 40], "voltage_v": [900, 900], "power_w": [1000, 1000]}
    assert compute("energy_in_kwh", dt_s=3600, **rows) == pytest.approx(1.0)


def test_where_the_current_is_not_measured_the_power_tells_the_direction() -> None:
    """-2000 W for one hour: 2 kWh out, nothing in."""
    assert compute("energy_out_kwh", dt_s=3600, power_w=[-2000, 0]) == pytest.approx(2.0)
    assert compute("energy_in_kwh", dt_s=3600, power_w=[-2000, 0]) == 0.0


@pytest.mark.parametrize("nominal_capacity_ah", [100, None])
def test_the_smallest_current_counts(nominal_capacity_ah: float | None) -> None:
    """A draw of 0.1 A for two hours at 1000 V is 0.2 kWh out, whatever the capacity is."""
    rows: dict[str, Any] = {"current_a": [-0.1, -0.1, 0], "voltage_v": [1000, 1000, 1000]}
    got = compute("energy_out_kwh", dt_s=3600, nominal_capacity_ah=nominal_capacity_ah, **rows)
    assert got == pytest.approx(0.2)


def test_a_gap_counts_for_nothing() -> None:
    """Rows one second apart, then ten of nothing: 3 s x 36 kW count, not 13 s."""
    rows: dict[str, Any] = {"current_a": [40] * 5, "voltage_v": [900] * 5}
    assert compute("energy_in_kwh", time_s=[0, 1, 2, 12, 13], **rows) == pytest.approx(3 * 36_000 / 3.6e6)


@pytest.mark.parametrize("metric", ["energy_in_kwh", "energy_out_kwh"])
def test_no_energy_without_a_step(metric: str) -> None:
    """A single row holds for an unknown time, and without voltage there is no power."""
    assert compute(metric, current_a=[40], voltage_v=[900]) == "no_valid_steps"
    assert compute(metric, current_a=[40, 40, 40]) == "power_missing"


def test_rest_is_known_to_be_zero() -> None:
    """Rows at rest are measured: 0 kWh, not null."""
    assert compute("energy_in_kwh", current_a=[0, 0], voltage_v=[900, 900]) == 0.0
