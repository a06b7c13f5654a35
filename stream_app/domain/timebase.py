"""How long each reading held: event time from stamps that may repeat, be cut to the minute, or stop for hours.

A reading holds until the next one (left-hold). Rows that share a stamp were taken between it and the next stamp, so
they spread evenly over that time. A longer step than the gap limit is a gap: nobody knows what happened there, so it
counts for nothing. The limit is the spec's, else three nominal periods; the nominal period is the spec's, else the
median of the last steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_app.domain.rows import BoolArray, FloatArray, IntArray
from stream_app.domain.segments import ends, first_of_runs

#: The running median looks back this far; odd, so that it is one of the steps seen.
MEDIAN_OF = 15
#: Ring that holds them: a power of two, so that a slot is a mask away.
RING = 16
#: A steady stream re-measures its period once per this many steps; a new one at each step.
MEASURE_EVERY = 16
GAP_PERIODS = 3.0
#: A stamp repeated more often than this is a stuck clock: the older rows are settled without duration.
MAX_PER_STAMP = 4096
#: Gap limit while no period is known: the first step of hourly data is no gap.
FIRST_GAP_S = 3600.0


@dataclass(frozen=True, slots=True)
class Clock:
    """What the timebase remembers of ``k`` assets.

    ``steps`` counts closed stamp groups ``(k,)``; ``ring`` holds their last durations per row ``(k, RING)`` [s];
    ``period_s`` is the measured nominal period ``(k,)``, NaN before the first.
    """

    steps: IntArray
    ring: FloatArray
    period_s: FloatArray


@dataclass(frozen=True, slots=True)
class Timed:
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
    clock: Clock


def settle(
    starts: IntArray,
    stamp_us: IntArray,
    clock: Clock,
    *,
    watermark_us: IntArray,
    nominal_s: FloatArray,
    max_gap_s: FloatArray,
    flush: BoolArray,
) -> Timed:
    """Give each row its duration as soon as the next stamp is there.

    Parameters
    ----------
    starts
        First row of each of ``k`` assets' segments, shape ``(k,)``; each segment begins with the rows that waited.
    stamp_us
        Stamps, ascending within a segment, shape ``(n,)``.
    clock
        What was remembered of the ``k`` assets.
    watermark_us
        No row before this will come, shape ``(k,)``: only then is the next stamp really the next one.
    nominal_s, max_gap_s
        From the specs, shape ``(k,)``; NaN where silent.
    flush
        Assets to which no row will come: all their rows are settled, shape ``(k,)``.
    """
    n, k = len(stamp_us), len(starts)
    asset = np.repeat(np.arange(k), ends(starts, n) - starts)
    head = np.flatnonzero(first_of_runs(asset, stamp_us))  # first row of each group of equal stamps
    g = len(head)
    owner = asset[head]
    all_rows = ends(head, n) - head
    rows = np.minimum(all_rows, MAX_PER_STAMP)
    # The last group that can be told from what is still to come: the next stamp is open.
    last = np.ones(g, bool)
    last[:-1] = owner[1:] != owner[:-1]
    inner = np.flatnonzero(~last)
    last[inner] = (stamp_us[head[inner + 1]] > watermark_us[owner[inner]]) & ~flush[owner[inner]]
    span_s = np.full(g, np.nan)
    inner = np.flatnonzero(~last)
    span_s[inner] = (stamp_us[head[inner + 1]] - stamp_us[head[inner]]) / 1e6
    step_s = span_s / rows

    # A file may begin within a stamp, so the first group of repeated stamps takes its step from the second one.
    opening = np.flatnonzero(first_of_runs(owner) & (clock.steps[owner] == 0) & (rows > 1) & np.isnan(nominal_s[owner]))
    has_second = np.zeros(g, bool)
    second = np.minimum(opening + 1, g - 1)
    has_second[opening] = ~last[opening] & (~last[second] | (all_rows[second] > MAX_PER_STAMP))
    ready = opening[has_second[opening]]
    step_s[ready] = np.fmin(step_s[ready], step_s[ready + 1])
    known_from = starts.copy()
    known_from[owner[ready]] = np.where(last[ready + 1], head[ready + 1] + MAX_PER_STAMP, np.append(head, n)[ready + 2])
    held = np.zeros(k, bool)
    held[owner[opening[~has_second[opening]]]] = True
    held &= ~flush

    settled_group = ~held[owner] & (~last | flush[owner])
    measured = settled_group & ~last
    limit_s, period_s, new_clock = _measure(owner, step_s, measured, clock)
    period_s = np.where(np.isnan(nominal_s[owner]), period_s, nominal_s[owner])
    limit_s = np.where(np.isnan(nominal_s[owner]), limit_s, GAP_PERIODS * nominal_s[owner])
    limit_s = np.where(np.isnan(max_gap_s[owner]), limit_s, max_gap_s[owner])

    # The last row of a group before a gap, or at the very end, has no known duration; the rows before it have.
    cut = settled_group & (last | (step_s > limit_s))
    spread = np.nan_to_num(np.where(cut, np.where(rows > 1, period_s, 0.0), step_s))
    spread = np.where(cut & ~last, np.minimum(spread, np.nan_to_num(span_s) / rows), spread)
    gap = np.where(cut & ~last, np.nan_to_num(span_s) - spread * (rows - 1), 0.0)
    is_opening = np.zeros(g, bool)
    is_opening[ready] = True

    group = np.repeat(np.arange(g), all_rows)
    rank = np.arange(n) - head[group] - (all_rows - rows)[group]
    in_turn = first_of_runs(owner) | np.append(True, settled_group[:-1])
    stuck = (rank < 0) & (in_turn & ~held[owner])[group]
    settled = settled_group[group] | stuck
    group, rank, stuck = group[settled], np.maximum(rank[settled], 0), stuck[settled]
    final = rank == rows[group] - 1
    no_duration = stuck | (cut[group] & (final | (spread[group] == 0)))
    dt_s = np.where(no_duration, 0.0, spread[group])
    shift_us = (rank * (spread[group] * 1e6)).astype(np.int64)
    # An opening group that is not full covers the end of its stamp's time.
    lead_us = np.where(is_opening & ~cut, np.nan_to_num(span_s - spread * rows) * 1e6, 0.0).astype(np.int64)
    return Timed(
        settled=settled,
        dt_s=dt_s,
        valid=~no_duration,
        gap_s=np.where(cut[group] & final & ~stuck, gap[group], 0.0),
        time_us=stamp_us[settled] + shift_us + lead_us[group],
        known_from=known_from,
        clock=new_clock,
    )


def _measure(
    owner: IntArray, step_s: FloatArray, measured: BoolArray, clock: Clock
) -> tuple[FloatArray, FloatArray, Clock]:
    """Gap limit and period that hold for each group, measured from the groups before it, and the clock after all."""
    index = np.flatnonzero(measured)
    who, step = owner[index], step_s[index]
    m = len(index)
    begin = np.flatnonzero(first_of_runs(who))
    nth = np.arange(m) - np.repeat(begin, ends(begin, m) - begin)  # 0-based within this call
    ordinal = clock.steps[who] + nth + 1

    # Medians are taken only where they are due.
    due = np.flatnonzero((ordinal <= MEASURE_EVERY) | (ordinal % MEASURE_EVERY == 0))
    back = np.arange(MEDIAN_OF)
    here = due[:, None] - back
    seen = ordinal[due][:, None] - back
    window = np.where(
        nth[due][:, None] >= back,
        step[np.maximum(here, 0)],
        clock.ring[who[due][:, None], seen & (RING - 1)],
    )
    window[seen < 1] = np.nan
    window.sort(axis=1)  # NaN last
    count = np.minimum(ordinal[due], MEDIAN_OF)
    at = np.arange(len(due))
    medians = (window[at, (count - 1) // 2] + window[at, count // 2]) / 2

    # What was measured holds from the next group on: carry it forward along each asset's groups.
    after = np.full(m, np.nan)
    after[due] = medians
    filled = np.where(np.isnan(after), -1, np.arange(m))
    filled = np.maximum.accumulate(filled) if m else filled
    own = filled >= np.repeat(begin, ends(begin, m) - begin)
    current = np.where(own, after[np.maximum(filled, 0)], clock.period_s[who])
    period = clock.period_s[owner]
    if m:
        previous = np.append(np.nan, current[:-1])
        previous[begin] = clock.period_s[who[begin]]
        period[index] = previous
        unmeasured = np.flatnonzero(~measured)  # an asset's last group stands behind its measured ones
        before = np.searchsorted(index, unmeasured) - 1
        follows = (before >= 0) & (who[np.maximum(before, 0)] == owner[unmeasured])
        period[unmeasured[follows]] = current[before[follows]]
    limit = np.where(np.isnan(period), FIRST_GAP_S, GAP_PERIODS * period)

    steps, ring, measured_s = clock.steps.copy(), clock.ring.copy(), clock.period_s.copy()
    if m:
        newest = ends(begin, m) - 1
        ring[who, ordinal & (RING - 1)] = step
        steps[who[newest]] = ordinal[newest]
        measured_s[who[newest]] = current[newest]
    return limit, period, Clock(steps, ring, measured_s)
