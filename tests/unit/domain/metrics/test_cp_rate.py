"""Power over the nominal energy: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

from tests.metric_example import compute
from tests.oracle import Part, known


def plain_cp_rate_mean_per_h(part: Part) -> float | None:
    nominal_kwh = part.nameplate.spec.nominal_energy_kwh
    loaded_s = sum(row.dt_s for row in part.rows if row.flow in ("charge", "discharge") and known(row.power_w))
    moved_j = part.energy_j("charge") + part.energy_j("discharge")
    if nominal_kwh is None or loaded_s <= 0 or moved_j <= 0:
        return None
    return moved_j / loaded_s / 1000 / nominal_kwh


def plain_cp_rate_max_per_h(part: Part) -> float | None:
    nominal_kwh = part.nameplate.spec.nominal_energy_kwh
    powers_w = [abs(row.power_w) for row in part.rows if known(row.power_w)]
    return max(powers_w) / 1000 / nominal_kwh if nominal_kwh is not None and powers_w else None


SPEC = {"nominal_energy_kwh": 80.0}


def test_the_mean_is_over_the_loaded_time_alone() -> None:
    """40 kW and 20 kW for a second each, then rest: 30 kW / 80 kWh."""
    assert compute("cp_rate_mean_per_h", spec=SPEC, power_w=[40_000, -20_000, 0, 0]) == 0.375


def test_a_load_without_a_power_is_left_out() -> None:
    """40 kW for a second; the voltage of the next one is not known."""
    assert compute("cp_rate_mean_per_h", spec=SPEC, current_a=[50, 50, 0], voltage_v=[800, None, 800]) == 0.5


def test_the_largest_may_discharge() -> None:
    """-80 kW of a row without duration is 1 1/h."""
    assert compute("cp_rate_max_per_h", spec=SPEC, power_w=[40_000, 0, -80_000]) == 1.0


def test_what_is_missing_is_named() -> None:
    """Nominal energy, load and power."""
    assert compute("cp_rate_mean_per_h", power_w=[1, 1]) == "energy_missing"
    assert compute("cp_rate_max_per_h", power_w=[1, 1]) == "energy_missing"
    assert compute("cp_rate_mean_per_h", spec=SPEC, power_w=[0, 0]) == "no_load"
    assert compute("cp_rate_max_per_h", spec=SPEC, current_a=[1, 1]) == "no_readings"
