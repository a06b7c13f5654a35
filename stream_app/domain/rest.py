"""The rest band: small currents are summed by their size, so that the band's limit is set at read time.

Which currents are rest depends on the nominal capacity, and the spec that names it may come after the rows.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stream_app.columns.arrays import FloatArray
from stream_app.domain.fields import Binned
from stream_app.domain.specs import AssetSpecs

#: Limits that a rest band may have [A]; each bin holds what is below its limit and not below the one before.
LIMITS_A: Final = (1 / 64, 1 / 16, 1 / 4, 1.0, 4.0)
#: The band's limit is the largest of them that is at most this share of the nominal capacity, or else the first.
LARGEST_C_RATE_PER_H: Final = 0.01


def by_limit(current_a: FloatArray, amount: FloatArray) -> Binned:
    """What steps add to a histogram over the limits; ``amount`` is ``(n,)``, NaN for nothing."""
    size_a = np.abs(current_a)
    bins = np.where(size_a >= LIMITS_A[0], 1.0, 0.0)
    for limit_a in LIMITS_A[1:-1]:
        bins = bins + np.where(size_a >= limit_a, 1.0, 0.0)
    return Binned(bins.astype(np.int64), np.where(size_a < LIMITS_A[-1], amount, np.nan))


def within_band(by_limit_: FloatArray, specs: AssetSpecs) -> FloatArray:
    """Sum over the rest band of a histogram ``(k, limits)``, shape ``(k,)``; 0 while the capacity is unknown."""
    limit_a = np.maximum(LARGEST_C_RATE_PER_H * specs.capacity_ah, LIMITS_A[0])
    total = np.where(limit_a >= LIMITS_A[0], by_limit_[:, 0], 0.0)
    for i, each_a in enumerate(LIMITS_A[1:], 1):
        total = total + np.where(limit_a >= each_a, by_limit_[:, i], 0.0)
    return total
