"""Round-trip efficiency by API v1's definition: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.metric_example import compute
from tests.oracle import Part, Row, total


def _step_percent(row: Row, sign: int) -> float:
    """SoC step to the previous row of the same sign, skipping the rows between."""
    before = row.previous
    while before is not None and not before.current_a * sign > 0:
        before = before.previous
    return math.nan if before is None else row.soc_percent - before.soc_percent


def plain_rte_v1(part: Part) -> float | None:
    charging = [row for row in part.rows if row.current_a > 0]
    discharging = [row for row in part.rows if row.current_a < 0]
    charged_w = total(row.current_a * row.voltage_v for row in charging)
    discharged_w = -total(row.current_a * row.voltage_v for row in discharging)
    up_percent = total(abs(_step_percent(row, 1)) for row in charging)
    down_percent = total(abs(_step_percent(row, -1)) for row in discharging)
    if charged_w <= 0 or discharged_w <= 0 or down_percent == 0:
        return None
    return discharged_w / charged_w * up_percent / down_percent


ROWS: dict[str, Any] = {
    "current_a": [40, 40, -40, -40],
    "voltage_v": [900, 905, 890, 885],
    "soc_percent": [50, 51, 51, 50],
}


def test_equal_paths_leave_the_ratio_of_powers() -> None:
    """1 % up and 1 % down: 40 A x (890 + 885) V over 40 A x (900 + 905) V = 1775 / 1805."""
    assert compute("rte_v1", **ROWS) == pytest.approx(1775 / 1805)


def test_a_longer_way_down_lowers_it() -> None:
    """1 % up and 2 % down: half of it."""
    assert compute("rte_v1", **ROWS | {"soc_percent": [50, 51, 51, 49]}) == pytest.approx(1775 / 1805 / 2)


def test_the_jump_between_two_charging_runs_counts() -> None:
    """Charging rows at 50 % and 60 % with a discharging row between: their path is 10 %, although nothing charged them.

    Discharging: 70 % -> 68 % -> 60 %, so 10 % too. 2 x 40 A x 900 V in, 3 x 40 A x 900 V out: 3 / 2, above 1.
    """
    got = compute("rte_v1", current_a=[40, -40, 40, -40, -40], voltage_v=[900] * 5, soc_percent=[50, 70, 60, 68, 60])
    assert got == pytest.approx(1.5)


def test_neither_measured_power_nor_time_plays_a_part() -> None:
    """Rows are taken as equally spaced, and the power is current times voltage."""
    assert compute("rte_v1", time_s=[0, 1, 7, 9], power_w=[5.0] * 4, **ROWS) == compute("rte_v1", **ROWS)


def test_what_it_needs() -> None:
    """Rows of both signs with a voltage, and a SoC that moved between discharging rows."""
    discharging: dict[str, Any] = {"current_a": [-40, -40], "voltage_v": [890, 885], "soc_percent": [51, 50]}
    assert compute("rte_v1", **discharging) == "no_charge"
    charging: dict[str, Any] = {"current_a": [40, 40], "voltage_v": [900, 905], "soc_percent": [50, 51]}
    assert compute("rte_v1", **charging) == "no_discharge"
    assert compute("rte_v1", **ROWS | {"soc_percent": [50, 51, 51, 51]}) == "no_soc_swing"
