"""Resistance by steps of the current: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Any

import pytest

from tests.metric_example import compute, compute_all
from tests.oracle import Part, Row, known, total
from tests.unit.domain.metrics.test_capacity import soc_agrees

#: 0 A twice more than it takes for both steps before to be quiet, then 50 A through 0.1 Ohm; ten times.
PULSES: dict[str, Any] = {"current_a": [0, 0, 0, 50] * 10, "voltage_v": [900, 900, 900, 905] * 10}


def _usual_s(part: Part) -> dict[Row, float]:
    """Usual step at each row: the shortest of late, which may grow by a twentieth from row to row."""
    row: Row | None = part.rows[0]
    while row is not None and row.previous is not None:
        row = row.previous
    usual_s, found = math.inf, {}
    while row is not None:
        if row.previous is not None and row.previous.dt_s > 0:
            usual_s = min(row.previous.dt_s, 1.05 * usual_s)
        found[row] = usual_s
        row = row.following
    return found


def _size_a(row: Row | None, usual_s: dict[Row, float]) -> float:
    """Size of the step of the current that ends at a row; infinite where it is not known."""
    before = row.previous if row else None
    if row is None or before is None or not 0 < before.dt_s <= 1.75 * usual_s[row]:
        return math.inf
    is_known = known(row.current_a - before.current_a) and known(row.voltage_v - before.voltage_v)
    return abs(row.current_a - before.current_a) if is_known else math.inf


def _steps(part: Part) -> list[tuple[float, float, float]]:
    """Steps of current and voltage, and their durations, that tell the resistance."""
    largest_a, row = 0.0, part.rows[0].previous
    while row is not None:
        largest_a = max(largest_a, abs(row.current_a) if known(row.current_a) else 0.0)
        row = row.previous
    steps, usual_s = [], _usual_s(part)
    for row in part.rows:
        if not row.settled:
            continue
        largest_a = max(largest_a, abs(row.current_a) if known(row.current_a) else 0.0)
        size_a, before = _size_a(row, usual_s), row.previous
        if before is None or not 0 < size_a < math.inf or before.dt_s > 12:
            continue
        quiet = all(_size_a(one, usual_s) <= size_a / 4 for one in (before, before.previous))
        if quiet and size_a >= 0.1 * largest_a:
            di_a, dv_v = _less_drift(row, before)
            if abs(row.voltage_v - before.voltage_v - dv_v) <= 0.03 * abs(dv_v):
                steps.append((di_a, dv_v, before.dt_s))
    return steps


def _less_drift(row: Row, before: Row) -> tuple[float, float]:
    """Changes of current and voltage, less what they moved in the step before."""
    long_before = before.previous
    assert long_before is not None  # a step without one before it is not quiet
    share = before.dt_s / long_before.dt_s
    drift_a, drift_v = before.current_a - long_before.current_a, before.voltage_v - long_before.voltage_v
    return row.current_a - before.current_a - drift_a * share, row.voltage_v - before.voltage_v - drift_v * share


def plain_r_step(part: Part) -> float | None:
    steps = _steps(part)
    di_di, di_dv, dv_dv = (total(x * y for x, y in pairs) for pairs in _pairs(steps))
    if len(steps) >= 10 and total(dt_s for *_, dt_s in steps) > 5 * len(steps) and not soc_agrees(part):
        return None
    if len(steps) < 10 or di_dv <= 0 or di_dv**2 < 0.9 * di_di * dv_dv:
        return None
    return di_dv / di_di


def _pairs(steps: list[tuple[float, float, float]]) -> list[list[tuple[float, float]]]:
    return [[(di, di) for di, _, _ in steps], [(di, dv) for di, dv, _ in steps], [(dv, dv) for _, dv, _ in steps]]


def plain_r_step_dt_s(part: Part) -> float | None:
    steps = _steps(part)
    return total(dt_s for _, _, dt_s in steps) / len(steps) if len(steps) >= 10 else None


def plain_ohmic_loss_kwh(part: Part) -> float | None:
    r_ohm = plain_r_step(part)
    return None if r_ohm is None else r_ohm * total(row.current_a**2 * row.dt_s for row in part.rows) / 3.6e6


def test_voltage_over_current() -> None:
    """5 V for 50 A is 0.1 Ohm; without scatter the method's own 0.05 % stays."""
    values = compute_all("r_step", **PULSES)
    assert values.value[0] == 0.1
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx(0.00005)
    assert compute("r_step_dt_s", **PULSES) == 1.0


def test_scatter_is_in_the_uncertainty() -> None:
    """Steps of 50 A that give 4.5 and 5.5 V in turn: 0.1 Ohm, and sqrt(10 x 0.25 / 9 / 25,000) Ohm by the residuals.

    Ten steps are few: 9 degrees of freedom widen it by 1.154. A third of the share that is not explained, 1 / 101 of
    the squares of the voltage, comes on top, and the method's own 0.05 %.
    """
    rows = PULSES | {"voltage_v": [900, 900, 900, 904.5, 900, 900, 900, 905.5] * 5}
    values = compute_all("r_step", **rows)
    assert values.value[0] == pytest.approx(0.1)
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx(
        math.hypot(9 / (9 - 1.22 + 0.363 / 81) * math.sqrt(2.5 / 9 / 25_000), 0.1 / 3 / 101, 0.00005)
    )


def test_polarisation_of_a_step_before_does_not_count() -> None:
    """Each fall from 50 A follows a rise as large one second before: it tells nothing, whatever the voltage does."""
    rows = PULSES | {"voltage_v": [902, 900, 900, 905] * 10}
    assert compute("r_step", **rows) == 0.1


def test_the_drift_of_the_voltage_is_subtracted() -> None:
    """The voltage relaxes by 0.1 V a second all the while: 5 V of each step are the resistance's."""
    drift_v = [900 - 0.1 * k for k in range(40)]
    rows = PULSES | {"voltage_v": [v + load for v, load in zip(drift_v, [0, 0, 0, 5] * 10, strict=True)]}
    assert compute("r_step", **rows) == pytest.approx(0.1)


def test_a_step_with_much_drift_does_not_count() -> None:
    """At 0.2 V a second the drift is 4 % of the step: what it does within the step is not sure enough."""
    drift_v = [900 - 0.2 * k for k in range(40)]
    rows = PULSES | {"voltage_v": [v + load for v, load in zip(drift_v, [0, 0, 0, 5] * 10, strict=True)]}
    assert compute("r_step", **rows) == "too_few_steps"


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_step_over_a_lost_row_does_not_count(after: int) -> None:
    """Nobody knows when the current changed, nor whether it was quiet before: the load comes with the last of four."""
    dt_s = [2.0 if k % 4 == after else 1.0 for k in range(40)]
    assert compute("r_step", time_s=[0.0, *accumulate(dt_s[:-1])], **PULSES) == "too_few_steps"


def test_small_steps_do_not_count() -> None:
    """Of 1,000 A seen before, 50 A are less than a tenth."""
    rows: dict[str, Any] = {"current_a": [1000, *PULSES["current_a"]], "voltage_v": [1000, *PULSES["voltage_v"]]}
    assert compute("r_step", **rows) == "too_few_steps"


def test_slow_rows_have_no_steps() -> None:
    """Within 13 s the polarisation shows: such steps are left out."""
    assert compute("r_step", dt_s=13, **PULSES) == "too_few_steps"
    assert compute("r_step", dt_s=12, **PULSES) == 0.1


def test_a_voltage_read_a_row_late_is_no_resistance() -> None:
    """The voltage rises one row after the current: no step of the current has one of the voltage."""
    rows: dict[str, Any] = {"current_a": [0, 0, 0, 50, 50, 50] * 10, "voltage_v": [905, 900, 900, 900, 905, 905] * 10}
    assert compute("r_step", **rows) == "sign_suspect"


@pytest.mark.parametrize(("dt_s", "reason"), [(5, ""), (6, "soc_lag_suspect")])
def test_a_current_that_changes_between_rows_is_suspected(dt_s: int, reason: str) -> None:
    """After the pulses each turn of the SoC moves it on by 2 %, so the current is not that of the rows.

    Of steps longer than 5 s nobody knows then how long after the current's change the voltage was read.
    """
    rise, fall = [20, 30, 40, 50, 60, 62], [50, 40, 30, 20, 10, 8]
    swings_a = [10] * 5 + ([-10] * 6 + [10] * 6) * 2
    rows: dict[str, Any] = {
        "current_a": [*PULSES["current_a"], *swings_a, 0],
        "voltage_v": [*PULSES["voltage_v"], *(900 + current_a / 10 for current_a in swings_a), 900],
        "soc_percent": [10] * 41 + [*rise, *(fall + rise) * 2][: len(swings_a)],
    }
    hours = len(swings_a)
    time_s = [dt_s * k for k in range(41)] + [dt_s * 40 + 3600 * k for k in range(1, hours + 1)]
    assert compute_all("r_step", time_s=time_s, spec={"max_gap_s": 7200}, **rows).reason[0] == reason


def test_noise_is_no_resistance() -> None:
    """Falls and rises of the voltage with one and the same current."""
    rows = PULSES | {"voltage_v": [900, 900, 900, 905, 900, 900, 900, 896] * 5}
    assert compute("r_step", **rows) == "low_correlation"
    assert compute_all("r_step", **rows).unchecked == pytest.approx(0.01)


def test_a_reversed_current_is_suspect() -> None:
    """The voltage falls as the current rises."""
    rows = PULSES | {"current_a": [0, 0, 0, -50] * 10}
    assert compute("r_step", **rows) == "sign_suspect"
    assert compute("ohmic_loss_kwh", **rows) == "sign_suspect"


def test_ohmic_loss() -> None:
    """0.1 Ohm times the square of 3,000 A for 9 s (the last row has no duration): 8.1 MJ."""
    assert compute(
        "ohmic_loss_kwh", current_a=[0, 0, 0, 3000] * 10, voltage_v=[900, 900, 900, 1200] * 10
    ) == pytest.approx(2.25)


def test_the_resistance_of_what_charges_is_that_of_what_discharges() -> None:
    """Steps of both directions count alike."""
    rows: dict[str, Any] = {"current_a": [0, 0, 0, -50] * 10, "voltage_v": [900, 900, 900, 895] * 10}
    assert compute("r_step", **rows) == 0.1
