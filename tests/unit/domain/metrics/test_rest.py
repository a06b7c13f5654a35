"""Charge and energy at rest: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schemas.asset import AssetSpec
from tests.metric_example import compute
from tests.oracle import Part, known, total
from tests.unit.domain.fleets import START_US, a_fleet, fed, lifetime


def plain_rest_charge_ah(part: Part) -> float | None:
    if part.nameplate.capacity_ah is None or part.measured_s("current_a") == 0:
        return None
    return total(row.current_a * row.dt_s for row in part.rests()) / 3600


def plain_rest_energy_kwh(part: Part) -> float | None:
    if part.nameplate.capacity_ah is None or 0 in (part.measured_s("current_a"), part.measured_s("power_w")):
        return None
    return total(row.power_w * row.dt_s for row in part.rests() if known(row.current_a)) / 3.6e6


def test_the_band_is_below_a_hundredth_of_the_capacity() -> None:
    """Of 99 Ah the limit is 1/4 A, of 100 Ah 1 A, of 1 Ah and less 1/64 A, of 10,000 Ah 4 A; each for one hour."""
    current_a = [0.01, 0.02, 0.2, 0.25, 0.9, 3.9, 4, 0]
    for capacity_ah, charge_ah in ((0.1, 0.01), (1, 0.01), (99, 0.23), (100, 1.38), (10_000, 5.28)):
        got = compute("rest_charge_ah", dt_s=3600, nominal_capacity_ah=capacity_ah, current_a=current_a)
        assert got == pytest.approx(charge_ah), capacity_ah


def test_charge_and_draw_cancel() -> None:
    """0.2 A in for an hour, 0.1 A out for two: nothing is left; the energy is that of the voltages."""
    rows: dict[str, Any] = {"current_a": [0.2, -0.1, -0.1, 0], "voltage_v": [1000, 900, 900, 900]}
    assert compute("rest_charge_ah", dt_s=3600, nominal_capacity_ah=100, **rows) == pytest.approx(0)
    assert compute("rest_energy_kwh", dt_s=3600, nominal_capacity_ah=100, **rows) == pytest.approx(0.02)


def test_what_is_missing() -> None:
    """The capacity sets the band, a current tells what is in it, energy needs a voltage too."""
    assert compute("rest_charge_ah", current_a=[0.1, 0.1]) == "capacity_missing"
    assert compute("rest_charge_ah", nominal_capacity_ah=100, current_a=[0.1]) == "no_valid_steps"
    assert compute("rest_charge_ah", nominal_capacity_ah=100, power_w=[10, 10]) == "current_missing"
    assert compute("rest_energy_kwh", nominal_capacity_ah=100, current_a=[0.1, 0.1]) == "power_missing"
    assert compute("rest_charge_ah", nominal_capacity_ah=100, current_a=[40, 40]) == 0.0


def test_it_does_not_matter_when_the_spec_comes() -> None:
    """The same rows with the spec before, between and after them: every metric has the same bits."""
    rng = np.random.default_rng(3)
    rows = [
        {
            "asset": "a",
            "offset": i,
            "time_us": START_US + 20_000_000 * i,
            "current": float(rng.choice([40, -40, -0.2, 0.4, 0.003, 0])),
            "voltage": 900 + float(rng.normal(0, 5)),
            "soc": 50 + 40 * float(np.sin(i / 50)),
        }
        for i in range(2000)
    ]
    readings = []
    for at in (0, 700, 2000):
        fleet = a_fleet()
        fed(fleet, rows[:at])
        fleet.set_spec(fleet.slot("a"), AssetSpec(nominal_capacity_ah=94))
        fed(fleet, rows[at:])
        readings.append(lifetime(fleet))
    assert readings[0] == readings[1] == readings[2]
    assert readings[0]["rest_charge_ah"] < 0
