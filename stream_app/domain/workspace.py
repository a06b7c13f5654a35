"""Arrays that a walk works in, kept from one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.domain.durations import MEDIAN_OF, RING
from stream_app.domain.leaps import ABOUT
from stream_app.domain.lines import LEVELS
from stream_app.domain.portion import PORTION
from stream_app.domain.sequential import SequentialState

_ABOUT = 5  # level, slot, size, start and offset of a window that was closed
_FIRST_WINDOWS = 4096


class Workspace:
    """Room for the rows of one asset at a time, and for the windows that they close.

    Parameters
    ----------
    width
        Totals of a window.
    columns
        Readings of a row.
    sequential
        States whose stacks and events need room.
    """

    def __init__(self, width: int, columns: int, sequential: Sequence[SequentialState]) -> None:
        self._width, self._columns = width, columns
        points = np.array([state.point for state in sequential], np.int64)
        deepest = max((state.point * state.points for state in sequential), default=0)
        events = (
            max((len(state.event) for state in sequential), default=0),
            max((s.points for s in sequential), default=0),
        )
        stacks = np.empty((len(points), deepest))
        self._work: tuple[Any, ...] = (stacks, np.empty(events), points, np.zeros(len(points), np.int64))
        #: Of one asset: count of steps, ring, watermark, nominal period, gap limits, flush, first row, start; a median.
        self._boxes: tuple[Any, ...] = (
            np.zeros(1, np.int64),
            np.zeros((1, RING)),
            np.zeros(1, np.int64),
            np.zeros(1),
            np.zeros(1),
            np.zeros(1),
            np.zeros(1, np.bool_),
            np.zeros(1, np.int64),
            np.zeros(1, np.int64),
            np.empty(MEDIAN_OF),
        )
        self._arrivals = tuple(np.empty(PORTION, np.int64) for _ in range(3))
        self._used = np.zeros(1, np.int64)
        self._rows: tuple[Any, ...] = ()
        self._timed: tuple[Any, ...] = ()
        self._leaps: tuple[Any, ...] = (np.empty((0, ABOUT), np.int64), np.empty((0, columns)), np.zeros(1, np.int64))
        self._sorting: tuple[Any, ...] = ()
        self._out: tuple[Any, ...] = (np.empty((0, _ABOUT), np.int64), np.empty((0, width)), self._used)
        #: Numbers that all stacks of an asset hold at most.
        self.stacked = int(stacks.size)
        self.reserve(1)

    def reserve(self, waiting: int) -> int:
        """See to room for an asset's waiting rows and a portion of new ones; how many that are."""
        rows = waiting + PORTION
        if not self._rows or rows > len(self._rows[0]):
            n = 2 * rows
            readings, blank = np.empty((self._columns, n)), np.zeros(self._columns, np.int64)
            self._rows = (np.empty(n, np.int64), np.empty(n, np.int64), readings, blank)
            self._timed = (
                np.zeros(n, np.bool_),
                np.empty(n),
                np.empty(n, np.bool_),
                np.empty(n),
                np.empty(n, np.int64),
            )
            self._sorting = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n)
        if rows > len(self._leaps[0]):
            n = 2 * rows
            self._leaps = np.empty((n, ABOUT), np.int64), np.empty((n, self._columns)), self._leaps[2]
        windows = max(_FIRST_WINDOWS, LEVELS * (rows + 1))
        if windows > len(self._out[0]):
            self._out = (np.empty((windows, _ABOUT), np.int64), np.empty((windows, self._width)), self._used)
        return rows

    def arrays(self) -> tuple[Any, ...]:
        """The arguments of the walk: rows, arrivals, durations, values, stacks, closed windows, leaps, room to sort."""
        work = self._timed, self._boxes, self._work, self._out, self._leaps, self._sorting
        return self._rows, self._arrivals, *work

    def closed(self) -> tuple[IntArray, FloatArray] | None:
        """Take the windows that were closed: what they are, and their totals ``(windows, width)``; None: none were.

        They stand where the next walk puts its own.
        """
        n = int(self._used[0])
        self._used[0] = 0
        return (self._out[0][:n], self._out[1][:n]) if n else None

    def refused(self) -> tuple[IntArray, FloatArray] | None:
        """Take the rows that leapt and were refused: what they are, and their readings ``(n, columns)``; None: none."""
        n = int(self._leaps[2][0])
        self._leaps[2][0] = 0
        return (self._leaps[0][:n].copy(), self._leaps[1][:n].copy()) if n else None
