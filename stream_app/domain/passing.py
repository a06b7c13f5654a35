"""Open windows on a walk: left when time has passed them, handed out, and folded into the larger ones."""

from __future__ import annotations

from typing import Final

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import borrowing
from stream_app.columns.segments import first_at_or_after
from stream_app.domain.lines import LEVEL_STRIDE, LEVELS, OPEN_NUMBER, SIZE_US

#: As ``flush_seq``: more rows may come.
NO_FLUSH: Final = -1


@borrowing
def closing_offset(
    end_us: int,
    known: int,
    known_from: int,
    scratch: tuple[IntArray, IntArray, FloatArray, IntArray],
    arrivals: tuple[IntArray, IntArray, IntArray],
    new: int,
    flush_seq: int,
    early: bool,
) -> int:
    """Source offset that closes a window that ends then.

    It is the first arrival at which no row before the first stamp at or after the window's end could come any more; not
    before that stamp had itself arrived, nor before anything of the asset could be settled. Rows that are settled early
    for want of room close it by the newest row. If a control has settled all rows before these (``early``), the window
    waits for none of them: it closes when no row before its end could come any more.
    """
    if flush_seq != NO_FLUSH:
        return flush_seq
    stamp_us, offset, _, _ = scratch
    marks_us, new_offset, _ = arrivals
    if early and stamp_us[0] >= end_us:
        return int(new_offset[min(first_at_or_after(marks_us, 0, new, end_us), new - 1)])
    at = min(first_at_or_after(stamp_us, known_from, known, end_us), known - 1)
    arrival = first_at_or_after(marks_us, 0, new, stamp_us[at])
    if stamp_us[at] < end_us:
        arrival = new - 1
    return int(max(new_offset[min(arrival, new - 1)], offset[at], offset[known_from]))


@borrowing
def _fold(into: FloatArray, totals: FloatArray, kinds: IntArray) -> None:
    """Merge a window's totals."""
    for x in range(len(kinds)):
        if kinds[x] == 0:
            into[x] += totals[x]
        elif kinds[x] == 1:
            into[x] = min(into[x], totals[x])
        else:
            into[x] = max(into[x], totals[x])


@borrowing
def _put_out(
    slot: int,
    level: int,
    line: IntArray,
    totals: FloatArray,
    seq: int,
    out: tuple[IntArray, FloatArray, IntArray],
) -> None:
    """Hand a passed window out."""
    about, out_totals, used = out
    size_us = line[SIZE_US + LEVEL_STRIDE * level]
    at = used[0]
    about[at, 0], about[at, 1], about[at, 2], about[at, 3], about[at, 4] = (
        level,
        slot,
        size_us,
        line[OPEN_NUMBER + LEVEL_STRIDE * level] * size_us,
        seq,
    )
    for x in range(len(totals)):
        out_totals[at, x] = totals[x]
    used[0] += 1


@borrowing
def pass_level(
    slot: int,
    level: int,
    number: int,
    line: IntArray,
    state: FloatArray,
    at: tuple[int, int, int, int, int],
    seq: int,
    merging: tuple[IntArray, FloatArray, int],
    out: tuple[IntArray, FloatArray, IntArray],
) -> None:
    """Hand a level's open window out, if it has rows, and open the one with the given number."""
    width, _, first, _, _ = at
    _, identity, rows_at = merging
    totals = state[first + level * width : first + (level + 1) * width]
    if totals[rows_at] > 0:
        _put_out(slot, level, line, totals, seq, out)
    for x in range(width):
        totals[x] = identity[x]
    line[OPEN_NUMBER + LEVEL_STRIDE * level] = number


@borrowing
def pass_window(
    slot: int,
    number: int,
    line: IntArray,
    state: FloatArray,
    at: tuple[int, int, int, int, int],
    merging: tuple[IntArray, FloatArray, int],
    out: tuple[IntArray, FloatArray, IntArray],
    closing: tuple[
        int,
        int,
        tuple[IntArray, IntArray, FloatArray, IntArray],
        tuple[IntArray, IntArray, IntArray],
        int,
        int,
        bool,
    ],
) -> None:
    """Leave the smallest open window for the one with the given number; its totals go on into the larger ones."""
    width, life, first, _, _ = at
    kinds, _, rows_at = merging
    known, known_from, scratch, arrivals, new, flush_seq, early = closing
    totals = state[first : first + width]
    seq = 0
    if totals[rows_at] > 0:
        start_us = line[OPEN_NUMBER] * line[SIZE_US]
        for level in range(1, LEVELS):
            size_us = line[SIZE_US + LEVEL_STRIDE * level]
            if size_us == 0:
                break
            own, there = line[OPEN_NUMBER + LEVEL_STRIDE * level], start_us // size_us
            if own != there:
                end_us = (own + 1) * size_us
                seq = closing_offset(end_us, known, known_from, scratch, arrivals, new, flush_seq, early)
                pass_level(slot, level, there, line, state, at, seq, merging, out)
            _fold(state[first + level * width : first + (level + 1) * width], totals, kinds)
        _fold(state[life : life + width], totals, kinds)
        end_us = start_us + line[SIZE_US]
        seq = closing_offset(end_us, known, known_from, scratch, arrivals, new, flush_seq, early)
    pass_level(slot, 0, number, line, state, at, seq, merging, out)
