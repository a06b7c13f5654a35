"""Coverage and gaps: known numbers, limiting cases, and the plain computation. Stamps are drawn in seconds."""

from __future__ import annotations

from tests.metric_example import compute
from tests.oracle import Part, total


def plain_coverage(part: Part) -> float | None:
    return min(total(row.dt_s for row in part.rows) / part.span_s, 1.0) if part.span_s > 0 else None


def plain_gap_count(part: Part) -> int:
    return sum(row.gap_s > 0 for row in part.rows)


def plain_gap_s(part: Part) -> float:
    return total(row.gap_s for row in part.rows)


#          0 1 2       1002 1003
# rows     x x x         x    x     three steps of 1 s and a gap of 1000 s: 3 s of 1003 s are covered
_WITH_GAP = (0, 1, 2, 1002, 1003)


def test_a_gap_is_not_covered() -> None:
    """3 s of 1003 s."""
    assert compute("coverage", time_s=_WITH_GAP, current_a=[1] * 5) == 3 / 1003


def test_steady_rows_cover_everything() -> None:
    """Each row holds until the next one."""
    assert compute("coverage", current_a=[1, 2, 3]) == 1.0
    assert compute("gap_count", current_a=[1, 2, 3]) == 0.0
    assert compute("gap_s", current_a=[1, 2, 3]) == 0.0


def test_a_gap_counts_once_with_all_its_time() -> None:
    """One step of 1000 s where the period is 1 s."""
    assert compute("gap_count", time_s=_WITH_GAP, current_a=[1] * 5) == 1.0
    assert compute("gap_s", time_s=_WITH_GAP, current_a=[1] * 5) == 1000.0


def test_up_to_ten_periods_and_up_to_15_minutes_are_no_gap() -> None:
    """After steps of 1 s a step of 900 s is valid and one of 901 s is not; after steps of 200 s one of 2000 s is."""
    assert compute("gap_count", time_s=[0, 1, 2, 902], current_a=[1] * 4) == 0.0
    assert compute("gap_count", time_s=[0, 1, 2, 903], current_a=[1] * 4) == 1.0
    assert compute("gap_count", time_s=[0, 200, 400, 2400], current_a=[1] * 4) == 0.0
    assert compute("gap_count", time_s=[0, 200, 400, 2401], current_a=[1] * 4) == 1.0


def test_rows_without_readings_cover_their_time() -> None:
    """Coverage is about the rows' time, not about one reading."""
    assert compute("coverage", current_a=[1, None, 3]) == 1.0


def test_one_stamp_covers_no_time() -> None:
    """Between the first and the last stamp there is no time, so there is no share of it; no gap can begin either."""
    assert compute("coverage", current_a=[1]) == "no_time"
    assert compute("coverage", time_s=[0, 0], current_a=[1, 2]) == "no_time"
    assert compute("gap_count", current_a=[1]) == 0.0
    assert compute("gap_s", current_a=[1]) == 0.0
