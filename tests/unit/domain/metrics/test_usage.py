"""How the asset is used: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

from typing import Any

from tests.metric_example import compute, compute_all
from tests.oracle import Part, known, total

DAY_S = 86_400


def plain_idle_share(part: Part) -> float | None:
    known_s = part.measured_s("current_a")
    if part.nameplate.capacity_ah is None or known_s <= 0:
        return None
    return total(row.dt_s for row in part.rests()) / known_s


def plain_resting_soc_percent(part: Part) -> float | None:
    rests = [row for row in part.rows if row.rests and known(row.soc_percent)]
    read_s = total(row.dt_s for row in rests)
    return total(row.soc_percent * row.dt_s for row in rests) / read_s if read_s > 0 else None


def plain_soc_swing_percent(part: Part) -> float | None:
    soc = [row.soc_percent for row in part.rows if known(row.soc_percent)]
    return max(soc) - min(soc) if soc else None


def plain_full_cycles_per_day(part: Part) -> float | None:
    capacity_ah = part.nameplate.capacity_ah
    if capacity_ah is None or part.measured_s("current_a") <= 0 or part.span_s < DAY_S:
        return None
    moved_ah = (part.charge_as("charge") + part.charge_as("discharge")) / 3600
    return moved_ah / 2 / capacity_ah / (part.span_s / DAY_S)


def plain_discharge_per_year_kwh(part: Part) -> float | None:
    if part.measured_s("power_w") <= 0 or part.span_s < DAY_S:
        return None
    return part.energy_j("discharge") / 3.6e6 / (part.span_s / (365.25 * DAY_S))


def test_rest_is_a_share_of_the_known_time() -> None:
    """Two of four seconds, by the limit of 1 A at 100 Ah; gaps and rows without current do not dilute it."""
    rows: dict[str, Any] = {"nominal_capacity_ah": 100, "current_a": [10, 0, 0.5, -10, None, 0]}
    assert compute("idle_share", **rows) == 0.5
    assert compute("idle_share", time_s=[0, 1, 2, 3, 4, 86_400], **rows) == 0.5
    assert compute("idle_share", nominal_capacity_ah=40, current_a=rows["current_a"]) == 0.25


def test_what_an_idle_share_needs_is_named() -> None:
    """Capacity, a step, a current."""
    assert compute("idle_share", current_a=[10, 0]) == "capacity_missing"
    assert compute("idle_share", nominal_capacity_ah=100, current_a=[10]) == "no_valid_steps"
    assert compute("idle_share", nominal_capacity_ah=100, power_w=[10, 0]) == "current_missing"


def test_resting_soc_is_of_rests_alone() -> None:
    """60 % for 1 s and 62 % for 1 s at rest."""
    assert compute("resting_soc_percent", current_a=[10, 0, 0, -10, 0], soc_percent=[50, 60, 62, 62, 55]) == 61.0
    assert compute("resting_soc_percent", current_a=[10, 10], soc_percent=[50, 60]) == "no_rest"


def test_swing() -> None:
    """80 - 30 %."""
    assert compute("soc_swing_percent", soc_percent=[50, 80, None, 30]) == 50.0
    assert compute("soc_swing_percent", current_a=[1, 1]) == "no_readings"


def test_cycles_per_day() -> None:
    """10 A for a day are 240 Ah, a full cycle of 120 Ah; over half a day nothing is shown."""
    rows: dict[str, Any] = {"current_a": [10, -10, 10, -10, 0]}
    assert compute("full_cycles_per_day", dt_s=21_600, nominal_capacity_ah=120, spec={"max_gap_s": 30_000}, **rows) == (
        1.0
    )
    short = compute_all("full_cycles_per_day", dt_s=3600, nominal_capacity_ah=120, **rows)
    assert short.reason[0] == "too_short"
    assert short.unchecked is not None
    assert short.unchecked[0] == 1.0
    assert compute("full_cycles_per_day", **rows) == "capacity_missing"


def test_discharge_per_year() -> None:
    """12 kWh a day."""
    rows: dict[str, Any] = {"power_w": [1000, -1000, 0]}
    assert compute("discharge_per_year_kwh", dt_s=43_200, spec={"max_gap_s": 50_000}, **rows) == 12 * 365.25
    assert compute("discharge_per_year_kwh", dt_s=3600, **rows) == "too_short"
    assert compute("discharge_per_year_kwh", current_a=[1, 1]) == "power_missing"
    assert compute("discharge_per_year_kwh", power_w=[1]) == "no_valid_steps"
