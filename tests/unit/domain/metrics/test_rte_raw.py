"""Energy out over energy in: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.metric_example import compute, compute_all
from tests.oracle import Part


def plain_rte_raw(part: Part) -> float | None:
    in_j, out_j = part.energy_j("charge"), part.energy_j("discharge")
    charged, discharged = part.soc_percent("charge"), part.soc_percent("discharge")
    if part.nameplate.capacity_ah is None:
        full_cycles = min(charged, discharged) / 100
    else:
        full_cycles = min(part.charge_as("charge"), part.charge_as("discharge")) / 3600 / part.nameplate.capacity_ah
    if charged + discharged <= 0:
        charged, discharged = part.charge_as("charge"), part.charge_as("discharge")
    closed = abs(charged - discharged) <= 0.0025 * (charged + discharged) and charged + discharged > 0
    return out_j / in_j if in_j > 0 and out_j > 0 and full_cycles >= 0.5 and closed else None


#: One hour of 40 A at 900 V, one of -40 A at 880 V: a full cycle of 40 Ah, 0 % -> 100 % -> 0 %.
CYCLE: dict[str, Any] = {"current_a": [40, -40, 0], "voltage_v": [900, 880, 880], "soc_percent": [0, 100, 0]}


@pytest.mark.parametrize("nominal_capacity_ah", [40, None])
def test_one_closed_cycle(nominal_capacity_ah: float | None) -> None:
    """The same charge comes out at 880 V that went in at 900 V: 880 / 900."""
    got = compute("rte_raw", dt_s=3600, nominal_capacity_ah=nominal_capacity_ah, **CYCLE)
    assert got == pytest.approx(880 / 900)


def test_too_little_throughput_is_shown_unchecked() -> None:
    """Of 100 Ah, 40 Ah each way are 0.4 of a cycle: null, and the ratio is told beside it."""
    values = compute_all("rte_raw", dt_s=3600, nominal_capacity_ah=100, **CYCLE)
    assert values.reason[0] == "insufficient_throughput"
    assert math.isnan(values.value[0])
    assert values.unchecked is not None
    assert values.unchecked[0] == pytest.approx(880 / 900)


def test_half_a_cycle_is_enough() -> None:
    """Of 80 Ah, 40 Ah each way are exactly half a cycle."""
    assert compute("rte_raw", dt_s=3600, nominal_capacity_ah=80, **CYCLE) == pytest.approx(880 / 900)


@pytest.mark.parametrize(("end_percent", "shown"), [(0.49, True), (0.5, False)])
def test_it_must_end_where_it_began(end_percent: float, shown: bool) -> None:
    """Up 100 %, down to e %: the net change e may be 0.25 % of the 200 - e % moved."""
    got = compute("rte_raw", dt_s=3600, nominal_capacity_ah=40, **CYCLE | {"soc_percent": [0, 100, end_percent]})
    assert got == (pytest.approx(880 / 900) if shown else "not_closed")


def test_without_a_soc_the_charge_tells_whether_it_closed() -> None:
    """40 Ah in and 40 Ah out are closed, 40 Ah in and 39 Ah out are not; power alone tells nothing."""
    rows: dict[str, Any] = {"voltage_v": [900, 880, 880], "dt_s": 3600, "nominal_capacity_ah": 40}
    assert compute("rte_raw", current_a=[40, -40, 0], **rows) == pytest.approx(880 / 900)
    assert compute("rte_raw", current_a=[40, -39, 0], **rows) == "not_closed"
    assert compute("rte_raw", dt_s=3600, power_w=[1000, -900, 0]) == "closure_unknown"


def test_without_a_power_there_is_no_energy() -> None:
    """No voltage: charge flows, but its energy is not known."""
    assert compute("rte_raw", current_a=[40, -40, 0]) == "power_missing"


def test_one_direction_alone_has_no_ratio() -> None:
    """Nothing went in, or nothing came out."""
    assert compute("rte_raw", dt_s=3600, current_a=[-40, -40], voltage_v=[900, 900]) == "no_charge"
    assert compute("rte_raw", dt_s=3600, current_a=[40, 40], voltage_v=[900, 900]) == "no_discharge"
