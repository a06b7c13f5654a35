"""The calendar is that of the standard library, forwards and backwards, compiled and plain."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.columns import calendar

_DAYS = st.integers((date.min - date(1970, 1, 1)).days, (date.max - date(1970, 1, 1)).days)


@given(st.lists(_DAYS, min_size=1, max_size=30))
def test_days_and_dates_are_those_of_the_standard_library(days: list[int]) -> None:
    """Years 1 to 9999: there and back, one by one in compiled code and all at once in plain code."""
    dates = [date(1970, 1, 1) + timedelta(day) for day in days]
    civil = [(each.year, each.month, each.day) for each in dates]
    assert [calendar.compiled_civil_from_days(day) for day in days] == civil
    assert [calendar.compiled_days_from_civil(*each) for each in civil] == days
    year, month, day = np.array(civil, np.int64).T
    assert calendar.days_from_civil(year, month, day).tolist() == days
    assert np.array(calendar.civil_from_days(np.array(days))).T.tolist() == [list(each) for each in civil]


def test_months_have_their_days() -> None:
    """Every month of years that are leap by each of the three rules, and of those that are not."""
    years, months = np.repeat([1900, 2000, 2023, 2024], 12), np.tile(np.arange(1, 13), 4)
    firsts = [date(int(year), int(month), 1) for year, month in zip(years, months, strict=True)]
    due = [((first + timedelta(31)).replace(day=1) - first).days for first in firsts]
    assert calendar.days_in_month(years, months).tolist() == due
    assert [calendar.compiled_days_in_month(first.year, first.month) for first in firsts] == due
