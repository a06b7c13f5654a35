"""Rows that repeat a waiting row of the same stamp, as at-least-once bridges send them."""

from __future__ import annotations

from typing import Final

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import borrowing

#: How a column is brought into the asset's own frame: not at all, by the current's sign, by the scale of the SoC.
AS_IT_IS, SIGNED, SOC = range(3)
#: What a row is to the waiting rows of its stamp: there are none, it repeats one, or it differs from all.
ALONE, REPEATED, DIFFERING = range(3)
#: The latest rows of a stamp with which a row is compared: bounds the work where a clock is stuck.
_COMPARED: Final = 256


@borrowing
def relation(
    q: int,
    stamp_us: int,
    rows: tuple[int, int],
    columns: tuple[FloatArray, ...],
    frame: tuple[IntArray, tuple[float, float]],
    scratch: tuple[IntArray, IntArray, FloatArray, IntArray],
    source: IntArray,
) -> int:
    """Compare row ``q`` of the fetch with the waiting rows, the first of ``rows``, and with the new ones after them.

    ``frame`` is how each column is brought into the asset's own frame, with the current's sign and the SoC's scale. Of
    the new rows the readings are not in the scratch yet: ``source`` says where they stand in the fetch.
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
            by = 1.0
            if frame[0][c] == SIGNED:
                by = frame[1][0]
            elif frame[0][c] == SOC:
                by = frame[1][1]
            value = column[q] * by if len(column) else np.nan
            other = np.nan
            if i < before:
                other = s_values[c, i]
            elif len(column):
                other = column[source[i - before]] * by
            if value != other and not (np.isnan(value) and np.isnan(other)):
                equal = False
                break
        if equal:
            return REPEATED
        compared += 1
        if compared == _COMPARED:
            break
    return DIFFERING if compared else ALONE
