"""The walk: rows go through the domain asset by asset, in one compiled loop without intermediate columns.

For each asset of a fetch: its waiting rows and its new rows are put in order and get their durations
(:mod:`stream_app.domain.portion`), and are added to the open window (``add_rows``, which
:mod:`stream_app.domain.row_code` writes from the metrics' own expressions). Windows that time has passed go out, and on
into the larger windows and the lifetime (:mod:`stream_app.domain.passing`). A long segment is cut into portions, as if
it had come in several fetches: the result is the same bits.

:func:`walk` is a template: :mod:`stream_app.domain.compilation` compiles it once ``add_rows`` is written.
"""

from __future__ import annotations

from typing import Any

from stream_app.columns.arrays import BoolArray, FloatArray, IntArray
from stream_app.columns.compiled import borrowing
from stream_app.columns.ragged import placed
from stream_app.domain.durations import RING
from stream_app.domain.lines import (
    FIRST_US,
    HELD_ROWS,
    LAST_US,
    LEVEL_STRIDE,
    LEVELS,
    NEVER,
    OPEN_NUMBER,
    SIZE_US,
    UNOPENED,
    WATERMARK_US,
)
from stream_app.domain.passing import NO_FLUSH, closing_offset, pass_level, pass_window
from stream_app.domain.portion import PORTION, keep_waiting, measure_durations, put_in_order, take_portion


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
    rows: tuple[IntArray, IntArray, tuple[FloatArray, ...], IntArray],
    fleet: tuple[IntArray, FloatArray],
    at: tuple[int, int, int, int, int],
    merging: tuple[IntArray, FloatArray, int],
    specs: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, BoolArray],
    frame: IntArray,
    waiting: tuple[IntArray, IntArray, IntArray, IntArray, IntArray, IntArray, FloatArray],
    stacks: tuple[IntArray, IntArray, IntArray, IntArray, FloatArray, IntArray],
    scratch: tuple[IntArray, IntArray, FloatArray, IntArray],
    arrivals: tuple[IntArray, IntArray, IntArray],
    timed: tuple[BoolArray, FloatArray, BoolArray, FloatArray, IntArray],
    boxes: tuple[
        IntArray, FloatArray, IntArray, FloatArray, FloatArray, FloatArray, BoolArray, IntArray, IntArray, FloatArray
    ],
    work: tuple[FloatArray, FloatArray, IntArray, IntArray],
    out: tuple[IntArray, FloatArray, IntArray],
    leaps: tuple[IntArray, FloatArray, IntArray],
    sorting: tuple[IntArray, IntArray, FloatArray],
    refused: tuple[IntArray, IntArray, IntArray],
    rule: tuple[int, int, int, int],
) -> bool:
    """Walk the segments on from ``place`` (segment, next row); False: room is to be made, then walk on."""
    touched, _, stops, order, applied = segments
    sign, soc_factor, nominal_s, max_gap_s, least_gap_s, drops = specs
    fixed_us, flush_seq, max_waiting, until_us = rule
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
            or leaps[2][0] + most > len(leaps[0])
            or stacks[3][0] + 2 * work_stacks.size > len(stacks[4])
        ):
            return False
        line, state = fleet[0][slot], fleet[1][slot]
        before_us = line[WATERMARK_US]
        known, new, disordered = take_portion(
            slot,
            place,
            (applied[k], stops[k]),
            order,
            rows,
            line,
            (sign[slot], soc_factor[slot]),
            frame,
            (nominal_s[slot], max_gap_s[slot], state[period], drops[slot]),
            waiting,
            scratch,
            arrivals,
            refused,
            leaps,
            (fixed_us, max_waiting),
        )
        if new and known == line[HELD_ROWS]:
            keep_waiting(slot, (0, known), waiting, scratch)
        elif (known and new) or (flush and line[LAST_US] != NEVER):
            if disordered:
                put_in_order(known, scratch, sorting)
            if flush and line[HELD_ROWS] and s_time_us[known - 1] < until_us:  # nothing has come that refuses them
                line[LAST_US], line[HELD_ROWS] = s_time_us[known - 1], 0
            if known > max_waiting:
                line[WATERMARK_US] = max(line[WATERMARK_US], s_time_us[known - max_waiting])
            has_settled = state[at[1] + merging[2]] + state[first + merging[2]] > 0
            # Else the first row that waits is at most as new as the watermark, which has settled the row before it.
            early = has_settled and known > 0 and s_time_us[0] > before_us
            mark_us = line[WATERMARK_US]
            counted = known - line[HELD_ROWS]
            used, known_from = measure_durations(
                counted,
                s_time_us,
                line,
                (state[ring : ring + RING], state[period : period + 1]),
                (mark_us, nominal_s[slot], max_gap_s[slot], least_gap_s[slot], flush),
                timed,
                boxes,
            )
            if known and (line[FIRST_US] == NEVER or s_time_us[0] < line[FIRST_US]):
                line[FIRST_US] = s_time_us[0]
            closing = (counted, known_from, scratch, arrivals, new, flush_seq, early)
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
                    counted,
                    (time_us, dt_s, valid, gap_s, scratch[2]),
                    state[first : first + width],
                    state,
                    work_stacks,
                    depths,
                    events,
                )
            for x in range(len(depths)):
                stacks[5][slot, x] = depths[x] * points[x]
            store_stacks(slot, stacks, work_stacks)
            now_us = s_time_us[used] if used < counted else until_us if flush else 0
            if flush and line[OPEN_NUMBER] != UNOPENED:  # rows that share a stamp may be spread beyond the time
                now_us = max(now_us, line[OPEN_NUMBER] * size_us)
            elif early and used == 0:
                now_us = min(now_us, mark_us)
            if now_us // size_us != line[OPEN_NUMBER]:
                pass_window(slot, now_us // size_us, line, state, at, merging, out, closing)
            for level in range(1, LEVELS):
                level_us = line[SIZE_US + LEVEL_STRIDE * level]
                if level_us == 0:
                    break
                number = line[OPEN_NUMBER + LEVEL_STRIDE * level]
                if now_us // level_us != number:
                    end_us = (number + 1) * level_us
                    seq = closing_offset(end_us, counted, known_from, scratch, arrivals, new, flush_seq, early)
                    pass_level(slot, level, now_us // level_us, line, state, at, seq, merging, out)
            keep_waiting(slot, (used, known), waiting, scratch)
        if place[1] >= stops[k]:
            k += 1
            if k < len(touched):
                place[1] = segments[1][k]
    place[0] = k
    return True
