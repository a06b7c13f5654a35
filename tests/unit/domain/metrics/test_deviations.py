"""How much readings vary: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.metric_example import compute
from tests.oracle import Part, known, total
from tests.oracle.rows import Row


def plain_current_rms_a(part: Part) -> float | None:
    read_s = part.measured_s("current_a")
    return math.sqrt(total(row.current_a**2 * row.dt_s for row in part.rows) / read_s) if read_s > 0 else None


def _std(pairs: list[tuple[float, float]]) -> float | None:
    """Standard deviation of readings by their durations, in two passes."""
    read_s = total(dt_s for reading, dt_s in pairs if known(reading))
    if read_s <= 0:
        return None
    mean = total(reading * dt_s for reading, dt_s in pairs) / read_s
    return math.sqrt(total((reading - mean) ** 2 * dt_s for reading, dt_s in pairs) / read_s)


def temperature_of(row: Row) -> float:
    """Measured temperature, else the middle of the cells'."""
    measured = row.readings.get("temperature_c", math.nan)
    middle = (row.readings.get("t_min_c", math.nan) + row.readings.get("t_max_c", math.nan)) / 2
    return measured if known(measured) else middle


def plain_current_std_a(part: Part) -> float | None:
    return _std([(row.current_a, row.dt_s) for row in part.rows])


def plain_voltage_std_v(part: Part) -> float | None:
    return _std([(row.voltage_v, row.dt_s) for row in part.rows])


def plain_soc_std_percent(part: Part) -> float | None:
    return _std([(row.soc_percent, row.dt_s) for row in part.rows])


def plain_temperature_std_c(part: Part) -> float | None:
    return _std([(temperature_of(row), row.dt_s) for row in part.rows])


def test_the_root_mean_square_heats_as_much() -> None:
    """30 A and -40 A for a second each: sqrt((900 + 1,600) / 2)."""
    assert compute("current_rms_a", current_a=[30, -40, 0]) == pytest.approx(math.sqrt(1250))


def test_deviations_weigh_by_time() -> None:
    """0 for 3 s and 4 for 1 s: mean 1, variance (3 x 1 + 1 x 9) / 4 = 3."""
    for name, column in [
        ("current_std_a", "current_a"),
        ("voltage_std_v", "voltage_v"),
        ("soc_std_percent", "soc_percent"),
        ("temperature_std_c", "temperature_c"),
    ]:
        readings: dict[str, Any] = {column: [0, 4, 0]}
        assert compute(name, time_s=[0, 3, 4], **readings) == pytest.approx(math.sqrt(3))


def test_a_constant_does_not_vary() -> None:
    """Deviation 0, not the root of a rounding below 0."""
    assert compute("voltage_std_v", voltage_v=[873.1] * 7) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("name", ["current_rms_a", "current_std_a", "voltage_std_v", "temperature_std_c"])
def test_nothing_measured_is_null(name: str) -> None:
    """The SoC alone tells nothing of the others; one row has no duration."""
    assert compute(name, soc_percent=[1, 2]) == "no_valid_steps"
    assert compute("soc_std_percent", soc_percent=[1]) == "no_valid_steps"
