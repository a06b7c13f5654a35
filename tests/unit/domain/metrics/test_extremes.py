"""Smallest, mean and largest readings: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.metric_example import compute
from tests.oracle import Part, known, total

#: Name and unit of a metric's reading, and its column.
COLUMNS = {
    ("soc", "percent"): "soc_percent",
    ("voltage", "v"): "voltage_v",
    ("current", "a"): "current_a",
    ("power", "w"): "power_w",
}


def _readings(part: Part, column: str) -> list[float]:
    return [getattr(row, column) for row in part.rows if known(getattr(row, column))]


def _mean(part: Part, column: str) -> float | None:
    measured_s = part.measured_s(column)
    return total(getattr(row, column) * row.dt_s for row in part.rows) / measured_s if measured_s > 0 else None


def plain_soc_min_percent(part: Part) -> float | None:
    return min(_readings(part, "soc_percent"), default=None)


def plain_soc_mean_percent(part: Part) -> float | None:
    return _mean(part, "soc_percent")


def plain_soc_max_percent(part: Part) -> float | None:
    return max(_readings(part, "soc_percent"), default=None)


def plain_voltage_min_v(part: Part) -> float | None:
    return min(_readings(part, "voltage_v"), default=None)


def plain_voltage_mean_v(part: Part) -> float | None:
    return _mean(part, "voltage_v")


def plain_voltage_max_v(part: Part) -> float | None:
    return max(_readings(part, "voltage_v"), default=None)


def plain_current_min_a(part: Part) -> float | None:
    return min(_readings(part, "current_a"), default=None)


def plain_current_mean_a(part: Part) -> float | None:
    return _mean(part, "current_a")


def plain_current_max_a(part: Part) -> float | None:
    return max(_readings(part, "current_a"), default=None)


def plain_power_min_w(part: Part) -> float | None:
    return min(_readings(part, "power_w"), default=None)


def plain_power_mean_w(part: Part) -> float | None:
    return _mean(part, "power_w")


def plain_power_max_w(part: Part) -> float | None:
    return max(_readings(part, "power_w"), default=None)


@pytest.mark.parametrize(("name", "unit"), COLUMNS)
def test_smallest_and_largest_are_over_all_rows(name: str, unit: str) -> None:
    """The last row counts too, although nobody knows how long it held."""
    readings: dict[str, Any] = {COLUMNS[name, unit]: [50, 51, -3]}
    assert compute(f"{name}_min_{unit}", **readings) == -3.0
    assert compute(f"{name}_max_{unit}", **readings) == 51.0
    readings = {COLUMNS[name, unit]: [50, 51, 60]}
    assert compute(f"{name}_max_{unit}", **readings) == 60.0


@pytest.mark.parametrize(("name", "unit"), COLUMNS)
def test_the_mean_weighs_by_time(name: str, unit: str) -> None:
    """50 for 3 s, 90 for 1 s and a last row without duration: (50 x 3 + 90 x 1) / 4 = 60."""
    readings: dict[str, Any] = {COLUMNS[name, unit]: [50, 90, 10]}
    assert compute(f"{name}_mean_{unit}", time_s=[0, 3, 4], **readings) == 60.0


@pytest.mark.parametrize(("name", "unit"), COLUMNS)
def test_a_missing_reading_counts_neither_above_nor_below(name: str, unit: str) -> None:
    """Of three seconds one was not measured: the mean is over the other two."""
    readings: dict[str, Any] = {COLUMNS[name, unit]: [20, None, 40, 40]}
    assert compute(f"{name}_mean_{unit}", **readings) == 30.0
    assert compute(f"{name}_min_{unit}", **readings) == 20.0


@pytest.mark.parametrize(("name", "unit"), COLUMNS)
def test_without_a_reading_there_is_none(name: str, unit: str) -> None:
    """No row measured the column: neither extreme nor mean."""
    other: dict[str, Any] = {"voltage_v" if name != "voltage" else "current_a": [1, 2]}
    assert compute(f"{name}_min_{unit}", **other) == "no_readings"
    assert compute(f"{name}_max_{unit}", **other) == "no_readings"
    assert compute(f"{name}_mean_{unit}", **other) == "no_valid_steps"


def test_a_single_row_has_extremes_and_no_mean() -> None:
    """Its duration is not known."""
    assert compute("soc_min_percent", soc_percent=[50]) == compute("soc_max_percent", soc_percent=[50]) == 50.0
    assert compute("soc_mean_percent", soc_percent=[50]) == "no_valid_steps"


def test_power_is_current_times_voltage_where_it_is_not_measured() -> None:
    """40 A x 900 V = 36 kW in the first row, measured 10 kW in the second."""
    rows: dict[str, Any] = {"current_a": [40, 40], "voltage_v": [900, 900], "power_w": [None, 10_000]}
    assert compute("power_max_w", **rows) == 36_000.0
    assert compute("power_min_w", **rows) == 10_000.0
