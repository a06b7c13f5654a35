"""Energy lost and energy taken at rest: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.metric_example import compute, compute_all
from tests.oracle import Part, known, total


def plain_loss_kwh(part: Part) -> float | None:
    in_j, out_j = part.energy_j("charge"), part.energy_j("discharge")
    up, down = part.soc_percent("charge"), part.soc_percent("discharge")
    if in_j <= 0 or out_j <= 0 or up < 20 or down < 20:
        return None
    return (in_j - out_j - (up - down) * math.sqrt(in_j / up * out_j / down)) / 3.6e6


def plain_loss_cost(part: Part) -> float | None:
    lost_kwh, price = plain_loss_kwh(part), part.nameplate.spec.energy_price_per_kwh
    return None if lost_kwh is None or price is None else lost_kwh * price


def _rests(part: Part) -> tuple[float, float]:
    """Net energy [J] and duration of the rests with a power."""
    rows = [row for row in part.rows if row.flow == "rest" and known(row.power_w)]
    return total(row.power_w * row.dt_s for row in rows), total(row.dt_s for row in rows)


def plain_standby_power_w(part: Part) -> float | None:
    energy_j, rest_s = _rests(part)
    return abs(energy_j) / rest_s if rest_s > 0 else None


def plain_standby_energy_kwh(part: Part) -> float | None:
    energy_j, rest_s = _rests(part)
    return abs(energy_j) / 3.6e6 if rest_s > 0 else None


CYCLE: dict[str, Any] = {"dt_s": 3600, "power_w": [50_000, -45_000, 0], "soc_percent": [20, 80, 20]}


def test_a_closed_cycle_loses_what_does_not_come_back() -> None:
    """50 kWh in, 45 kWh out; the uncertainty is that of the SoC's steps of 60 % at both ends."""
    values = compute_all("loss_kwh", **CYCLE)
    assert values.value[0] == pytest.approx(5.0)
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx(math.sqrt(50 * 45) / math.sqrt(6))
    assert compute("loss_cost", spec={"energy_price_per_kwh": 0.25}, **CYCLE) == pytest.approx(1.25)


def test_what_is_stored_is_not_lost() -> None:
    """A charge of 60 % and a discharge of 30 %, 1 kWh a percent both ways: half is still there, nothing is lost."""
    assert compute("loss_kwh", dt_s=3600, power_w=[60_000, -30_000, 0], soc_percent=[20, 80, 50]) == pytest.approx(
        0.0, abs=1e-9
    )


def test_what_is_missing_is_named() -> None:
    """Charge, discharge, SoC, price, and enough of all."""
    assert compute("loss_kwh", **CYCLE | {"power_w": [0, -45_000, 0]}) == "no_charge"
    assert compute("loss_kwh", **CYCLE | {"power_w": [50_000, 0, 0]}) == "no_discharge"
    assert compute("loss_kwh", **CYCLE | {"soc_percent": [50, 50, 50]}) == "no_soc_swing"
    assert compute("loss_kwh", **CYCLE | {"soc_percent": [50, 60, 50]}) == "insufficient_throughput"
    assert compute("loss_cost", **CYCLE) == "price_missing"


def test_standby_is_power_at_rest() -> None:
    """0.25 A at 800 V, of 100 Ah: the cells give 200 W; as much from the grid is as much consumption."""
    rows: dict[str, Any] = {"nominal_capacity_ah": 100, "voltage_v": [800] * 3}
    for sign in (-1, 1):
        current_a = [sign * 0.25, sign * 0.25, 50]
        assert compute("standby_power_w", current_a=current_a, **rows) == 200.0
        assert compute("standby_energy_kwh", dt_s=3600, current_a=current_a, **rows) == pytest.approx(0.4)


def test_a_cell_that_rests_takes_nothing() -> None:
    """0 W at 0 A; under load there is no rest, and without a voltage no power."""
    assert compute("standby_power_w", current_a=[0, 0], voltage_v=[800, 800]) == 0.0
    assert compute("standby_power_w", current_a=[10, 10], voltage_v=[800, 800]) == "no_rest"
    assert compute("standby_energy_kwh", current_a=[0, 0]) == "no_rest"
