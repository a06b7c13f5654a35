"""The walk: rows go through the domain asset by asset, in one compiled loop without intermediate columns.

For each asset of a fetch: its waiting rows and its new rows are put in order and get their durations
(:mod:`stream_app.domain.portion`), and are added to the open window (``add_rows``, which
:mod:`stream_app.domain.row_code` writes from the metrics' own expressions). Windows that time has passed go out, and on
into the larger windows and the lifetime (:mod:`stream_app.domain.passing`). A long segment is cut into portions, as if
it had come in several fetches: the result is the same bits.

:func:`walk` is a template: :mod:`stream_app.domain.compilation` compiles it once ``add_rows`` is written.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray, IntArray
from stream_app.columns.compiled import borrowing
from stream_app.columns.ragged import placed
from stream_app.domain.durations import RING
from stream_app.domain.lines import (
    FIRST_US,
    LAST_US,
    LEVEL_STRIDE,
    LEVELS,
    NEVER,
    OPEN_NUMBER,
    SIZE_US,
    WATERMARK_US,
)
from stream_app.domain.passing import NO_FLUSH, closing_offset, pass_level, pass_window
from stream_app.domain.portion import PORTION, keep_waiting, measure_durations, put_in_order, take_portion

_FOREVER: Final = np.iinfo(np.int64).max


def add_rows(*_: Any) -> int:
    """Stand-in for what is generated."""
    raise NotImplementedError


@borrowing
def load_stacks(
    slot: int, stacks: tuple[IntArray, IntArray, IntArray, IntArray, FloatArray, IntArray], work: FloatArray
) -> None:
    """Copy an asset's stacks to where the steps find them."""
    start, _, _, _, items, lengths = stacks
    at = start[slot]
    for x in range(len(work)):
        for i in range(lengths[slot, x]):
            work[x, i] = items[at]
            at += 1


@borrowing
def store_stacks(
    slot: int, stacks: tuple[IntArray, IntArray, IntArray, IntArray, FloatArray, IntArray], work: FloatArray
) -> None:
    """Copy an asset's stacks back."""
    start, count, room, used, items, lengths = stacks
    count[slot] = 0
    for x in range(len(work)):
        count[slot] += lengths[slot, x]
    at = placed(start, room, used, slot, count[slot])
    for x in range(len(work)):
        for i in range(lengths[slot, x]):
            items[at] = work[x, i]
            at += 1


def walk(  # noqa: PLR0912, PLR0915  # compiled as one: calls would hand some sixty arrays on
    place: IntArray,
    segments: tuple[IntArray, IntArray, IntArray, IntArray, IntArray],
    rows: tuple[IntArray, IntArray, tuple[FloatArray, ...]],
    fleet: tuple[IntArray, FloatArray],
    at: tuple[int, int, int, int, int],
    merging: tuple[IntArray, FloatArray, int],
    specs: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    frame: IntArray,
    waiting: tuple[IntArray, IntArray, IntArray, IntArray, IntArray, IntArray, FloatArray],
    stacks: tuple[IntArray, IntArray, IntArray, IntArray, FloatArray, IntArray],
    scratch: tuple[IntArray, IntArray, FloatArray, IntArray],
    arrivals: tuple[IntArray, IntArray, IntArray],
    timed: tuple[BoolArray, FloatArray, BoolArray, FloatArray, IntArray],
    boxes: tuple[IntArray, FloatArray, IntArray, FloatArray, FloatArray, BoolArray, IntArray, IntArray, FloatArray],
    work: tuple[FloatArray, FloatArray, IntArray, IntArray],
    out: tuple[IntArray, FloatArray, IntArray],
    sorting: tuple[IntArray, IntArray, FloatArray],
    late: tuple[IntArray, IntArray],
    rule: tuple[int, int, int],
) -> bool:
    """Walk the segments on from ``place`` (segment, next row); False: room is to be made, then walk on."""
    touched, _, stops, order, applied = segments
    sign, soc_factor, nominal_s, max_gap_s, rest_a = specs
    lateness_us, flush_seq, max_waiting = rule
    width, _, first, ring, period = at
    work_stacks, events, points, depths = work
    s_time_us = scratch[0]
    _, dt_s, valid, gap_s, time_us = timed
    flush = flush_seq != NO_FLUSH
    k = place[0]
    while k < len(touched):
        slot = touched[k]
        place[0] = k
        most = waiting[1][slot] + PORTION
        if (
            most > len(s_time_us)
            or waiting[3][0] + 2 * most > len(waiting[4])
            or out[2][0] + LEVELS * (most + 1) > len(out[0])
            or stacks[3][0] + 2 * work_stacks.size > len(stacks[4])
        ):
            return False
        line, state = fleet[0][slot], fleet[1][slot]
        known, new, disordered = take_portion(
            slot,
            place,
            (applied[k], stops[k]),
            order,
            rows,
            line,
            (sign[slot], soc_factor[slot]),
            frame,
            waiting,
            scratch,
            arrivals,
            late,
            rule,
        )
        if known and (new or flush):
            if disordered:
                put_in_order(known, scratch, sorting)
            crowded = s_time_us[known - max_waiting] if known > max_waiting else NEVER
            mark_us = max(line[WATERMARK_US], s_time_us[known - 1] - lateness_us, crowded)
            used, known_from = measure_durations(
                known,
                s_time_us,
                line,
                (state[ring : ring + RING], state[period : period + 1]),
                (mark_us, nominal_s[slot], max_gap_s[slot], flush),
                timed,
                boxes,
            )
            if line[FIRST_US] == NEVER or s_time_us[0] < line[FIRST_US]:
                line[FIRST_US] = s_time_us[0]
            line[LAST_US], line[WATERMARK_US] = s_time_us[known - 1], mark_us
            closing = (known, known_from, scratch, arrivals, new, lateness_us, flush_seq)
            load_stacks(slot, stacks, work_stacks)
            for x in range(len(depths)):
                depths[x] = stacks[5][slot, x] // points[x]
            i, size_us = 0, line[SIZE_US]
            while i < used:
                number = time_us[i] // size_us
                if number != line[OPEN_NUMBER]:
                    pass_window(slot, number, line, state, at, merging, out, closing)
                i = add_rows(
                    i,
                    used,
                    number * size_us,
                    (number + 1) * size_us,
                    known,
                    (time_us, dt_s, valid, gap_s, scratch[2]),
                    rest_a[slot],
                    state[first : first + width],
                    state,
                    work_stacks,
                    depths,
                    events,
                )
            for x in range(len(depths)):
                stacks[5][slot, x] = depths[x] * points[x]
            store_stacks(slot, stacks, work_stacks)
            now_us = s_time_us[used] if used < known else _FOREVER if flush else 0
            if now_us // size_us != line[OPEN_NUMBER]:
                pass_window(slot, now_us // size_us, line, state, at, merging, out, closing)
            for level in range(1, LEVELS):
                level_us = line[SIZE_US + LEVEL_STRIDE * level]
                if level_us == 0:
                    break
                number = line[OPEN_NUMBER + LEVEL_STRIDE * level]
                if now_us // level_us != number:
                    end_us = (number + 1) * level_us
                    seq = closing_offset(end_us, known, known_from, scratch, arrivals, new, lateness_us, flush_seq)
                    pass_level(slot, level, now_us // level_us, line, state, at, seq, merging, out)
            keep_waiting(slot, (used, known), waiting, scratch)
        if place[1] >= stops[k]:
            k += 1
            if k < len(touched):
                place[1] = segments[1][k]
    place[0] = k
    return True
