"""Numbers of what repeats: each distinct value once, and which one stands where."""

from __future__ import annotations

from typing import Final

import numpy as np

from stream_app.columns.arrays import IntArray
from stream_app.columns.compiled import compiled

#: Spreads values that follow each other over a table: 2^32 by the golden ratio.
_FACTOR: Final = 2_654_435_769


def numbered(values: IntArray) -> tuple[list[int], IntArray]:
    """Distinct values by first appearance, and the position of each value among them, shape ``(n,)``.

    >>> distinct, which = numbered(np.array([7, 5, 7]))
    >>> distinct, which.tolist()
    ([7, 5], [0, 1, 0])
    """
    n = len(values)
    distinct, which, table = np.empty(n, np.int64), np.empty(n, np.int64), np.zeros(2 << n.bit_length(), np.int64)
    count = _number(np.ascontiguousarray(values), distinct, which, table)
    return distinct[:count].tolist(), which


@compiled
def _number(values: IntArray, distinct: IntArray, which: IntArray, table: IntArray) -> int:
    """Number values by a table, at least twice as long, whose entries are numbers from 1 on; how many are distinct."""
    count, last = 0, len(table) - 1
    for i in range(len(values)):
        at = (values[i] * _FACTOR >> 16) & last
        while table[at] and distinct[table[at] - 1] != values[i]:
            at = (at + 1) & last
        if not table[at]:
            distinct[count] = values[i]
            count += 1
            table[at] = count
        which[i] = table[at] - 1
    return count
