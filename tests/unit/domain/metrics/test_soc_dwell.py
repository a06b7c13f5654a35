"""Time by state of charge: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import pytest

from tests.metric_example import compute
from tests.oracle import Part, known
from tests.oracle.rows import bin_of

BINS = 10


def plain_soc_dwell_s(part: Part) -> list[float] | None:
    seconds = [0.0] * BINS
    for row in part.rows:
        if known(row.soc_percent):
            seconds[bin_of(row.soc_percent, 10, BINS)] += row.dt_s
    return seconds if sum(seconds) > 0 else None


def _bins(**seconds: float) -> list[float]:
    """Seconds by bin: ``_bins(b90=1)`` is one second at 90 % and above."""
    return [seconds.get(f"b{10 * i}", 0.0) for i in range(BINS)]


def test_each_step_counts_at_the_soc_where_it_begins() -> None:
    """Two seconds from 5 %, one from 95 %; the last row has no duration."""
    assert compute("soc_dwell_s", soc_percent=[5, 5, 95, 95]) == _bins(b0=2, b90=1)


def test_time_counts_not_rows() -> None:
    """3 s at 25 %, 1 s at 35 %."""
    assert compute("soc_dwell_s", time_s=[0, 3, 4], soc_percent=[25, 35, 35]) == _bins(b20=3, b30=1)


@pytest.mark.parametrize(
    ("soc_percent", "bin_"), [(-4, "b0"), (0, "b0"), (9.9, "b0"), (10, "b10"), (100, "b90"), (110, "b90")]
)
def test_a_bin_begins_with_its_lower_edge(soc_percent: float, bin_: str) -> None:
    """Readings beyond 0-100 % count in the outer bins."""
    assert compute("soc_dwell_s", soc_percent=[soc_percent, 50]) == _bins(**{bin_: 1})


def test_a_missing_soc_counts_nowhere() -> None:
    """One of two seconds has no SoC; rows without any have no dwell at all."""
    assert compute("soc_dwell_s", soc_percent=[50, None, 50]) == _bins(b50=1)
    assert compute("soc_dwell_s", current_a=[1, 2, 3]) == "no_valid_steps"


def test_a_single_row_dwells_nowhere() -> None:
    """Its duration is not known."""
    assert compute("soc_dwell_s", soc_percent=[50]) == "no_valid_steps"
