"""What rows add to fields."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.domain.fields import even_bins


@given(st.lists(st.one_of(st.floats(-20, 140), st.integers(-20, 140).map(float)), min_size=1))
def test_even_bins_are_floor_divisions(readings: list[float]) -> None:
    """Bins hold their lower edge, less a rounding error; what lies outside is in the outer ones, NaN in the first."""
    values = np.array([*readings, np.nan, np.nextafter(30.0, 0.0), 1e300])
    due = np.clip((np.nan_to_num(values, posinf=1e300) + 1e-9) // 10.0, 0, 9).astype(np.int64)
    assert even_bins(values, 10.0, 10).tolist() == due.tolist()
