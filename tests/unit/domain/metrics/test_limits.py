"""Time outside the limits of the spec: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.metric_example import compute
from tests.oracle import Part, Row, known, total
from tests.oracle.rows import bin_of
from tests.unit.domain.metrics.test_deviations import temperature_of


def _measured(part: Part) -> list[Row]:
    """Settled rows of a lifetime that have a temperature."""
    return [row for row in part.rows if row.settled and known(temperature_of(row))] if part.is_lifetime else []


def plain_temperature_dwell_s(part: Part) -> list[float] | None:
    seconds = [0.0] * 20
    for row in _measured(part):
        seconds[bin_of(temperature_of(row) + 30, 5, 20)] += row.dt_s
    return seconds if sum(seconds) > 0 else None


def _outside(part: Part, limit_c: float | None, *, hot: bool, charging: bool) -> float | None:
    rows = _measured(part)
    if limit_c is None or total(row.dt_s for row in rows) <= 0:
        return None
    outside = [row for row in rows if (temperature_of(row) >= limit_c) == hot]
    return total(row.dt_s for row in outside if not charging or row.flow == "charge")


def plain_time_hot_s(part: Part) -> float | None:
    return _outside(part, part.nameplate.spec.temperature_high_c, hot=True, charging=False)


def plain_time_hot_charging_s(part: Part) -> float | None:
    return _outside(part, part.nameplate.spec.temperature_high_c, hot=True, charging=True)


def plain_time_cold_s(part: Part) -> float | None:
    return _outside(part, part.nameplate.spec.temperature_low_c, hot=False, charging=False)


def plain_time_cold_charging_s(part: Part) -> float | None:
    return _outside(part, part.nameplate.spec.temperature_low_c, hot=False, charging=True)


def _soc_outside(part: Part, limit_percent: float | None, *, high: bool) -> float | None:
    rows = [row for row in part.rows if known(row.soc_percent)]
    if limit_percent is None or total(row.dt_s for row in rows) <= 0:
        return None
    return total(row.dt_s for row in rows if (row.soc_percent >= limit_percent) == high)


def _within(outside_s: list[float | None], known_s: float) -> float | None:
    """Share of the time that is not outside; None without a limit or a time."""
    limited = [seconds for seconds in outside_s if seconds is not None]
    return 1 - sum(limited) / known_s if limited and known_s > 0 else None


def plain_soc_within_limits_share(part: Part) -> float | None:
    spec = part.nameplate.spec
    outside = [
        _soc_outside(part, spec.soc_high_percent, high=True),
        _soc_outside(part, spec.soc_low_percent, high=False),
    ]
    return _within(outside, total(row.dt_s for row in part.rows if known(row.soc_percent)))


def plain_temperature_within_limits_share(part: Part) -> float | None:
    outside = [plain_time_hot_s(part), plain_time_cold_s(part)]
    return _within(outside, total(row.dt_s for row in _measured(part)))


def plain_time_soc_high_s(part: Part) -> float | None:
    return _soc_outside(part, part.nameplate.spec.soc_high_percent, high=True)


def plain_time_soc_low_s(part: Part) -> float | None:
    return _soc_outside(part, part.nameplate.spec.soc_low_percent, high=False)


def test_time_by_temperature() -> None:
    """21 and 24 degC in the eleventh bin, 26 degC in the next; beyond all bins the outer ones count."""
    seconds = compute("temperature_dwell_s", temperature_c=[21, 24, 26, -60, 99, 0])
    assert seconds == [1.0] + [0.0] * 9 + [2.0, 1.0] + [0.0] * 7 + [1.0]


def test_a_reading_at_a_limit() -> None:
    """At the highest temperature it is hot, at the lowest one it is not cold."""
    assert compute("time_hot_s", spec={"temperature_high_c": 45}, temperature_c=[44.9, 45, 20]) == 1.0
    assert compute("time_cold_s", spec={"temperature_low_c": -5}, temperature_c=[-5, -5.1, 20]) == 1.0
    assert compute("time_soc_high_s", spec={"soc_high_percent": 90}, soc_percent=[89.9, 90, 20]) == 1.0
    assert compute("time_soc_low_s", spec={"soc_low_percent": 10}, soc_percent=[10, 9.9, 20]) == 1.0


def test_extreme_readings_count_too() -> None:
    """Far beyond the bins on either side."""
    assert compute("time_hot_s", spec={"temperature_high_c": 65}, temperature_c=[200, 64, 20]) == 1.0
    assert compute("time_cold_s", spec={"temperature_low_c": -25}, temperature_c=[-90, -24, 20]) == 1.0


def test_charging_alone() -> None:
    """Of a hot and a cold step each one charges and one does not."""
    rows: dict[str, Any] = {"temperature_c": [50, 50, -10, -10, 20], "current_a": [1, -1, 1, 0, 0]}
    assert compute("time_hot_charging_s", spec={"temperature_high_c": 45}, **rows) == 1.0
    assert compute("time_cold_charging_s", spec={"temperature_low_c": 0}, **rows) == 1.0


@pytest.mark.parametrize(
    "name",
    [
        "time_hot_s",
        "time_hot_charging_s",
        "time_cold_s",
        "time_cold_charging_s",
        "time_soc_high_s",
        "time_soc_low_s",
    ],
)
def test_limits_must_be_known(name: str) -> None:
    """Without a limit nothing is outside it; without a reading neither."""
    spec = {"temperature_high_c": 45, "temperature_low_c": 0, "soc_high_percent": 90, "soc_low_percent": 10}
    assert compute(name, temperature_c=[20, 20], soc_percent=[50, 50]) == "limit_missing"
    assert compute(name, spec=spec, current_a=[1, 1]) == "no_valid_steps"
    assert compute("temperature_dwell_s", current_a=[1, 1]) == "no_valid_steps"


def test_share_within_the_limits() -> None:
    """Two of four seconds are below 10 % or from 90 % on; without a limit above, one is."""
    soc: dict[str, Any] = {"soc_percent": [5, 10, 50, 90, 50]}
    assert compute("soc_within_limits_share", spec={"soc_low_percent": 10, "soc_high_percent": 90}, **soc) == 0.5
    assert compute("soc_within_limits_share", spec={"soc_low_percent": 10}, **soc) == 0.75
    assert compute("soc_within_limits_share", **soc) == "limit_missing"
    cells: dict[str, Any] = {"temperature_c": [-5, 0, 20, 45, 20]}
    both = {"temperature_low_c": 0, "temperature_high_c": 45}
    assert compute("temperature_within_limits_share", spec=both, **cells) == 0.5
    assert compute("temperature_within_limits_share", spec=both, **soc) == "no_valid_steps"
