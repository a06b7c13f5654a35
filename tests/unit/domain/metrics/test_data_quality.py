"""What is missing in the data: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

from typing import Any

from tests.metric_example import compute
from tests.oracle import Part, known


def plain_gap_longest_s(part: Part) -> float:
    return max(row.gap_s for row in part.rows)


def plain_incomplete_rows(part: Part) -> int:
    return sum(not known(row.power_w) or not known(row.soc_percent) for row in part.rows)


def plain_frozen_s(part: Part) -> float | None:
    if not part.is_lifetime:
        return None
    frozen_s = same_s = largest_a = 0.0
    steps = 0
    for row in part.rows:
        before = row.previous
        if row.settled and known(row.current_a):
            largest_a = max(largest_a, abs(row.current_a))
        if not row.settled or before is None:
            continue
        change = abs(row.current_a - before.current_a) + abs(row.voltage_v - before.voltage_v)
        is_step = before.dt_s > 0 and known(change)
        steps += is_step
        if is_step and change == 0 and row.current_a != 0 and abs(row.current_a) >= 0.1 * largest_a:
            same_s += before.dt_s
            if same_s >= 600:
                frozen_s += same_s if same_s - before.dt_s < 600 else before.dt_s
        else:
            same_s = 0.0
    return frozen_s if steps else None


def test_the_longest_gap() -> None:
    """Of two gaps the longer one; without a gap 0."""
    times_s = [0, 1, 2, 50_000, 50_001, 70_000]
    assert compute("gap_longest_s", time_s=times_s, current_a=[1] * 6) == 49_998.0
    assert compute("gap_longest_s", current_a=[1, 1]) == 0.0


def test_rows_that_lack_something() -> None:
    """One without current and so without power, one without SoC; a measured power makes up for both."""
    rows: dict[str, Any] = {"current_a": [1, None, 1], "voltage_v": [900] * 3, "soc_percent": [50, 50, None]}
    assert compute("incomplete_rows", **rows) == 2.0
    assert compute("incomplete_rows", **rows, power_w=[1, 1, 1]) == 1.0


def test_ten_minutes_without_any_change_under_load_are_frozen() -> None:
    """Eleven steps of a minute count all; ten do as well, nine do not; at rest nothing does."""
    assert compute("frozen_s", dt_s=60, current_a=[10] * 12, voltage_v=[900] * 12) == 660.0
    assert compute("frozen_s", dt_s=60, current_a=[10] * 11, voltage_v=[900] * 11) == 600.0
    assert compute("frozen_s", dt_s=60, current_a=[10] * 10, voltage_v=[900] * 10) == 0.0
    assert compute("frozen_s", dt_s=60, current_a=[0] * 12, voltage_v=[900] * 12) == 0.0
    small = [100, *[1] * 12]
    assert compute("frozen_s", dt_s=60, current_a=small, voltage_v=[900] * 13) == 0.0, "a standby load is steady"
    moves = [900, 900.1] * 6
    assert compute("frozen_s", dt_s=60, current_a=[10] * 12, voltage_v=moves) == 0.0
    assert compute("frozen_s", dt_s=60, current_a=[10] * 12) == "too_few_steps"
