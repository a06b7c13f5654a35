"""Energy that can be taken out: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.metric_example import compute, compute_all
from tests.oracle import Part, known


def _kwh_per_percent(part: Part) -> float | None:
    out_j, down = part.energy_j("discharge"), part.soc_percent("discharge")
    return out_j / down / 3.6e6 if out_j > 0 and down >= 20 else None


def plain_remaining_energy_kwh(part: Part) -> float | None:
    soc = [row.soc_percent for row in part.rows if row.settled and known(row.soc_percent)]
    kwh_per_percent = _kwh_per_percent(part)
    return None if not part.is_lifetime or not soc or kwh_per_percent is None else soc[-1] * kwh_per_percent


def plain_usable_energy_kwh(part: Part) -> float | None:
    soc = [row.soc_percent for row in part.rows if known(row.soc_percent)]
    kwh_per_percent = _kwh_per_percent(part)
    return None if not soc or kwh_per_percent is None else (max(soc) - min(soc)) * kwh_per_percent


ROWS: dict[str, Any] = {"dt_s": 3600, "power_w": [-50_000, 0, 0], "soc_percent": [80, 30, 30]}


def test_the_rest_of_what_50_percent_gave() -> None:
    """50 kWh for 50 %: 30 kWh for the 30 % that are left; 60 % were used in all."""
    assert compute("remaining_energy_kwh", **ROWS) == 30.0
    assert compute("usable_energy_kwh", **ROWS | {"soc_percent": [80, 30, 90]}) == 60.0


def test_a_reading_that_is_missing_does_not_empty_the_battery() -> None:
    """The newest SoC that was read holds."""
    assert compute("remaining_energy_kwh", **ROWS | {"soc_percent": [80, 30, None]}) == 30.0


@pytest.mark.parametrize("name", ["remaining_energy_kwh", "usable_energy_kwh"])
def test_what_is_missing_is_named(name: str) -> None:
    """SoC, discharge, and enough of it."""
    assert compute(name, **ROWS | {"soc_percent": [None] * 3}) == "soc_missing"
    assert compute(name, **ROWS | {"power_w": [50_000, 0, 0]}) == "no_discharge"
    little = compute_all(name, **ROWS | {"soc_percent": [40, 30, 30]})
    assert little.reason[0] == "insufficient_throughput"
    assert little.unchecked is not None
    assert little.unchecked[0] > 0
