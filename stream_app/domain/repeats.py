"""Rows that repeat a waiting row of the same stamp, as at-least-once bridges send them."""

from __future__ import annotations

from typing import Final

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import compiled

#: What a row is to the waiting rows of its stamp: there are none, it repeats one, or it differs from all.
ALONE, REPEATED, DIFFERING = range(3)
#: The latest rows of a stamp with which a row is compared: bounds the work where a clock is stuck.
_COMPARED: Final = 256


@compiled
def relation(
    q: int,
    stamp_us: int,
    rows: tuple[int, int],
    columns: tuple[FloatArray, ...],
    factors: FloatArray,
    scratch: tuple[IntArray, IntArray, FloatArray, IntArray],
    source: IntArray,
) -> int:
    """Compare row ``q`` of the fetch with the waiting rows, the first of ``rows``, and with the new ones after them.

    Of the new ones the readings are not in the scratch yet: ``source`` says where they stand in the fetch.
    """
    before, new = rows
    s_time_us, _, s_values, _ = scratch
    compared = 0
    for i in range(before + new - 1, -1, -1):
        if i < before and s_time_us[i] < stamp_us:
            break  # what waits is in order
        if s_time_us[i] != stamp_us:
            continue
        equal = True
        for c in range(len(columns)):
            column = columns[c]
            value = column[q] * factors[c] if len(column) else np.nan
            other = np.nan
            if i < before:
                other = s_values[c, i]
            elif len(column):
                other = column[source[i - before]] * factors[c]
            if value != other and not (np.isnan(value) and np.isnan(other)):
                equal = False
                break
        if equal:
            return REPEATED
        compared += 1
        if compared == _COMPARED:
            break
    return DIFFERING if compared else ALONE
