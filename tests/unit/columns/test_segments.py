"""Compiled walks over sorted rows give what numpy gives."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.columns.segments import first_at_or_after, sorted_by
from stream_app.domain.fields import even_bins
from stream_app.domain.panes import numbers

_codes = st.lists(st.integers(0, 40), max_size=60).map(lambda codes: np.array(codes, np.int64))
_sorted = st.lists(st.integers(-50, 50), min_size=1, max_size=30).map(lambda values: np.array(sorted(values), np.int64))


@given(_codes, st.sampled_from([41, 100_000]))
def test_sorted_by_is_a_stable_sort(code: np.ndarray, codes: int) -> None:
    """Whether it counts or compares: items of one code stay in their order."""
    assert sorted_by(code, codes).tolist() == np.argsort(code, kind="stable").tolist()


@given(_sorted, st.data())
def test_first_at_or_after_searches_slices(values: np.ndarray, data: st.DataObject) -> None:
    """It finds what a search of the slice alone finds."""
    low, high = sorted(data.draw(st.tuples(*[st.integers(0, len(values))] * 2)))
    target = data.draw(st.integers(-60, 60))
    found = first_at_or_after(values, np.array([low]), np.array([high]), np.array([target]))
    assert found.tolist() == [low + int(np.searchsorted(values[low:high], target))]


@given(st.lists(st.one_of(st.floats(-20, 140), st.integers(-20, 140).map(float)), min_size=1))
def test_even_bins_are_floor_divisions(readings: list[float]) -> None:
    """Bins hold their lower edge; what lies outside is in the outer ones, and NaN in the first."""
    values = np.array([*readings, np.nan, np.nextafter(30.0, 0.0), 1e300])
    due = np.clip(np.nan_to_num(values, posinf=1e300) // 10.0, 0, 9).astype(np.int64)
    assert even_bins(values, 10.0, 10).tolist() == due.tolist()


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-(10**6), 10**6)), max_size=50))
def test_window_numbers_are_floor_divisions(items: list[tuple[int, int]]) -> None:
    """Before 1970 too, and whatever window the row before stood in."""
    asset = np.array([asset for asset, _ in items], np.int64)
    time_us = np.array([time for _, time in items], np.int64)
    size_us = np.array([60, 7, 100_000])
    assert numbers(time_us, asset, size_us).tolist() == (time_us // size_us[asset]).tolist()
