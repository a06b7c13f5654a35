"""What is kept of an asset, as one line of whole numbers and one of floats; columns have names, positions are fixed.

Both stay one contiguous array of shape ``(assets, width)``: an accessor such as ``integers.last_us`` is a view of it.
Floats are as wide as the fleet's assets need: a pane of 1.1 kB for each level of windows that one of them has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.asset import MAX_WINDOW_SIZES
from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.domain.durations import HISTORY
from stream_app.domain.fields import Layout
from stream_app.domain.lateness import FIRST_ROWS
from stream_app.domain.sequential import SequentialState

#: Window sizes that an asset may have.
LEVELS: Final = MAX_WINDOW_SIZES
#: Stamps of an asset without rows.
NEVER: Final = np.iinfo(np.int64).min
#: Number of an open window that no row has opened yet.
UNOPENED: Final = NEVER
#: Places of the whole numbers; of each level the two last ones follow, :data:`LEVEL_STRIDE` apart.
APPLIED, FIRST_US, LAST_US, WATERMARK_US, LATE_ROWS, STEP_COUNT = range(6)
UNORDERED_ROWS, HELD_ROWS, REPEATED_ROWS, DIFFERING_ROWS, OPEN_NUMBER, SIZE_US = range(6, 12)
LEVEL_STRIDE: Final = 2


class _Column:
    """A column of the whole numbers, or every second one: shape ``(assets,)`` or ``(assets, levels)``."""

    def __init__(self, at: int | slice) -> None:
        self._at = at

    def __get__(self, lines: Integers, _: type[Integers]) -> IntArray:
        return lines.array[:, self._at]


class Integers:
    """Whole numbers of the assets, ``array`` of shape ``(assets, WIDTH)``.

    ``NAMES`` come first, then ``LEVEL_NAMES`` of each level, so what an asset with few levels needs is a prefix.
    """

    NAMES = (
        "applied_offset",
        "first_us",
        "last_us",
        "watermark_us",
        "late_rows",
        "step_count",
        "unordered_rows",
        "held_rows",
        "repeated_rows",
        "differing_rows",
    )
    LEVEL_NAMES = ("open_number", "size_us")
    WIDTH: Final = len(NAMES) + LEVELS * len(LEVEL_NAMES)

    #: Last source offset that the state includes; -1 before the first.
    applied_offset = _Column(APPLIED)
    #: Stamps of the first and the newest row; NEVER before there is one.
    first_us, last_us = _Column(FIRST_US), _Column(LAST_US)
    #: No row before this is taken any more.
    watermark_us = _Column(WATERMARK_US)
    #: Rows that were refused for their stamps.
    late_rows = _Column(LATE_ROWS)
    #: Steps that the history of steps has seen.
    step_count = _Column(STEP_COUNT)
    #: Rows that must still come in order until the asset counts as one in order.
    unordered_rows = _Column(UNORDERED_ROWS)
    #: Of the waiting rows the last ones, which leapt and are not confirmed yet.
    held_rows = _Column(HELD_ROWS)
    #: Rows that repeated another one and were left out; rows that differed from all others of their stamp.
    repeated_rows, differing_rows = _Column(REPEATED_ROWS), _Column(DIFFERING_ROWS)
    #: Of each level: number (start / size) of its open window, and its size; 0: the asset has no such level.
    open_number, size_us = (
        _Column(slice(OPEN_NUMBER, WIDTH, LEVEL_STRIDE)),
        _Column(slice(SIZE_US, WIDTH, LEVEL_STRIDE)),
    )

    def __init__(self) -> None:
        self.array: IntArray = np.zeros((0, self.WIDTH), np.int64)
        self.blank = np.zeros(self.WIDTH, np.int64)
        self.blank[:4] = -1, NEVER, NEVER, NEVER
        self.blank[UNORDERED_ROWS] = FIRST_ROWS
        self.blank[len(self.NAMES) :: 2] = UNOPENED

    def grow(self, assets: int, used: int) -> None:
        """Make room for ``assets`` assets; of the present lines ``used`` are kept."""
        self.array = _with_room(self.array[:used], assets)

    @classmethod
    def used(cls, levels: int) -> int:
        """How long the prefix is that an asset with so many levels needs."""
        return len(cls.NAMES) + levels * len(cls.LEVEL_NAMES)


class Floats:
    """Numbers of the assets, ``array`` of shape ``(assets, width)``.

    A line holds the carry, the history of steps, the sequential states, the lifetime's totals and the totals of each
    level's open window, in this order: a line with more levels has all else in the same places.

    Parameters
    ----------
    layout
        What a pane keeps.
    carried
        How many readings are carried from row to row.
    states
        The sequential states.
    levels
        Levels that a line has room for at first; one at least.
    """

    def __init__(self, layout: Layout, carried: int, states: Sequence[SequentialState], levels: int = 1) -> None:
        self._width = 0
        self._carry = self._take(carried)
        self._history = [self._take(width) for _, width in HISTORY]
        self._states = {type(state): self._take(state.width) for state in states}
        self._life = self._take(layout.width)
        self._pane = layout.empty(1)[:, 0]
        rest = np.full(self._life.start, np.nan)
        rest[self._history[0]] = 0.0
        for state in states:
            rest[self._states[type(state)]] = state.start()
        #: Levels that a line has room for.
        self.levels = max(levels, 1)
        self.blank = np.concatenate([rest, *[self._pane] * (1 + self.levels)])
        self.array: FloatArray = np.zeros((0, len(self.blank)))

    def _take(self, width: int) -> slice:
        self._width += width
        return slice(self._width - width, self._width)

    def grow(self, assets: int, used: int) -> None:
        """Make room for ``assets`` assets; of the present lines ``used`` are kept."""
        self.array = _with_room(self.array[:used], assets)

    def widen(self, levels: int, used: int) -> None:
        """See to room for so many levels; of the present lines ``used`` are kept."""
        if levels > self.levels:
            more = np.tile(self._pane, levels - self.levels)
            self.blank, before = np.append(self.blank, more), self.array
            self.array = np.empty((len(before), len(self.blank)))
            self.array[:used, : before.shape[1]], self.array[:used, before.shape[1] :] = before[:used], more
            self.levels = levels

    @property
    def life(self) -> FloatArray:
        """Totals of the lifetimes, but for the open smallest windows, ``(assets, pane)``."""
        return self.array[:, self._life]

    def level(self, level: int) -> FloatArray:
        """Totals of a level's open windows, ``(assets, pane)``; of one that lines have room for."""
        begin, pane = self._life.stop, len(self._pane)
        return self.array[:, begin + level * pane : begin + (level + 1) * pane]

    @property
    def carry(self) -> FloatArray:
        """Readings of the rows before, ``(assets, carried)``."""
        return self.array[:, self._carry]

    @property
    def steps_s(self) -> FloatArray:
        """The last steps, ``(assets, ring)``."""
        return self.array[:, self._history[0]]

    @property
    def period_s(self) -> FloatArray:
        """The measured periods, ``(assets,)``."""
        return self.array[:, self._history[1].start]

    def state(self, state: type[SequentialState]) -> FloatArray:
        """A sequential state, ``(assets, width)``."""
        return self.array[:, self._states[state]]

    @property
    def places(self) -> tuple[int, int, int, int, int]:
        """Where lifetime, smallest open window, steps and period begin in a line, after the width of a pane."""
        steps_s, period_s = self._history
        return len(self._pane), self._life.start, self._life.stop, steps_s.start, period_s.start

    @property
    def carry_at(self) -> int:
        """Where the carry begins in a line."""
        return int(self._carry.start)

    def state_at(self, state: type[SequentialState]) -> slice:
        """Where a sequential state stands in a line."""
        return self._states[state]

    @property
    def rest(self) -> int:
        """How much stands before the totals."""
        return int(self._life.start)


def _with_room(lines: NDArray[Any], count: int) -> NDArray[Any]:
    """The lines and room for more, up to ``count``; what is not written to takes no memory yet."""
    grown = np.empty((count, *lines.shape[1:]), lines.dtype)
    grown[: len(lines)] = lines
    return grown
