"""Self-discharge and resting voltage: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.metric_example import compute, compute_all
from tests.oracle import Part, Row, known, total
from tests.unit.domain.metrics.test_capacity import plain_capacity_est


def _rests(part: Part) -> list[list[Row]]:
    """Rows of each rest of a lifetime, from the first one with a SoC on; the row that ends it comes last."""
    rests, rest = [], list[Row]()
    for row in part.rows if part.is_lifetime else []:
        if not row.settled:
            continue
        if rest or (row.rests and known(row.soc_percent)):
            rest.append(row)
        if rest and not row.rests:
            rests.append(rest)
            rest = []
    return rests


def _lost(rest: list[Row]) -> tuple[float, float, float]:
    """Time [s], change of the SoC and charge [As] of a rest, up to its last SoC."""
    last = max(i for i, row in enumerate(rest) if known(row.soc_percent))
    time_s, charge_as = total(row.dt_s for row in rest[:last]), total(row.current_a * row.dt_s for row in rest[:last])
    return time_s, rest[last].soc_percent - rest[0].soc_percent, charge_as


def _capacity_as(part: Part) -> float | None:
    capacity_ah = plain_capacity_est(part) or part.nameplate.capacity_ah
    return None if capacity_ah is None else capacity_ah * 3600


def plain_self_discharge(part: Part) -> float | None:
    long = [lost for lost in map(_lost, _rests(part)) if lost[0] >= 7200]
    time_s, capacity_as = total(time for time, _, _ in long), _capacity_as(part)
    if len(long) < 3 or time_s < 86_400 or capacity_as is None:
        return None
    lost = [(100 / capacity_as * charge - change, time) for time, change, charge in long]
    rate = total(percent for percent, _ in lost) / time_s
    scatter = total(time * (percent / time - rate) ** 2 for percent, time in lost) / time_s / (len(long) - 1)
    steps = [abs(row.soc_percent - row.previous.soc_percent) for row in part.rows if row.settled and row.previous]
    resolution = min((step for step in steps if step > 0), default=0.0)
    sigma = math.sqrt(scatter + resolution**2 * len(long) / 6 / time_s**2)
    return rate * 86_400 if rate > 3 * sigma else None


def _point(rest: list[Row]) -> tuple[float, float] | None:
    """Last SoC and voltage of a rest that lasted half an hour then."""
    time_s, point = 0.0, None
    for row in rest:
        if row.rests and time_s >= 1800 and known(row.soc_percent) and known(row.voltage_v):
            point = row.soc_percent, row.voltage_v
        time_s += row.dt_s
    return point


def plain_ocv_slope_v_per_percent(part: Part) -> float | None:
    points = [point for point in map(_point, _rests(part)) if point is not None]
    if len(points) < 5:
        return None
    soc, voltage = (total(point[x] for point in points) / len(points) for x in range(2))
    squares = total((s - soc) ** 2 for s, _ in points)
    return total((s - soc) * (v - voltage) for s, v in points) / squares if squares >= 25 * len(points) else None


def _days(rates: list[float], current_a: float = 0.0) -> dict[str, Any]:
    """A rest of ten hours per rate [%/h], each ended by a row under load."""
    soc = [80 - rate * k for rate in rates for k in range(21)]
    return {"dt_s": 1800, "current_a": ([current_a] * 20 + [90]) * len(rates), "soc_percent": soc}


def test_what_is_lost_at_rest() -> None:
    """0.5 % an hour are 24 half hours of 0.25 %: 12 %/d... of rests alone, none of the steps under load."""
    values = compute_all("self_discharge", nominal_capacity_ah=100, **_days([0.25] * 3))
    assert values.value[0] == pytest.approx(12.0)
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx(0.25 * math.sqrt(3 / 6) / 30 * 24)


def test_scatter_of_the_rests_is_in_the_uncertainty() -> None:
    """9.6, 12 and 14.4 %/d over ten hours each: their mean, and 2.4 / sqrt(3) %/d, with the SoC's steps of 0.2 %."""
    values = compute_all("self_discharge", nominal_capacity_ah=100, **_days([0.2, 0.25, 0.3]))
    assert values.value[0] == pytest.approx(12.0)
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx(math.hypot(2.4 / math.sqrt(3), 0.2 * math.sqrt(3 / 6) / 30 * 24))


def test_what_the_sensor_sees_is_no_self_discharge() -> None:
    """10 mA out of 2.5 Ah are 0.4 % an hour: of 0.5 % an hour 0.1 % remains, 2.4 %/d; 20 mA are no rest."""
    rows = _days([0.25] * 3, current_a=-0.01)
    assert compute("self_discharge", nominal_capacity_ah=2.5, **rows) == pytest.approx(2.4)
    assert compute("self_discharge", nominal_capacity_ah=2.5, **_days([0.25] * 3, current_a=-0.02)) == "too_few_rests"


def test_a_soc_in_coarse_steps_tells_nothing() -> None:
    """One step of 1 % in one of three rests is within the resolution; so is a SoC that rises."""
    rows = _days([0.0] * 3) | {"soc_percent": [80.0] * 20 + [79.0] * 43}
    values = compute_all("self_discharge", nominal_capacity_ah=100, **rows)
    assert values.reason[0] == "resolution_too_coarse"
    assert compute("self_discharge", nominal_capacity_ah=100, **_days([-0.25] * 3)) == "resolution_too_coarse"


def test_few_rests_tell_nothing() -> None:
    """Two rests; and three whose charge cannot be told in percent."""
    assert compute("self_discharge", nominal_capacity_ah=100, **_days([0.25] * 2)) == "too_few_rests"
    assert compute("self_discharge", **_days([0.25] * 3)) == "capacity_missing"


def _points(voltage_v: list[float], soc_percent: list[float]) -> dict[str, Any]:
    """A rest of an hour and a half per point, each ended by a row under load."""
    return {
        "dt_s": 1800,
        "current_a": [0, 0, 0, 50] * len(voltage_v),
        "voltage_v": np.repeat(voltage_v, 4).tolist(),
        "soc_percent": np.repeat(soc_percent, 4).tolist(),
    }


def test_the_slope_of_the_resting_voltage() -> None:
    """2 V per percent exactly: no residuals, no uncertainty."""
    values = compute_all("ocv_slope_v_per_percent", **_points([800, 820, 840, 860, 880], [0, 10, 20, 30, 40]))
    assert values.value[0] == pytest.approx(2.0)
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx(0.0, abs=1e-6)


def test_the_voltage_under_load_is_not_a_resting_one() -> None:
    """The row that ends the rest has 50 A and another voltage."""
    rows = _points([800, 820, 840, 860, 880], [0, 10, 20, 30, 40])
    rows["voltage_v"][3::4] = [1000] * 5
    assert compute("ocv_slope_v_per_percent", **rows) == pytest.approx(2.0)


def test_points_must_be_many_and_far_apart() -> None:
    """Four points; five at one SoC."""
    assert compute("ocv_slope_v_per_percent", **_points([800, 820, 840, 860], [0, 10, 20, 30])) == "too_few_rests"
    assert compute("ocv_slope_v_per_percent", **_points([800] * 5, [50, 50, 51, 50, 50])) == "no_soc_swing"
