"""Energy in and out: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.metric_example import compute, compute_all
from tests.oracle import Part, total


def plain_energy_in_kwh(part: Part) -> float | None:
    return part.energy_j("charge") / 3.6e6 if part.measured_s("power_w") > 0 else None


def plain_energy_out_kwh(part: Part) -> float | None:
    return part.energy_j("discharge") / 3.6e6 if part.measured_s("power_w") > 0 else None


def _gap_energy_kwh(part: Part, direction: int) -> float | None:
    energies_j = [fill.energies_j for fill in part.fills]
    return None if None in energies_j else total(energy[direction] for energy in energies_j if energy) / 3.6e6


def plain_gap_energy_in_kwh(part: Part) -> float | None:
    return _gap_energy_kwh(part, 0)


def plain_gap_energy_out_kwh(part: Part) -> float | None:
    return _gap_energy_kwh(part, 1)


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
    """Rows one second apart, then a thousand of nothing: 3 s x 36 kW count, not 1003 s."""
    rows: dict[str, Any] = {"current_a": [40] * 5, "voltage_v": [900] * 5}
    assert compute("energy_in_kwh", time_s=[0, 1, 2, 1002, 1003], **rows) == pytest.approx(3 * 36_000 / 3.6e6)


@pytest.mark.parametrize("metric", ["energy_in_kwh", "energy_out_kwh"])
def test_no_energy_without_a_step(metric: str) -> None:
    """A single row holds for an unknown time, and without voltage there is no power."""
    assert compute(metric, current_a=[40], voltage_v=[900]) == "no_valid_steps"
    assert compute(metric, current_a=[40, 40, 40]) == "power_missing"


def test_rest_is_known_to_be_zero() -> None:
    """Rows at rest are measured: 0 kWh, not null."""
    assert compute("energy_in_kwh", current_a=[0, 0], voltage_v=[900, 900]) == 0.0


#: A rise of 60 % by 9 kWh and a fall of 30 % by 9 kWh, then a gap.
SHOWN: dict[str, Any] = {
    "time_s": [0, 3600, 7200, 7300, 107_300],
    "current_a": [10, -10, 0, 0, 0],
    "voltage_v": [900] * 5,
}


def test_a_gap_takes_what_the_soc_took_before() -> None:
    """10 % up is 9 kWh / 60 % x 10 %; 10 % down 9 kWh / 30 % x 10 %. The measured energy stays what was measured."""
    up, down = SHOWN | {"soc_percent": [20, 80, 50, 50, 60]}, SHOWN | {"soc_percent": [20, 80, 50, 50, 40]}
    assert compute("gap_energy_in_kwh", **up) == pytest.approx(1.5)
    assert compute("gap_energy_out_kwh", **up) == 0.0
    assert compute("energy_in_kwh", **up) == pytest.approx(9)
    assert compute("gap_energy_in_kwh", **down) == 0.0
    assert compute("gap_energy_out_kwh", **down) == pytest.approx(3)


def test_a_gap_before_the_asset_has_shown_what_it_takes_is_not_filled() -> None:
    """The SoC rose by 10 % before: too little. A gap without a SoC cannot be filled; one without a change is empty."""
    for soc_percent, got in (
        ([20, 30, 20, 20, 60], "gap_not_filled"),
        ([20, 80, 50, None, 60], "gap_not_filled"),
        ([20, 30, 20, 20, 20], 0.0),
    ):
        assert compute("gap_energy_in_kwh", **SHOWN, soc_percent=soc_percent) == got
    values = compute_all("gap_energy_in_kwh", **SHOWN, soc_percent=[20, 30, 20, 20, 60])
    assert values.unchecked is not None
    assert values.unchecked[0] == 0.0
