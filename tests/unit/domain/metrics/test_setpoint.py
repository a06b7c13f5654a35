"""Set-point tracking: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.metric_example import compute
from tests.oracle import Part, known, total

NAMES = ("setpoint_rmse_w", "setpoint_mae_w", "setpoint_tracked_share")


def _errors(part: Part) -> list[tuple[float, float, float]]:
    """Size of the error, duration and largest set-point so far, of a lifetime's steps with power and set-point."""
    found, largest_w = [], 0.0
    for row in part.rows if part.is_lifetime else []:
        setpoint_w = row.readings.get("power_setpoint_w", math.nan)
        if row.settled and known(setpoint_w):
            largest_w = max(largest_w, abs(setpoint_w))
            if row.dt_s > 0 and known(row.power_w):
                found.append((abs(row.power_w - setpoint_w), row.dt_s, largest_w))
    return found


def plain_setpoint_rmse_w(part: Part) -> float | None:
    errors = _errors(part)
    read_s = total(dt_s for _, dt_s, _ in errors)
    return math.sqrt(total(error_w**2 * dt_s for error_w, dt_s, _ in errors) / read_s) if errors else None


def plain_setpoint_mae_w(part: Part) -> float | None:
    errors = _errors(part)
    read_s = total(dt_s for _, dt_s, _ in errors)
    return total(error_w * dt_s for error_w, dt_s, _ in errors) / read_s if errors else None


def plain_setpoint_tracked_share(part: Part) -> float | None:
    errors = _errors(part)
    read_s = total(dt_s for _, dt_s, _ in errors)
    near_s = total(dt_s for error_w, dt_s, largest_w in errors if error_w <= 0.02 * largest_w)
    return near_s / read_s if errors else None


def test_errors_count_by_their_time() -> None:
    """3 W for one second and 1 W for seven: the mean square is (9 + 7) / 8, the mean size (3 + 7) / 8."""
    readings: dict[str, Any] = {"time_s": [0, 1, 8], "power_w": [97, 101, 100], "power_setpoint_w": [100, 100, 100]}
    assert compute("setpoint_rmse_w", **readings) == math.sqrt(2)
    assert compute("setpoint_mae_w", **readings) == 1.25
    assert compute("setpoint_tracked_share", **readings) == 7 / 8


def test_power_without_a_meter_is_current_times_voltage() -> None:
    """A discharge at 900 W that was to be 1,000 W."""
    assert compute("setpoint_mae_w", current_a=[-1, 0], voltage_v=[900, 900], power_setpoint_w=[-1000, 0]) == 100.0


def test_the_sign_is_that_of_the_current() -> None:
    """An asset whose sensor counts a discharge as positive counts its set-point so as well."""
    spec: dict[str, Any] = {"current_sign": "discharge_positive"}
    readings: dict[str, Any] = {"current_a": [1, 0], "voltage_v": [900, 900], "power_setpoint_w": [1000, 0]}
    assert compute("setpoint_mae_w", spec=spec, **readings) == 100.0


def test_a_row_without_a_setpoint_is_left_out() -> None:
    """It does not hold the one before."""
    readings: dict[str, Any] = {"power_w": [101, 50, 93, 0], "power_setpoint_w": [100, None, 100, None]}
    assert compute("setpoint_rmse_w", **readings) == 5.0
    assert compute("setpoint_mae_w", **readings) == 4.0


def test_near_is_a_share_of_the_largest_setpoint_so_far() -> None:
    """An error of 15 W: near by a set-point of 1,000 W, not by one of 100 W; what was judged stays."""
    steps: dict[str, Any] = {"power_w": [115, 1015, 115, 15, 0], "power_setpoint_w": [100, 1000, 100, 0, 0]}
    assert compute("setpoint_tracked_share", **steps) == 3 / 4
    charged: dict[str, Any] = {"power_w": [-1020, -1021, 0], "power_setpoint_w": [-1000, -1000, 0]}
    assert compute("setpoint_tracked_share", **charged) == 1 / 2


def test_a_battery_that_stands_still_as_asked_tracks() -> None:
    """Nothing was asked for, and nothing flowed."""
    readings: dict[str, Any] = {"power_w": [0, 0, 0], "power_setpoint_w": [0, 0, 0]}
    assert [compute(name, **readings) for name in NAMES] == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("name", NAMES)
def test_null(name: str) -> None:
    """Without a set-point; with one, but without a power or a duration."""
    assert compute(name, power_w=[1, 2, 3]) == "setpoint_missing"
    assert compute(name, power_setpoint_w=[1, 2, 3]) == "no_valid_steps"
    assert compute(name, power_w=[1], power_setpoint_w=[1]) == "no_valid_steps"
