"""Efficiency by energy per percent of SoC: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.metric_example import compute, compute_all
from tests.oracle import Part


def plain_rte_slope(part: Part) -> float | None:
    up, down = part.soc_percent("charge"), part.soc_percent("discharge")
    in_j, out_j = part.energy_j("charge"), part.energy_j("discharge")
    in_as, out_as = part.charge_as("charge"), part.charge_as("discharge")
    if min(in_j, out_j, in_as, out_as) <= 0 or min(up, down) < 20 or abs(up - down) > 0.15 * (up + down):
        return None
    return out_j / down / (in_j / up) if 0.985 <= out_as / down / (in_as / up) <= 1.005 else None


#: One hour of 10 A at 900 V takes the SoC from 20 to 80 %, one of -10 A at 882 V takes it back.
SWING: dict[str, Any] = {
    "dt_s": 3600,
    "current_a": [10, -10, 0],
    "voltage_v": [900, 882, 880],
    "soc_percent": [20, 80, 20],
}


def test_energy_per_percent_by_direction() -> None:
    """882 / 900. The steps begin at 20 and at 80 %; charge out over charge in is 1."""
    values = compute_all("rte_slope", **SWING)
    assert values.value[0] == pytest.approx(0.98)
    assert values.sigma is not None
    by_voltage, by_soc = 0.003 / math.sqrt(3) * (80 - 20), 1 - 0.998
    assert values.sigma[0] == pytest.approx(math.hypot(by_voltage, by_soc, 0.0002))


def test_it_need_not_end_where_it_began() -> None:
    """Less far down takes less energy: the ratio is the same if the two are nearly as far, else it is null."""
    nearly = SWING | {"current_a": [10, -8, 0], "soc_percent": [20, 80, 32]}
    assert compute("rte_slope", **nearly) == pytest.approx(0.98)
    far = SWING | {"current_a": [10, -5, 0], "soc_percent": [20, 80, 50]}
    assert compute("rte_slope", **far) == "not_closed"


@pytest.mark.parametrize(
    ("column", "reason"),
    [("soc_percent", "soc_missing"), ("voltage_v", "power_missing"), ("current_a", "current_missing")],
)
def test_what_is_missing_is_named(column: str, reason: str) -> None:
    """It needs all three."""
    power_w = {"power_w": [9000, -8820, 0]} if column == "current_a" else {}
    rows = {name: values for name, values in SWING.items() if name != column} | power_w
    assert compute("rte_slope", **rows) == reason


def test_what_it_needs() -> None:
    """20 % each way, and charge per percent that agrees in both directions."""
    assert compute("rte_slope", **SWING | {"soc_percent": [20, 39, 20]}) == "insufficient_throughput"
    assert compute("rte_slope", **SWING | {"current_a": [10, -9.8, 0]}) == "charge_unbalanced"
    assert compute("rte_slope", **SWING | {"soc_percent": [20, 20, 20]}) == "no_soc_swing"
    assert compute("rte_slope", **SWING | {"current_a": [-10, -10, 0]}) == "no_charge"
    assert compute("rte_slope", **SWING | {"current_a": [10, 10, 0]}) == "no_discharge"
