"""Laws of whole quotients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.columns.compiled import compiled
from stream_app.columns.quotient import floor_quotient

_NUMBERS = st.floats() | st.floats(-10, 200) | st.integers(-50, 50).map(float)


@compiled
def _quotient(value: float, divisor: float) -> float:
    return floor_quotient(value, divisor)


def _bits(value: float) -> bytes:
    return np.float64(np.nan if np.isnan(value) else value).tobytes()


def _due(value: float, divisor: float) -> float:
    with np.errstate(all="ignore"):
        return float(np.floor_divide(np.float64(value), np.float64(divisor)))


@given(_NUMBERS, _NUMBERS | st.integers(1, 2**53).map(float))
def test_it_is_numpys_floor_division_to_the_last_bit(value: float, divisor: float) -> None:
    """Of any two floats, NaN and infinity included."""
    assert _bits(_quotient(value, divisor)) == _bits(_due(value, divisor))


@pytest.mark.parametrize("toward", [0.0, np.inf])
@given(st.integers(0, 2**40), st.integers(1, 1000))
def test_the_floats_beside_a_whole_multiple_fall_on_their_own_side(toward: float, whole: int, divisor: int) -> None:
    """Where the rounded quotient is a whole number too high."""
    value = float(np.nextafter(float(whole * divisor), toward))
    assert _bits(_quotient(value, float(divisor))) == _bits(_due(value, float(divisor)))
