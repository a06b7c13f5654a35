"""Load relative to the capacity: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import pytest

from tests.metric_example import compute
from tests.oracle import Part, known, total


def plain_c_rate_mean_per_h(part: Part) -> float | None:
    capacity_ah = part.nameplate.capacity_ah
    rests = part.rests()
    loaded_s = total(row.dt_s for row in part.rows if known(row.current_a) and row not in rests)
    if capacity_ah is None or loaded_s == 0:
        return None
    rest_as = total(row.current_a * row.dt_s for row in rests)
    return (part.charge_as("charge") + part.charge_as("discharge") - abs(rest_as)) / loaded_s / capacity_ah


def plain_c_rate_max_per_h(part: Part) -> float | None:
    currents = [abs(row.current_a) for row in part.rows if known(row.current_a)]
    capacity_ah = part.nameplate.capacity_ah
    return None if capacity_ah is None or not currents else max(currents) / capacity_ah


def test_the_mean_is_over_the_loaded_time_alone() -> None:
    """40 A and 20 A for a second each, then rest: 30 A / 80 Ah = 0.375 1/h. The second of rest does not dilute it."""
    assert compute("c_rate_mean_per_h", nominal_capacity_ah=80, current_a=[40, -20, 0, 0]) == 0.375


def test_the_mean_weighs_by_time() -> None:
    """40 A for 3 s and 20 A for 1 s: 140 As / 4 s = 35 A, of 70 Ah 0.5 1/h."""
    current_a = [40, 20, 0]
    assert compute("c_rate_mean_per_h", nominal_capacity_ah=70, time_s=[0, 3, 4], current_a=current_a) == 0.5


def test_a_current_within_the_rest_band_is_no_load() -> None:
    """1 A is at most 0.01 C of 100 Ah, so 0.5 A is rest: 40 A for one second are 0.4 C. Of 80 Ah the limit is 1/4 A."""
    current_a = [40, -0.5, -0.5, 0]
    assert compute("c_rate_mean_per_h", nominal_capacity_ah=100, current_a=current_a) == pytest.approx(0.4)
    assert compute("c_rate_mean_per_h", nominal_capacity_ah=80, current_a=current_a) == pytest.approx(41 / 3 / 80)


def test_a_mean_load_needs_a_current() -> None:
    """Power alone moves an unknown charge; a single row holds for an unknown time."""
    assert compute("c_rate_mean_per_h", nominal_capacity_ah=80, power_w=[1000, 1000]) == "current_missing"
    assert compute("c_rate_mean_per_h", nominal_capacity_ah=80, current_a=[40]) == "no_valid_steps"


def test_the_largest_load_may_be_of_the_last_row() -> None:
    """The maximum is over rows, not steps: -80 A of a row without duration is 1 1/h of 80 Ah."""
    assert compute("c_rate_max_per_h", nominal_capacity_ah=80, current_a=[40, -20, -80]) == 1.0


def test_rest_alone_is_no_load() -> None:
    """A mean over no loaded time is undefined; the largest load is a known 0."""
    assert compute("c_rate_mean_per_h", nominal_capacity_ah=80, current_a=[0, 0, 0]) == "no_load"
    assert compute("c_rate_max_per_h", nominal_capacity_ah=80, current_a=[0, 0, 0]) == 0.0


def test_the_largest_load_needs_a_current() -> None:
    """Rows with power alone have no current."""
    assert compute("c_rate_max_per_h", nominal_capacity_ah=80, power_w=[1000, 1000]) == "current_missing"


@pytest.mark.parametrize("metric", ["c_rate_mean_per_h", "c_rate_max_per_h"])
def test_a_rate_needs_a_capacity(metric: str) -> None:
    """Without a capacity there is nothing to compare the current with."""
    assert compute(metric, current_a=[40, 40]) == "capacity_missing"
