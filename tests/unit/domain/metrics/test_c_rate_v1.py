"""C-rate by API v1's definition: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.metric_example import compute
from tests.oracle import Part, total


def plain_c_rate_v1(part: Part) -> float | None:
    capacity_ah = part.nameplate.capacity_ah
    path_percent = total(abs(row.soc_percent - row.previous.soc_percent) for row in part.rows if row.previous)
    if capacity_ah is None or path_percent == 0:
        return None
    return 100 / path_percent * total(abs(row.current_a) for row in part.rows) / (3600 * capacity_ah)


def test_charge_per_full_swing_over_the_capacity() -> None:
    """Rows of 40 A move the SoC by 1 % and back: 100 / 2 x 160 A / (3600 s/h x 94 Ah)."""
    due = 100 / 2 * 160 / (3600 * 94)
    got = compute("c_rate_v1", nominal_capacity_ah=94, current_a=[40, 40, -40, -40], soc_percent=[50, 51, 51, 50])
    assert got == pytest.approx(due)


def test_a_sound_pack_has_one() -> None:
    """A pack that holds its nominal capacity: 1 A for 3600 rows of one second fills 1 Ah from 0 to 100 %, so 1.

    The row at which the SoC starts brings a current and no step of SoC: 3601 rows of 1 A to 100 % make 3601 / 3600.
    """
    n = 3601
    soc_percent = [100 * i / 3600 for i in range(n)]
    got = compute("c_rate_v1", nominal_capacity_ah=1, current_a=[1] * n, soc_percent=soc_percent)
    assert got == pytest.approx(3601 / 3600)


def test_the_time_between_rows_plays_no_part() -> None:
    """Rows are taken as one second apart, whatever their stamps."""
    rows: dict[str, Any] = {"current_a": [40, 40], "soc_percent": [50, 51]}
    seconds, minutes = (compute("c_rate_v1", dt_s=dt_s, nominal_capacity_ah=94, **rows) for dt_s in (1, 60))
    assert seconds == minutes


def test_noise_lengthens_the_path_and_lowers_the_value() -> None:
    """A SoC that flickers by 1 % for four rows has four times the path of one that rises by 1 %."""
    quiet = compute("c_rate_v1", nominal_capacity_ah=94, current_a=[40] * 5, soc_percent=[50, 50, 50, 50, 51])
    noisy = compute("c_rate_v1", nominal_capacity_ah=94, current_a=[40] * 5, soc_percent=[50, 51, 50, 51, 50])
    assert isinstance(quiet, float)
    assert noisy == pytest.approx(quiet / 4)


def test_a_missing_soc_breaks_the_path() -> None:
    """Neither the step to a row without SoC nor the step from it is known, so no step is left."""
    got = compute("c_rate_v1", nominal_capacity_ah=94, current_a=[40] * 3, soc_percent=[50, None, 51])
    assert got == "no_soc_swing"


def test_what_it_needs() -> None:
    """A capacity, and a SoC that moved."""
    assert compute("c_rate_v1", current_a=[40, 40], soc_percent=[50, 51]) == "capacity_missing"
    assert compute("c_rate_v1", nominal_capacity_ah=94, current_a=[40, 40], soc_percent=[50, 50]) == "no_soc_swing"
