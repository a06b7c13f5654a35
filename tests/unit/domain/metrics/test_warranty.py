"""The warranty account: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.metric_example import compute, compute_all
from tests.oracle import Part


def _cycles(part: Part) -> float | None:
    """Equivalent full cycles by charge."""
    capacity_ah = part.nameplate.capacity_ah
    moved_as = part.charge_as("charge") + part.charge_as("discharge")
    return None if capacity_ah is None else moved_as / 7200 / capacity_ah


def plain_warranty_cycles_used_percent(part: Part) -> float | None:
    cycles, warranted = _cycles(part), part.nameplate.spec.warranty_full_cycles
    if cycles is None or warranted is None or part.measured_s("current_a") <= 0:
        return None
    return 100 * cycles / warranted


def plain_warranty_energy_used_percent(part: Part) -> float | None:
    warranted_kwh = part.nameplate.spec.warranty_throughput_kwh
    if warranted_kwh is None or part.measured_s("power_w") <= 0:
        return None
    return 100 * part.energy_j("discharge") / 3.6e6 / warranted_kwh


def _times(part: Part) -> list[float]:
    """How many times the use so far goes into each budget."""
    spec, cycles, out_kwh = part.nameplate.spec, _cycles(part), part.energy_j("discharge") / 3.6e6
    times = []
    if spec.warranty_full_cycles is not None and cycles:
        times.append(spec.warranty_full_cycles / cycles)
    if spec.warranty_throughput_kwh is not None and out_kwh > 0:
        times.append(spec.warranty_throughput_kwh / out_kwh)
    return times


def plain_warranty_used_per_year_percent(part: Part) -> float | None:
    times = _times(part)
    return 100 / min(times) * 365.25 * 86_400 / part.span_s if times and part.span_s >= 86_400 else None


def plain_warranty_days_left(part: Part) -> float | None:
    times = _times(part)
    if not part.is_lifetime or not times or part.span_s < 86_400:
        return None
    return (min(times) - 1) * part.span_s / 86_400


DAY: dict[str, Any] = {"dt_s": 43_200, "power_w": [1000, -1000, 0], "current_a": [10, -10, 0]}
GAP = {"max_gap_s": 50_000}


def test_shares_of_the_budget() -> None:
    """One full cycle of 200; 40 of 4,000 kWh."""
    budget = {"warranty_full_cycles": 200, "warranty_throughput_kwh": 4000}
    rows: dict[str, Any] = {"dt_s": 3600, "current_a": [40, -40, 0], "power_w": [40_000, -40_000, 0]}
    assert compute("warranty_cycles_used_percent", nominal_capacity_ah=40, spec=budget, **rows) == 0.5
    assert compute("warranty_energy_used_percent", spec=budget, **rows) == 1.0


def test_the_budget_that_is_used_up_first_counts() -> None:
    """12 kWh a day of 4,812 are 401 days, less the one that has passed; a cycle a day of 101 are 100 days more."""
    energy = {"warranty_throughput_kwh": 4812} | GAP
    both = energy | {"warranty_full_cycles": 101}
    assert compute("warranty_days_left", spec=energy, **DAY) == pytest.approx(400)
    assert compute("warranty_days_left", spec=both, nominal_capacity_ah=120, **DAY) == pytest.approx(100)
    assert compute("warranty_days_left", spec=both, **DAY) == pytest.approx(400), "cycles need a capacity"


def test_a_year_takes_its_share_of_the_budget() -> None:
    """12 kWh a day are 4,383 a year: a tenth of 43,830; of 100 cycles one a day takes 365.25 %."""
    energy = {"warranty_throughput_kwh": 43_830} | GAP
    both = energy | {"warranty_full_cycles": 100}
    assert compute("warranty_used_per_year_percent", spec=energy, **DAY) == pytest.approx(10)
    assert compute("warranty_used_per_year_percent", spec=both, nominal_capacity_ah=120, **DAY) == pytest.approx(365.25)
    assert compute("warranty_used_per_year_percent", **DAY) == "warranty_missing"
    assert compute("warranty_used_per_year_percent", spec=energy, power_w=[1, 1]) == "no_load"
    assert compute("warranty_used_per_year_percent", spec=energy, **DAY | {"dt_s": 3600}) == "too_short"


def test_an_account_that_is_overdrawn_says_since_when() -> None:
    """Of 6 kWh 12 were used in a day: half a day ago."""
    assert compute("warranty_days_left", spec={"warranty_throughput_kwh": 6} | GAP, **DAY) == pytest.approx(-0.5)


def test_what_is_missing_is_named() -> None:
    """Budget, capacity, readings, and time enough."""
    energy = {"warranty_throughput_kwh": 4812}
    assert compute("warranty_cycles_used_percent", **DAY) == "warranty_missing"
    assert compute("warranty_energy_used_percent", **DAY) == "warranty_missing"
    assert compute("warranty_days_left", **DAY) == "warranty_missing"
    assert compute("warranty_cycles_used_percent", spec={"warranty_full_cycles": 1}, **DAY) == "capacity_missing"
    assert compute("warranty_energy_used_percent", spec=energy, soc_percent=[1, 2]) == "power_missing"
    assert compute("warranty_days_left", spec=energy, power_w=[1, 1]) == "no_load"
    short = compute_all("warranty_days_left", spec=energy, **DAY | {"dt_s": 3600})
    assert short.reason[0] == "too_short"
    assert short.unchecked is not None
    assert short.unchecked[0] == pytest.approx(401 - 1 / 12, abs=500)
