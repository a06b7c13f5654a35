"""A portion of an asset's rows on their walk: what waited and what is new, in order, with its durations.

A portion stays in the processor's cache. ``scratch`` holds it: stamps ``(n,)``, source offsets ``(n,)``, readings
``(columns, n)``, and up to where each column of readings is known to be blank. ``arrivals`` holds the new rows in
the order of their arrival: the asset's watermark then, the source offset, and where the row stands in the fetch.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray, IntArray
from stream_app.columns.compiled import borrowing
from stream_app.columns.ragged import placed
from stream_app.columns.segments import sort_stamps
from stream_app.domain.durations import RING, measure_groups, remember_step, silent_limit_s
from stream_app.domain.lateness import CAP_US, FIRST_SPAN_US, LEARNED, ORDERED_ROWS, lateness_us
from stream_app.domain.leaps import LEAP_US, leap_limit_us, refuse_held
from stream_app.domain.lines import (
    APPLIED,
    DIFFERING_ROWS,
    FIRST_US,
    HELD_ROWS,
    LAST_US,
    LATE_ROWS,
    NEVER,
    REPEATED_ROWS,
    STEP_COUNT,
    UNORDERED_ROWS,
    WATERMARK_US,
)
from stream_app.domain.repeats import ALONE, DIFFERING, REPEATED, SIGNED, SOC, relation

#: New rows of an asset at a time.
PORTION: Final = 512
#: Why a row is refused: it is behind what may still come, or ahead of what its record allows.
LATE, AHEAD = range(2)


@borrowing
def take_portion(  # noqa: PLR0912, PLR0915  # compiled as one: what a row needs is at hand
    slot: int,
    place: IntArray,
    segment: tuple[int, int],
    order: IntArray,
    rows: tuple[IntArray, IntArray, tuple[FloatArray, ...], IntArray],
    line: IntArray,
    scale: tuple[float, float],
    frame: IntArray,
    limits: tuple[float, float, float, bool],
    waiting: tuple[IntArray, IntArray, IntArray, IntArray, IntArray, IntArray, FloatArray],
    scratch: tuple[IntArray, IntArray, FloatArray, IntArray],
    arrivals: tuple[IntArray, IntArray, IntArray],
    refused: tuple[IntArray, IntArray, IntArray],
    leaps: tuple[IntArray, FloatArray, IntArray],
    rule: tuple[int, int],
) -> tuple[int, int, bool]:
    """Copy waiting rows and the next portion of new ones; how many there are, and how many are new.

    ``place[1]`` is the next new row, ``segment`` the offset that the state included before the fetch and the row after
    the last. ``limits`` are nominal period, gap limit and measured period, and whether repeated rows are left out.
    Refused rows are noted and left out. The third result says whether rows came out of order.

    A row that leaps, or that decides on a leap, begins a portion: then all that can be settled before it is.
    """
    applied, stop = segment
    time_us, offset, columns, latest_us = rows
    start, count, _, _, waiting_us, waiting_offset, waiting_values = waiting
    s_time_us, s_offset, s_values, blank = scratch
    marks_us, new_offset, source = arrivals
    nominal_s, max_gap_s, period_s, drops = limits
    before = count[slot]
    for i in range(before):
        at = start[slot] + i
        s_time_us[i], s_offset[i] = waiting_us[at], waiting_offset[at]
        for c in range(len(columns)):
            value = waiting_values[at, c]
            if i >= blank[c] or not np.isnan(value):
                s_values[c, i] = value
                blank[c] = min(blank[c], i)
    fixed_us, max_waiting = rule
    portion = PORTION if fixed_us == 0 else min(PORTION, max(1, max_waiting - before))
    is_checked, learns = len(latest_us) > 0, fixed_us == LEARNED
    newest, mark, unordered, held = line[LAST_US], line[WATERMARK_US], line[UNORDERED_ROWS], line[HELD_ROWS]
    late_us = lateness_us(fixed_us, unordered)
    if newest != NEVER:
        mark = max(mark, newest - late_us)
    held_us = s_time_us[before - 1] if held else NEVER
    first_us = line[FIRST_US]
    j, new, disordered = place[1], 0, False
    while j < stop and new < portion:
        q = order[j]
        stamp, is_held, is_behind = time_us[q], False, time_us[q] < newest
        if offset[q] <= applied:
            j += 1
            continue
        is_ahead = is_checked and stamp > latest_us[q]
        if learns and is_behind and newest - stamp <= CAP_US:
            unordered, late_us = ORDERED_ROWS, CAP_US
        if is_ahead or stamp < mark:
            at = refused[2][0]
            refused[0][at], refused[1][at] = q, AHEAD if is_ahead else LATE
            refused[2][0] += 1
            line[LATE_ROWS] += 1
            line[APPLIED] = offset[q]
            j += 1
            continue
        relates = ALONE
        if drops and (stamp <= newest or (held and stamp == held_us)):
            relates = relation(q, stamp, (before, new), columns, (frame, scale), scratch, source)
            if relates == REPEATED:
                line[REPEATED_ROWS] += 1
                line[APPLIED] = offset[q]
                j += 1
                continue
        if not is_behind and newest != NEVER and (held or stamp - newest > LEAP_US):
            if held and stamp == held_us and 2 * held < max_waiting:
                is_held = True
            elif new > 0:
                break
            else:
                limit_us = leap_limit_us(nominal_s, max_gap_s, period_s)
                leapt = stamp - newest > limit_us
                if held and (stamp >= held_us or (leapt and stamp >= held_us - late_us)):
                    newest = held_us
                    mark = max(mark, newest - late_us)
                elif held:
                    refuse_held(slot, (before - held, before), newest, scratch, leaps)
                    line[LATE_ROWS] += held
                    before -= held
                held = 0
                is_held = stamp - newest > limit_us
                is_behind = stamp < newest
                if learns and is_behind:
                    unordered, late_us = ORDERED_ROWS, CAP_US
        if is_held:
            held_us = stamp
            held += 1
        else:
            if learns and unordered > 0:
                first_us = stamp if first_us == NEVER else min(first_us, stamp)
                if not is_behind and (unordered > 1 or stamp - first_us >= FIRST_SPAN_US):
                    unordered -= 1
                    late_us = lateness_us(fixed_us, unordered)
            disordered |= is_behind
            newest = max(newest, stamp)
            mark = max(mark, newest - late_us)
        line[DIFFERING_ROWS] += relates == DIFFERING
        line[APPLIED] = offset[q]
        s_time_us[before + new], s_offset[before + new] = stamp, offset[q]
        marks_us[new], new_offset[new], source[new] = mark, offset[q], q
        new += 1
        j += 1
    line[UNORDERED_ROWS] = unordered
    if new:
        line[LAST_US], line[WATERMARK_US], line[HELD_ROWS] = newest, mark, held
    place[1] = j
    for c in range(len(columns)):
        column, by = columns[c], 1.0
        if frame[c] == SIGNED:
            by = scale[0]
        elif frame[c] == SOC:
            by = scale[1]
        if len(column) == 0:
            for i in range(max(before, blank[c]), before + new):
                s_values[c, i] = np.nan
            if blank[c] >= before:
                blank[c] = max(blank[c], before + new)
            continue
        blank[c] = min(blank[c], before)
        if by == 1.0:
            for i in range(new):
                s_values[c, before + i] = column[source[i]]
        else:
            for i in range(new):
                s_values[c, before + i] = column[source[i]] * by
    return before + new, new, disordered


@borrowing
def put_in_order(
    known: int,
    scratch: tuple[IntArray, IntArray, FloatArray, IntArray],
    sorting: tuple[IntArray, IntArray, FloatArray],
) -> None:
    """Sort rows by event time; rows of one stamp stay in the order of arrival."""
    s_time_us, s_offset, s_values, blank = scratch
    order, spare, reading = sorting
    order, spare = sort_stamps(s_time_us, known, order, spare)
    for whole in (s_time_us, s_offset):
        for i in range(known):
            spare[i] = whole[order[i]]
        for i in range(known):
            whole[i] = spare[i]
    for c in range(len(s_values)):
        if blank[c] < known:
            for i in range(known):
                reading[i] = s_values[c, order[i]]
            for i in range(known):
                s_values[c, i] = reading[i]
            blank[c] = 0


@borrowing
def measure_durations(
    known: int,
    stamp_us: IntArray,
    line: IntArray,
    history: tuple[FloatArray, FloatArray],
    given: tuple[int, float, float, float, bool],
    timed: tuple[BoolArray, FloatArray, BoolArray, FloatArray, IntArray],
    boxes: tuple[
        IntArray, FloatArray, IntArray, FloatArray, FloatArray, FloatArray, BoolArray, IntArray, IntArray, FloatArray
    ],
) -> tuple[int, int]:
    """Give rows their durations; how many are settled, and the row before whose arrival nothing could be.

    Plain steps (a row a stamp, no gap) are taken here, from the first other group on :func:`measure_groups` takes over.
    """
    ring, period_s = history
    mark_us, nominal_s, max_gap_s, least_gap_s, flush = given
    settled, dt_s, valid, gap_s, time_us = timed
    b_steps, b_ring, b_mark, b_nominal, b_max_gap, b_least_gap, b_flush, b_known_from, b_start, window = boxes
    b_steps[0] = line[STEP_COUNT]
    for x in range(RING):
        b_ring[0, x] = ring[x]
    head, last_us, step_s, last_period_s, limit_s = 0, 0, 0.0, np.nan, 0.0
    while head + 1 < known:
        step_us = stamp_us[head + 1] - stamp_us[head]
        if step_us != last_us:  # a division takes longer than all the rest
            last_us, step_s = step_us, step_us / 1e6
        period = period_s[0] if np.isnan(nominal_s) else nominal_s
        if period != last_period_s:
            last_period_s, limit_s = period, silent_limit_s(period, max_gap_s, least_gap_s)
        if step_us == 0 or step_s > limit_s or stamp_us[head + 1] > mark_us:
            break
        dt_s[head], valid[head], gap_s[head], time_us[head] = step_s, True, 0.0, stamp_us[head]
        remember_step(0, step_s, b_steps, b_ring, period_s, window)
        head += 1
    used, known_from = head, 0
    if head + 1 < known or flush:
        b_mark[0], b_nominal[0], b_max_gap[0], b_least_gap[0] = mark_us, nominal_s, max_gap_s, least_gap_s
        b_flush[0], b_known_from[0] = flush, 0
        used += measure_groups(
            b_start,
            stamp_us[head:known],
            (b_steps, b_ring, period_s),
            (b_mark, b_nominal, b_max_gap, b_least_gap, b_flush),
            b_known_from,
            (settled[head:], dt_s[head:], valid[head:], gap_s[head:], time_us[head:]),
            window,
        )
        known_from = b_known_from[0] if head == 0 else 0
    line[STEP_COUNT] = b_steps[0]
    for x in range(RING):
        ring[x] = b_ring[0, x]
    return used, known_from


@borrowing
def keep_waiting(
    slot: int,
    rows: tuple[int, int],
    waiting: tuple[IntArray, IntArray, IntArray, IntArray, IntArray, IntArray, FloatArray],
    scratch: tuple[IntArray, IntArray, FloatArray, IntArray],
) -> None:
    """Keep the rows from one position up to another: their durations are not known yet."""
    start, count, room, used, waiting_us, waiting_offset, waiting_values = waiting
    s_time_us, s_offset, s_values, _ = scratch
    first, known = rows
    count[slot] = known - first
    at = placed(start, room, used, slot, count[slot])
    for i in range(first, known):
        waiting_us[at], waiting_offset[at] = s_time_us[i], s_offset[i]
        for c in range(len(s_values)):
            waiting_values[at, c] = s_values[c, i]
        at += 1
