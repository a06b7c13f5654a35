"""Whole quotients of floats."""

from __future__ import annotations

from typing import Final

import numpy as np

from stream_app.columns.compiled import borrowing, inlined

#: Whole multiples of a whole divisor up to here, and one beyond, are floats.
_EXACT: Final = 2.0**50


@inlined
def floor_quotient(value: float, divisor: float) -> float:
    """``value // divisor`` as numpy has it, to the last bit.

    It takes a remainder, which costs more than all else that a row needs. Where the divisor is a whole number, the
    rounded quotient is at most one whole number too high, and its product with the divisor, which is exact, tells.
    """
    if 0.0 <= value <= _EXACT and 1.0 <= divisor <= _EXACT and divisor == np.floor(divisor):
        whole: float = np.floor(value / divisor)
        return whole - 1.0 if whole * divisor > value else whole
    return _by_remainder(value, divisor)


@borrowing
def _by_remainder(value: float, divisor: float) -> float:
    return value // divisor
