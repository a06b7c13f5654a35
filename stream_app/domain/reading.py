"""Windows and what their metrics read, by compiled passes over the assets.

:func:`current` puts lifetimes and open windows together, the rows that still wait counted in; :func:`read` reads every
metric of windows. Both are templates: :mod:`stream_app.domain.compilation` compiles them once ``add_waiting``,
``write_values`` and ``write_residues`` are written (:mod:`stream_app.domain.row_code`,
:mod:`stream_app.domain.value_code`).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray, IntArray
from stream_app.columns.compiled import compiled
from stream_app.domain.lines import (
    APPLIED,
    FIRST_US,
    HELD_ROWS,
    LAST_US,
    LEVEL_STRIDE,
    OPEN_NUMBER,
    SIZE_US,
    UNOPENED,
)
from stream_app.domain.value_code import COVERAGE, SEQ

#: Size of the window that never closes.
LIFETIME: Final = 0


def add_waiting(*_: Any) -> None:
    """Stand-in for what is generated."""
    raise NotImplementedError


write_values = write_residues = add_waiting


@compiled
def merge(out: FloatArray, a: FloatArray, b: FloatArray, kinds: IntArray) -> None:
    """Merge as ``np.add``, ``np.minimum`` and ``np.maximum`` do, to the bit: of two equal ones the second holds."""
    for x in range(len(kinds)):
        if kinds[x] == 0:
            out[x] = a[x] + b[x]
        elif kinds[x] == 1:
            out[x] = a[x] if a[x] < b[x] or np.isnan(a[x]) else b[x]
        else:
            out[x] = a[x] if a[x] > b[x] or np.isnan(a[x]) else b[x]


def current(
    slots: IntArray,
    fleet: tuple[IntArray, FloatArray],
    at: tuple[int, int, int, int, int],
    merging: tuple[IntArray, FloatArray, int],
    waiting: tuple[IntArray, IntArray, IntArray, IntArray, IntArray, IntArray, FloatArray],
    added: FloatArray,
    out: tuple[IntArray, FloatArray, BoolArray],
) -> None:
    """Write the windows of ``k`` assets that have rows: their lifetimes, then the open windows level by level.

    Parameters
    ----------
    added
        Room for one window's totals.
    out
        For each window slot, size, start and offset ``(4, n)``, totals ``(n, width)``, and whether it has rows.
    """
    width, life, first, _, _ = at
    kinds, identity, rows_at = merging
    start, count, _, _, waiting_us, _, waiting_values = waiting
    about, totals, has_rows = out
    k = len(slots)
    for i in range(k):
        slot = slots[i]
        line, numbers = fleet[0][slot], fleet[1][slot]
        low, n = start[slot], count[slot] - line[HELD_ROWS]
        values = waiting_values[low : low + n].T
        pane = numbers[first : first + width]
        counted = -1
        for w in range(i, len(has_rows), k):
            level = w // k - 1
            size_us, start_us, inside = LIFETIME, line[FIRST_US], n
            if level >= 0:
                size_us, number = line[SIZE_US + LEVEL_STRIDE * level], line[OPEN_NUMBER + LEVEL_STRIDE * level]
                if size_us == 0 or number == UNOPENED:
                    has_rows[w] = False
                    continue
                start_us = number * size_us
                while inside > 0 and waiting_us[low + inside - 1] >= start_us + size_us:
                    inside -= 1
            if inside != counted:  # mostly all, of every window
                added[:] = identity
                add_waiting(inside, n, values, added, numbers)
                counted = inside
            if level == 0:
                merge(totals[w], pane, added, kinds)
            else:
                begin = life if level < 0 else first + level * width
                merge(totals[w], numbers[begin : begin + width], pane, kinds)
                merge(totals[w], totals[w], added, kinds)
            has_rows[w] = level < 0 or totals[w, rows_at] > 0
            about[0, w], about[1, w], about[2, w], about[3, w] = slot, size_us, start_us, line[APPLIED]


def read(
    windows: tuple[IntArray, IntArray, IntArray, IntArray, FloatArray],
    specs: FloatArray,
    fleet: tuple[IntArray, FloatArray],
    stacks: tuple[IntArray, IntArray, IntArray, IntArray, FloatArray, IntArray],
    valid_at: int,
    closed: bool,
    residues: FloatArray,
    out: tuple[FloatArray, IntArray, FloatArray, IntArray],
) -> None:
    """Read every metric of ``w`` windows.

    Parameters
    ----------
    windows
        Slot, size, start, offset and totals of each.
    specs
        Their specs as lines, ``(w, fields)``.
    residues
        Room for the residues of all sequential states.
    out
        Time covered ``(w,)``, whole numbers ``(w, whole)``, numbers ``(w, numbers)``, reasons' codes ``(w, metrics)``.
    """
    slots, sizes_us, starts_us, seq, totals = windows
    integers, floats = fleet
    begin, _, _, _, items, lengths = stacks
    span_s, whole, numbers, codes = out
    residues[:] = 0.0
    for w in range(len(slots)):
        slot, size_us = slots[w], sizes_us[w]
        if closed:
            covered_us = size_us
        else:
            end_us = integers[slot, LAST_US]
            if size_us != LIFETIME:
                end_us = min(end_us, starts_us[w] + size_us)
            covered_us = end_us - starts_us[w]
        span_s[w] = covered_us / 1e6
        if size_us == LIFETIME:
            write_residues(floats[slot], items[begin[slot] :], lengths[slot], residues)
        valid_s, whole[w, SEQ] = totals[w, valid_at], seq[w]
        numbers[w, COVERAGE] = np.minimum(valid_s / span_s[w], 1.0) if span_s[w] > 0 else np.nan
        write_values(totals[w], span_s[w], specs[w], residues, numbers[w], whole[w], codes[w])
        if size_us == LIFETIME:
            residues[:] = 0.0
