"""Energy lost and energy taken at rest: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.metric_example import compute, compute_all
from tests.oracle import Part, total
from tests.unit.domain.metrics.test_level_efficiency import plain_rte_level


def plain_loss_kwh(part: Part) -> float | None:
    rte = plain_rte_level(part)
    if rte is None or rte <= 0:
        return None
    one_way = math.sqrt(rte)
    return (part.energy_j("charge") * (1 - one_way) + part.energy_j("discharge") * (1 / one_way - 1)) / 3.6e6


def plain_loss_cost(part: Part) -> float | None:
    lost_kwh, price = plain_loss_kwh(part), part.nameplate.spec.energy_price_per_kwh
    return None if lost_kwh is None or price is None else lost_kwh * price


def _rests(part: Part) -> tuple[float, float]:
    """Net energy [J] and metered duration of the rests; no duration where what rest is, or the power, is not known."""
    if part.nameplate.capacity_ah is None or part.measured_s("power_w") <= 0:
        return 0.0, 0.0
    rest_s = total(row.dt_s for row in part.rests())
    metered = min(part.measured_s("power_w") / part.measured_s("current_a"), 1.0) if rest_s > 0 else 0.0
    return total(row.power_w * row.dt_s for row in part.rests()), rest_s * metered


def plain_standby_power_w(part: Part) -> float | None:
    energy_j, rest_s = _rests(part)
    return abs(energy_j) / rest_s if rest_s > 0 else None


def plain_standby_energy_kwh(part: Part) -> float | None:
    energy_j, rest_s = _rests(part)
    return abs(energy_j) / 3.6e6 if rest_s > 0 else None


#: Four swings of 60 %: 10 kWh in, 8.1 kWh out each, so charging and discharging have an efficiency of 0.9.
SWINGS: dict[str, Any] = {
    "dt_s": 3600,
    "current_a": [10, -10] * 4 + [0],
    "voltage_v": [1000, 810] * 4 + [900],
    "soc_percent": [20, 80] * 4 + [20],
}


def test_closed_cycles_lose_what_does_not_come_back() -> None:
    """40 kWh in, 32.4 kWh out; the uncertainty is that of the efficiency, half of it on each way."""
    values = compute_all("loss_kwh", **SWINGS)
    assert values.value[0] == pytest.approx(7.6)
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx((40 / 0.9 + 32.4 / 0.9**3) / 2 * 0.00017)
    assert compute("loss_cost", spec={"energy_price_per_kwh": 0.25}, **SWINGS) == pytest.approx(1.9)


def test_what_is_stored_is_not_lost() -> None:
    """One more charge of 10 kWh: a tenth of it is lost, the rest is still there."""
    rows = SWINGS | {"current_a": [10, -10] * 4 + [10, 0], "voltage_v": [1000, 810] * 5}
    rows["soc_percent"] = [20, 80] * 5
    assert compute("loss_kwh", **rows) == pytest.approx(7.6 + 1.0)


def test_what_is_missing_is_named() -> None:
    """Trips, SoC, power, what comes back, a sound current, and the price."""
    without = {name: rows for name, rows in SWINGS.items() if name != "soc_percent"}
    assert compute("loss_kwh", **without) == "soc_missing"
    without = {name: rows for name, rows in SWINGS.items() if name != "voltage_v"}
    assert compute("loss_kwh", **without) == "power_missing"
    assert compute("loss_kwh", **SWINGS | {"voltage_v": [1000, 0] * 4 + [900]}) == "no_discharge"
    assert compute("loss_kwh", **SWINGS | {"soc_percent": [50] * 9}) == "too_few_trips"
    assert compute("loss_kwh", **SWINGS | {"current_a": [12, -8] * 4 + [0]}) == "charge_unbalanced"
    assert compute("loss_cost", **SWINGS) == "price_missing"


def test_standby_is_power_at_rest() -> None:
    """0.25 A at 800 V, of 100 Ah: the cells give 200 W; as much from the grid is as much consumption."""
    rows: dict[str, Any] = {"nominal_capacity_ah": 100, "voltage_v": [800] * 3}
    for sign in (-1, 1):
        current_a = [sign * 0.25, sign * 0.25, 50]
        assert compute("standby_power_w", current_a=current_a, **rows) == 200.0
        assert compute("standby_energy_kwh", dt_s=3600, current_a=current_a, **rows) == pytest.approx(0.4)


def test_a_cell_that_rests_takes_nothing() -> None:
    """0 W at 0 A; under load there is no rest, and without a voltage no power."""
    assert compute("standby_power_w", nominal_capacity_ah=1, current_a=[0, 0], voltage_v=[800, 800]) == 0.0
    assert compute("standby_power_w", nominal_capacity_ah=1, current_a=[10, 10], voltage_v=[800, 800]) == "no_rest"
    assert compute("standby_energy_kwh", nominal_capacity_ah=1, current_a=[0, 0]) == "power_missing"
    assert compute("standby_power_w", current_a=[0, 0], voltage_v=[800, 800]) == "capacity_missing"


def test_rest_without_a_voltage_does_not_dilute_the_power() -> None:
    """200 W for one of two seconds: the power of half the time is not known."""
    rows: dict[str, Any] = {"current_a": [-0.25, -0.25, 50], "voltage_v": [800, None, 800]}
    assert compute("standby_power_w", nominal_capacity_ah=100, **rows) == 200.0
