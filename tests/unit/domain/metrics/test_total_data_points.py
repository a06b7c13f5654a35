"""How many rows there are: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

from tests.metric_example import compute
from tests.oracle import Part


def plain_total_data_points(part: Part) -> int:
    return len(part.rows)


def test_every_row_counts_whatever_it_measured() -> None:
    """A row without any reading is a row, and so is the last one, whose duration is not known."""
    assert compute("total_data_points", current_a=[1, None, 3]) == 3.0
    assert compute("total_data_points", current_a=[None]) == 1.0


def test_rows_of_one_stamp_are_all_real() -> None:
    """Files cut to the minute have many rows of one stamp."""
    assert compute("total_data_points", time_s=[0, 0, 0, 60], current_a=[1, 1, 1, 1]) == 4.0
