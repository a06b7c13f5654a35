"""Rows that leap ahead of their asset's newest stamp: held until a later row confirms them, or until time goes back.

A held row waits like others, the last by its stamp, but moves neither the newest stamp nor the watermark. All held rows
of an asset share one stamp.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import borrowing
from stream_app.domain.durations import gap_limit_s

#: A shorter step is no leap, whatever the period.
LEAP_US: Final = 3_600_000_000
#: Of a refused row: slot, stamp, source offset, and the asset's newest stamp then.
ABOUT: Final = 4


@borrowing
def leap_limit_us(nominal_s: float, max_gap_s: float, period_s: float) -> int:
    """Longest step that is no leap: the asset's gap limit, at least an hour."""
    period = period_s if np.isnan(nominal_s) else nominal_s
    return max(LEAP_US, int(gap_limit_s(period, max_gap_s, 0.0) * 1e6))


@borrowing
def refuse_held(
    slot: int,
    rows: tuple[int, int],
    newest_us: int,
    scratch: tuple[IntArray, IntArray, FloatArray, IntArray],
    out: tuple[IntArray, FloatArray, IntArray],
) -> None:
    """Hand the held rows out, which stand from one position up to another."""
    about, values, used = out
    for i in range(rows[0], rows[1]):
        at = used[0]
        about[at, 0], about[at, 1], about[at, 2], about[at, 3] = slot, scratch[0][i], scratch[1][i], newest_us
        for c in range(len(scratch[2])):
            values[at, c] = scratch[2][c, i]
        used[0] += 1
