"""Distinct values in the order in which they come, whatever they are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.columns.numbering import numbered


@given(st.lists(st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 9))))
def test_each_value_is_numbered_by_its_first_appearance(values: list[int]) -> None:
    """As a dictionary would."""
    distinct, which = numbered(np.array(values, np.int64))
    assert distinct == list(dict.fromkeys(values))
    assert [distinct[number] for number in which.tolist()] == values
