"""Compiled walks over sorted rows give what numpy gives."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.columns.segments import first_at_or_after, segments_of, sort_stamps

_slots = st.lists(st.integers(0, 40), max_size=60).map(lambda slots: np.array(slots, np.int64))
_sorted = st.lists(st.integers(-50, 50), min_size=1, max_size=30).map(lambda values: np.array(sorted(values), np.int64))


@given(_slots, st.sampled_from([41, 100_000]))
def test_segments_are_a_stable_sort(slot: np.ndarray, slots: int) -> None:
    """Whether it counts or compares: items of one slot stay in their order, and each slot knows where its items are."""
    order, present, starts, stops = segments_of(slot, slots)
    assert order.tolist() == np.argsort(slot, kind="stable").tolist()
    assert present.tolist() == sorted(set(slot.tolist()))
    assert [slot[order[a:b]].tolist() for a, b in zip(starts, stops, strict=True)] == [
        [s] * slot.tolist().count(s) for s in present.tolist()
    ]


@given(_sorted, st.data())
def test_first_at_or_after_searches_a_slice(values: np.ndarray, data: st.DataObject) -> None:
    """It finds what a search of the slice alone finds."""
    low, high = sorted(data.draw(st.tuples(*[st.integers(0, len(values))] * 2)))
    target = data.draw(st.integers(-60, 60))
    assert first_at_or_after(values, low, high, target) == low + int(np.searchsorted(values[low:high], target))


@given(st.lists(st.integers(-20, 20), max_size=70))
def test_sorting_stamps_is_stable(stamps: list[int]) -> None:
    """Equal stamps stay in their order, and what follows the first ``n`` is left alone."""
    stamp_us, n = np.array([*stamps, -100], np.int64), len(stamps)
    order, _ = sort_stamps(stamp_us, n, np.full(n + 1, -1), np.full(n + 1, -1))
    assert order.tolist() == [*np.argsort(stamp_us[:n], kind="stable").tolist(), -1]
