"""How long each reading held: event time from stamps that may repeat, be cut to the minute, or stop for hours.

A reading holds until the next one (left-hold). Rows that share a stamp were taken between it and the next stamp, so
they spread evenly over that time. A longer step than the gap limit is a gap: nobody knows what happened there, so it
counts for nothing. The limit is the spec's, else ten nominal periods and at least the time for which its readings hold;
the nominal period is the spec's, else the median of the last steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray, IntArray
from stream_app.columns.compiled import borrowing, inlined

#: The running median looks back this far; odd, so that it is one of the steps seen.
MEDIAN_OF = 15
#: Ring that holds them: a power of two, so that a place is a mask away.
RING = 16
GAP_PERIODS = 10.0
#: After steps that were all as long as usual, so many periods without a reading are a gap even if they are few minutes.
SILENT_PERIODS = 60.0
#: Of assets that report when something changes, silence says that nothing has changed.
MOST_SILENT_S = 900.0
#: A stamp repeated more often than this is a stuck clock: the older rows are settled without duration.
MAX_PER_STAMP = 4096
#: Gap limit while no period is known: the first step of hourly data is no gap.
FIRST_GAP_S = 3600.0
#: What the history keeps of an asset beside its count of steps: name and how many numbers.
HISTORY = (("steps_s", RING), ("period_s", 1))


@dataclass(frozen=True, slots=True)
class StepHistory:
    """The last steps of ``k`` assets.

    ``count`` is that of closed stamp groups ``(k,)``; ``steps_s`` is a ring of their last durations per row
    ``(k, RING)``; ``period_s`` is the measured nominal period ``(k,)``, NaN before the first.
    """

    count: IntArray
    steps_s: FloatArray
    period_s: FloatArray


@dataclass(frozen=True, slots=True)
class Durations:
    """Which rows are settled, and how long each held.

    ``settled`` (n,) marks rows whose duration is known or known to be a gap. The other arrays speak of the ``r``
    settled rows: ``dt_s`` (0 in a gap), ``valid``, ``gap_s`` and ``time_us`` (spread within repeated stamps).
    ``known_from`` (k,) is the row of each asset before whose arrival nothing could be settled.
    """

    settled: BoolArray
    dt_s: FloatArray
    valid: BoolArray
    gap_s: FloatArray
    time_us: IntArray
    known_from: IntArray
    history: StepHistory


def measure(
    starts: IntArray,
    stamp_us: IntArray,
    history: StepHistory,
    *,
    watermark_us: IntArray,
    nominal_s: FloatArray,
    max_gap_s: FloatArray,
    least_gap_s: FloatArray,
    flush: BoolArray,
) -> Durations:
    """Give each row its duration as soon as the next stamp is there.

    Parameters
    ----------
    starts
        First row of each of ``k`` assets' segments, shape ``(k,)``; each segment begins with the rows that waited.
    stamp_us
        Stamps, ascending within a segment, shape ``(n,)``.
    history
        The last steps of the ``k`` assets.
    watermark_us
        No row before this will come, shape ``(k,)``: only then is the next stamp really the next one.
    nominal_s, max_gap_s, least_gap_s
        From the specs, shape ``(k,)``; the first two are NaN where silent.
    flush
        Assets to which no row will come: all their rows are settled, shape ``(k,)``.
    """
    n = len(stamp_us)
    history = StepHistory(history.count.copy(), history.steps_s.copy(), history.period_s.copy())
    known_from = starts.copy()
    settled, dt_s, valid = np.zeros(n, np.bool_), np.empty(n), np.empty(n, np.bool_)
    gap_s, time_us = np.empty(n), np.empty(n, np.int64)
    used = measure_groups(
        starts,
        stamp_us,
        (history.count, history.steps_s, history.period_s),
        (watermark_us, nominal_s, max_gap_s, least_gap_s, flush),
        known_from,
        (settled, dt_s, valid, gap_s, time_us),
        np.empty(MEDIAN_OF),
    )
    return Durations(settled, dt_s[:used], valid[:used], gap_s[:used], time_us[:used], known_from, history)


@borrowing
def measure_groups(  # noqa: PLR0912, PLR0915  # one walk: what a group needs of its neighbours is at hand
    starts: IntArray,
    stamp_us: IntArray,
    history: tuple[IntArray, FloatArray, FloatArray],
    given: tuple[IntArray, FloatArray, FloatArray, FloatArray, BoolArray],
    known_from: IntArray,
    out: tuple[BoolArray, FloatArray, BoolArray, FloatArray, IntArray],
    window: FloatArray,
) -> int:
    """Walk each asset's groups of equal stamps; how many rows are settled. ``window`` is room for the median."""
    count, ring_s, period_s = history
    watermark_us, nominal_s, max_gap_s, least_gap_s, flush = given
    settled, dt_s, valid, gap_s, time_us = out
    n, used = len(stamp_us), 0
    for k in range(len(starts)):
        stop = starts[k + 1] if k + 1 < len(starts) else n
        head, first = starts[k], True
        while head < stop:
            end = _group_end(stamp_us, head, stop)
            all_rows = end - head
            rows = min(all_rows, MAX_PER_STAMP)
            # A group is the last one that can be told from what is still to come: the next stamp is open.
            last = end == stop or (stamp_us[end] > watermark_us[k] and not flush[k])
            span_s = np.nan if last else (stamp_us[end] - stamp_us[head]) / 1e6
            step_s = span_s / rows if rows > 1 else span_s
            opening = False
            if first and count[k] == 0 and rows > 1 and np.isnan(nominal_s[k]):
                # A file may begin within a stamp, so the first group of repeated stamps takes its step from the second.
                second_end = end if last else _group_end(stamp_us, end, stop)
                second_last = second_end == stop or (stamp_us[second_end] > watermark_us[k] and not flush[k])
                opening = not last and (not second_last or second_end - end > MAX_PER_STAMP)
                if opening:
                    if not second_last:
                        second_rows = min(second_end - end, MAX_PER_STAMP)
                        step_s = min(step_s, (stamp_us[second_end] - stamp_us[end]) / 1e6 / second_rows)
                    known_from[k] = end + MAX_PER_STAMP if second_last else second_end
                elif not flush[k]:
                    break  # it waits, and so do all after it
            whole = not last or flush[k]
            period = period_s[k] if np.isnan(nominal_s[k]) else nominal_s[k]
            limit_s = gap_limit_s(period, max_gap_s[k], least_gap_s[k])
            silent_s = silent_limit_s(period, max_gap_s[k], least_gap_s[k])
            if silent_s < step_s <= limit_s and _was_regular(k, period, count, ring_s):
                limit_s = silent_s
            # The last row of a group before a gap, or at the very end, has no known duration; the rows before it have.
            cut = whole and (last or step_s > limit_s)
            spread, gap, lead_us = step_s, 0.0, 0
            if cut:
                spread = period if rows > 1 else 0.0
            if np.isnan(spread):
                spread = 0.0
            if cut and not last:
                spread = min(spread, span_s / rows)
                gap = span_s - spread * (rows - 1)
            if opening and not cut:  # an opening group that is not full covers the end of its stamp's time
                lead_us = int((span_s - spread * rows) * 1e6)
            first_left = head
            if rows == 1 and whole and not cut:  # most groups are such: no sharing, no gap
                settled[head], dt_s[used], valid[used], gap_s[used] = True, step_s, True, 0.0
                time_us[used] = stamp_us[head]
                first_left, used = end, used + 1
            for i in range(first_left, end):
                rank = i - head - (all_rows - rows)
                stuck = rank < 0
                if whole or stuck:
                    rank = max(rank, 0)
                    final = rank == rows - 1
                    no_duration = stuck or (cut and (final or spread == 0))
                    settled[i] = True
                    dt_s[used] = 0.0 if no_duration else spread
                    valid[used] = not no_duration
                    gap_s[used] = gap if cut and final and not stuck else 0.0
                    time_us[used] = stamp_us[i] + int(rank * (spread * 1e6)) + lead_us
                    used += 1
            if not whole:
                break  # and so are all after it
            if not last:
                remember_step(k, step_s, count, ring_s, period_s, window)
            head, first = end, False
    return used


@borrowing
def _group_end(stamp_us: IntArray, head: int, stop: int) -> int:
    """Row after those that share a row's stamp."""
    end = head + 1
    while end < stop and stamp_us[end] == stamp_us[head]:
        end += 1
    return end


@inlined
def gap_limit_s(period_s: float, max_gap_s: float, least_gap_s: float) -> float:
    """Longest step that is no gap; a period or a limit that is not known is NaN."""
    if not np.isnan(max_gap_s):
        return max_gap_s
    return FIRST_GAP_S if np.isnan(period_s) else max(GAP_PERIODS * period_s, least_gap_s)


@inlined
def silent_limit_s(period_s: float, max_gap_s: float, least_gap_s: float) -> float:
    """Longest step that is no gap even where all steps before it were as long as usual."""
    limit_s = gap_limit_s(period_s, max_gap_s, least_gap_s)
    if np.isnan(max_gap_s) and least_gap_s <= MOST_SILENT_S and not np.isnan(period_s):
        return min(limit_s, SILENT_PERIODS * period_s)
    return limit_s


@borrowing
def _was_regular(k: int, period_s: float, count: IntArray, ring_s: FloatArray) -> bool:
    """Whether none of the last steps was longer than the readings of a steady stream may be apart."""
    if count[k] < MEDIAN_OF:
        return False
    longest_s = 0.0
    for back in range(MEDIAN_OF):
        longest_s = max(longest_s, ring_s[k, (count[k] - back) & (RING - 1)])
    return longest_s <= GAP_PERIODS * period_s


@inlined
def remember_step(
    k: int, step_s: float, count: IntArray, ring_s: FloatArray, period_s: FloatArray, window: FloatArray
) -> None:
    """Remember a step; the median of the last ones is the period from the next group on.

    A step that is on the side of the median on which the one that it replaces was moves nothing. Each round of the ring
    it is measured all the same: a state that an older release has stored may hold an older median.
    """
    count[k] += 1
    ring_s[k, count[k] & (RING - 1)] = step_s
    gone_s, median_s = ring_s[k, (count[k] - MEDIAN_OF) & (RING - 1)], period_s[k]
    if count[k] > MEDIAN_OF and count[k] & (RING - 1) != 0:
        if step_s == gone_s:
            return
        if (step_s > median_s and gone_s > median_s) or (step_s < median_s and gone_s < median_s):
            return
    _measure_period(k, count, ring_s, period_s, window)


@borrowing
def _measure_period(k: int, count: IntArray, ring_s: FloatArray, period_s: FloatArray, window: FloatArray) -> None:
    """Take the median of the last steps: mostly the old one or the step next to it, which one pass finds."""
    known, median_s = min(count[k], MEDIAN_OF), period_s[k]
    if known == MEDIAN_OF:
        below, up_to, before_s, after_s = 0, 0, -np.inf, np.inf
        for back in range(MEDIAN_OF):
            step_s = ring_s[k, (count[k] - back) & (RING - 1)]
            if step_s < median_s:
                below += 1
                before_s = max(before_s, step_s)
            elif step_s > median_s:
                after_s = min(after_s, step_s)
            else:
                up_to += 1
        up_to += below
        half = MEDIAN_OF // 2
        if below <= half < up_to:
            return
        if below == half + 1 or up_to == half:
            period_s[k] = before_s if below > half else after_s
            return
    for back in range(known):
        step_s, at = ring_s[k, (count[k] - back) & (RING - 1)], back
        while at > 0 and window[at - 1] > step_s:
            window[at] = window[at - 1]
            at -= 1
        window[at] = step_s
    period_s[k] = (window[(known - 1) // 2] + window[known // 2]) / 2
