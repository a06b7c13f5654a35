"""Numbers of what repeats: each distinct value once, and which one stands where."""

from __future__ import annotations

import numpy as np

from stream_app.columns.arrays import IntArray


def numbered(values: IntArray) -> tuple[list[int], IntArray]:
    """Distinct values by first appearance, and the position of each value among them, shape ``(n,)``.

    >>> distinct, which = numbered(np.array([7, 5, 7]))
    >>> distinct, which.tolist()
    ([7, 5], [0, 1, 0])
    """
    places: dict[int, int] = {}
    which = [places.setdefault(value, len(places)) for value in values.tolist()]
    return list(places), np.array(which, np.int64)
