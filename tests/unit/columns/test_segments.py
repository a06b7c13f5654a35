"""Compiled walks over sorted rows give what numpy gives."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.columns.segments import first_at_or_after, sorted_by

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
