"""Spreads of cells: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.metric_example import compute
from tests.oracle import Part, known, total
from tests.oracle.rows import Row


def _spread(row: Row, low: str, high: str) -> float:
    difference = row.readings.get(high, math.nan) - row.readings.get(low, math.nan)
    return difference if difference >= 0 else math.nan


def _cells(row: Row) -> float:
    return _spread(row, "cell_v_min", "cell_v_max")


def _mean(pairs: list[tuple[float, float]]) -> float | None:
    read_s = total(dt_s for reading, dt_s in pairs if known(reading))
    return total(reading * dt_s for reading, dt_s in pairs) / read_s if read_s > 0 else None


def plain_cell_spread_mean_v(part: Part) -> float | None:
    return _mean([(_cells(row), row.dt_s) for row in part.rows])


def plain_cell_spread_max_v(part: Part) -> float | None:
    return max((_cells(row) for row in part.rows if known(_cells(row))), default=None)


def plain_cell_spread_rest_v(part: Part) -> float | None:
    return _mean([(_cells(row), row.dt_s) for row in part.rows if row.rests])


def plain_cell_spread_resistance_ohm(part: Part) -> float | None:
    loaded = [
        row
        for row in part.rows
        if row.valid and not row.rests and known(row.current_a) and known(_cells(row)) and row.dt_s > 0
    ]
    current_a = _mean([(abs(row.current_a), row.dt_s) for row in loaded])
    rest_v, loaded_v = plain_cell_spread_rest_v(part), _mean([(_cells(row), row.dt_s) for row in loaded])
    return None if rest_v is None or loaded_v is None or not current_a else (loaded_v - rest_v) / current_a


def plain_temperature_spread_mean_k(part: Part) -> float | None:
    return _mean([(_spread(row, "t_min_c", "t_max_c"), row.dt_s) for row in part.rows])


def plain_temperature_spread_max_k(part: Part) -> float | None:
    spreads = [_spread(row, "t_min_c", "t_max_c") for row in part.rows]
    return max((spread for spread in spreads if known(spread)), default=None)


CELLS: dict[str, Any] = {"cell_v_min": [3.25, 3.25, 3.25], "cell_v_max": [3.5, 4.0, 4.0]}


def test_means_and_extremes() -> None:
    """0.25 V and 0.75 V for a second each; 4 K and 6 K, then 10 K in a row without duration."""
    assert compute("cell_spread_mean_v", **CELLS) == 0.5
    assert compute("cell_spread_max_v", **CELLS) == 0.75
    assert compute("temperature_spread_mean_k", t_min_c=[20, 20, 20], t_max_c=[24, 26, 30]) == 5.0
    assert compute("temperature_spread_max_k", t_min_c=[20, 20, 20], t_max_c=[24, 26, 30]) == 10.0


def test_a_spread_that_comes_with_the_load_is_resistance() -> None:
    """0.25 V at rest, 0.75 V at 10 A: 0.05 Ohm; a spread that stays the same is none."""
    assert compute("cell_spread_rest_v", current_a=[0, 10, 0], **CELLS) == 0.25
    assert compute("cell_spread_resistance_ohm", current_a=[0, 10, 0], **CELLS) == 0.05
    assert compute("cell_spread_resistance_ohm", current_a=[0, -10, 0], **CELLS) == 0.05
    same = CELLS | {"cell_v_max": [3.5, 3.5, 3.5]}
    assert compute("cell_spread_resistance_ohm", current_a=[0, 10, 0], **same) == 0.0


def test_swapped_columns_are_left_out() -> None:
    """The highest cell cannot be below the lowest one."""
    swapped: dict[str, Any] = {"cell_v_min": [3.5, 3.25, 3.25], "cell_v_max": [3.25, 3.5, 3.5]}
    assert compute("cell_spread_mean_v", **swapped) == 0.25
    assert compute("cell_spread_max_v", cell_v_min=[3.5], cell_v_max=[3.25]) == "no_readings"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cell_spread_mean_v", "no_valid_steps"),
        ("cell_spread_max_v", "no_readings"),
        ("cell_spread_rest_v", "no_rest"),
        ("cell_spread_resistance_ohm", "no_load"),
        ("temperature_spread_mean_k", "no_valid_steps"),
        ("temperature_spread_max_k", "no_readings"),
    ],
)
def test_a_pack_alone_has_no_spread(name: str, reason: str) -> None:
    """Pack current and voltage tell nothing of its cells."""
    assert compute(name, current_a=[1, 0, 1], voltage_v=[900, 900, 900]) == reason


def test_load_alone_has_no_rest_to_compare_with() -> None:
    """Nothing at rest."""
    assert compute("cell_spread_resistance_ohm", current_a=[10, 10, 10], **CELLS) == "no_rest"
