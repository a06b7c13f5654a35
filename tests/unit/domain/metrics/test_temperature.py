"""Temperature and what it does: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import math

import pytest

from tests.metric_example import compute
from tests.oracle import Part, known, total
from tests.unit.domain.metrics.test_deviations import temperature_of


def plain_temperature_min_c(part: Part) -> float | None:
    return min((temperature_of(row) for row in part.rows if known(temperature_of(row))), default=None)


def plain_temperature_max_c(part: Part) -> float | None:
    return max((temperature_of(row) for row in part.rows if known(temperature_of(row))), default=None)


def _read_s(part: Part) -> float:
    return total(row.dt_s for row in part.rows if known(temperature_of(row)))


def plain_temperature_mean_c(part: Part) -> float | None:
    read_s = _read_s(part)
    return total(temperature_of(row) * row.dt_s for row in part.rows) / read_s if read_s > 0 else None


def _acceleration(celsius: float) -> float:
    """Arrhenius' law with 50 kJ/mol against 25 degC."""
    if not known(celsius):
        return math.nan
    kelvin = min(max(celsius, -60), 150) + 273.15
    return math.exp(50_000 / 8.314462618 * (1 / 298.15 - 1 / kelvin))


def plain_thermal_acceleration(part: Part) -> float | None:
    read_s = _read_s(part)
    aged_s = total(_acceleration(temperature_of(row)) * row.dt_s for row in part.rows)
    return aged_s / read_s if read_s > 0 else None


def test_the_mean_weighs_by_time() -> None:
    """20 degC for 3 s, 40 degC for 1 s."""
    assert compute("temperature_mean_c", time_s=[0, 3, 4], temperature_c=[20, 40, 90]) == 25.0


def test_extremes_are_of_rows() -> None:
    """The newest row has no duration, but a temperature."""
    assert compute("temperature_min_c", temperature_c=[20, 25, -5]) == -5.0
    assert compute("temperature_max_c", temperature_c=[20, 25, 90]) == 90.0


def test_without_a_temperature_the_cells_tell() -> None:
    """The middle of 20 and 30 degC."""
    assert compute("temperature_mean_c", t_min_c=[20, 20], t_max_c=[30, 30]) == 25.0
    assert compute("temperature_max_c", t_min_c=[20, 20]) == "no_readings"


@pytest.mark.parametrize("celsius", [-60, -20, 0, 10, 25, 35, 45, 60, 150])
def test_ageing_follows_arrhenius(celsius: float) -> None:
    """The series of the exponential is exact to 1e-12 over the whole range."""
    got = compute("thermal_acceleration", temperature_c=[celsius, celsius])
    assert got == pytest.approx(_acceleration(celsius), rel=1e-12)


def test_eleven_kelvin_double_the_rate() -> None:
    """50 kJ/mol: exp(6014 K x (1 / 298.15 - 1 / 309.15)) = 2.05; beyond 150 degC it counts as 150 degC."""
    assert compute("thermal_acceleration", temperature_c=[36, 36]) == pytest.approx(2.05, abs=0.01)
    hottest = compute("thermal_acceleration", temperature_c=[150, 150])
    assert compute("thermal_acceleration", temperature_c=[290, 290]) == hottest
    assert compute("thermal_acceleration", current_a=[1, 1]) == "no_valid_steps"
