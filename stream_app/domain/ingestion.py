"""The path of rows through the domain: from arrival order to closed windows, vectorised over all assets of a fetch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray, IntArray
from stream_app.columns.segments import ends, first_of_runs, sorted_by
from stream_app.domain import panes
from stream_app.domain.arrival import Arrivals, joined, newest_stamps, ordered
from stream_app.domain.closing import Closings
from stream_app.domain.durations import MAX_PER_STAMP, Clock, Timed, settle
from stream_app.domain.fields import Layout
from stream_app.domain.panes import Open
from stream_app.domain.pending import TimedRows
from stream_app.domain.rows import COLUMNS, Rows
from stream_app.domain.samples import Samples
from stream_app.domain.state import (
    APPLIED,
    FIRST_US,
    LAST_US,
    LATE,
    NEVER,
    NUMBER,
    SIZE_US,
    STEPS,
    WATERMARK_US,
    Fleet,
)
from stream_app.domain.views import Windows


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of rows: positions of those that came too late, and the windows that were closed."""

    late: IntArray
    closed: list[Windows]


#: Rows of an asset that wait at most: beyond it the oldest are settled early. Bounds the state; two full stamps fit.
MAX_WAITING = 2 * MAX_PER_STAMP


def apply(fleet: Fleet, rows: Rows) -> Applied:
    """Apply rows in arrival order; rows whose offset the asset's state includes already are skipped.

    A row whose event time is further behind its asset's newest than the allowed lateness is late: it is counted and
    left out. Others are taken in the order of (event time, arrival).
    """
    new = np.flatnonzero(rows.offset > fleet.ints[rows.asset, APPLIED])
    late: list[IntArray] = []
    closed: list[Windows] = []
    for part in _parts(fleet, rows.asset[new]):
        index = new[part]
        index = index[sorted_by(rows.asset[index], len(fleet.ints))]
        late.append(_apply(fleet, rows, index, closed))
    return Applied(np.sort(np.concatenate([np.zeros(0, np.int64), *late])), closed)


def _parts(fleet: Fleet, code: IntArray) -> Iterator[slice]:
    """Cut rows so that no asset's buffer can run over unnoticed: one that is full takes a row at a time."""
    n, at = len(code), 0
    while at < n:
        step = _fitting(fleet, code[at : at + MAX_WAITING]) if fleet.lateness_us else n
        yield slice(at, at + step)
        at += step


def _fitting(fleet: Fleet, code: IntArray) -> int:
    """How many of the rows come before the first for which its asset has no room, but one at least."""
    order = sorted_by(code, len(fleet.ints))
    starts = np.flatnonzero(first_of_runs(code[order]))
    count = ends(starts, len(code)) - starts
    room = MAX_WAITING - fleet.pending.count(code[order[starts]])
    over = order[(starts + np.maximum(room, 0))[count > room]]
    return max(1, int(over.min())) if len(over) else len(code)


def _apply(fleet: Fleet, rows: Rows, index: IntArray, closed: list[Windows]) -> IntArray:
    """Apply rows that are sorted by asset; returns those that are late."""
    code, time_us = rows.asset[index], rows.time_us[index]
    starts = np.flatnonzero(first_of_runs(code))
    touched = code[starts]
    fleet.ints[touched, APPLIED] = rows.offset[index[ends(starts, len(index)) - 1]]
    newest_us, before_us = newest_stamps(time_us, starts, fleet.ints[touched, LAST_US])
    floor_us = np.where(before_us == NEVER, NEVER, before_us - fleet.lateness_us)
    late: BoolArray = time_us < np.maximum(floor_us, fleet.ints[code, WATERMARK_US])
    too_late: IntArray = index[late]
    if len(too_late):
        np.add.at(fleet.ints[:, LATE], code[late], 1)
        index, code, newest_us = index[~late], code[~late], newest_us[~late]
    arrivals = Arrivals(code, newest_us, rows.offset[index])
    closed += _advance(fleet, touched, arrivals, rows, index)
    return too_late


def finish(fleet: Fleet, code: int, seq: int) -> list[Windows]:
    """Settle what still waits and close every window of an asset to which no row will come; ``seq`` is the offset."""
    none = np.zeros(0, np.int64)
    nothing = Rows(none, none, none, {})
    return _advance(fleet, np.array([code]), Arrivals(none, none, none), nothing, none, flush_seq=seq)


def _advance(
    fleet: Fleet,
    touched: IntArray,
    arrivals: Arrivals,
    rows: Rows,
    kept: IntArray,
    flush_seq: int | None = None,
) -> list[Windows]:
    """Take the rows that arrived for the touched assets as far as they are settled.

    ``kept`` are the positions of the rows that are not late, sorted by asset.
    """
    code = arrivals.code
    came = np.searchsorted(code, touched, side="right") - np.searchsorted(code, touched, side="left")
    timed_rows, count = joined(fleet, touched, rows, kept, came)
    present = np.flatnonzero(count)  # an asset may have brought late rows only
    if not len(present):
        return []
    touched, count = touched[present], count[present]
    return _settle(fleet, touched, arrivals, timed_rows, count, flush_seq)


def _settle(
    fleet: Fleet, touched: IntArray, arrivals: Arrivals, rows: TimedRows, count: IntArray, flush_seq: int | None
) -> list[Windows]:
    """Settle rows, ``count`` of each touched asset; what is settled counts, the rest waits."""
    k = len(touched)
    stops = np.cumsum(count)
    starts = stops - count
    flush = np.full(k, flush_seq is not None)
    specs = fleet.specs.take(touched)
    asset = np.repeat(np.arange(k), count)
    rows = ordered(rows, asset) if fleet.lateness_us else rows
    crowded = np.where(count > MAX_WAITING, rows.time_us[starts + np.maximum(count - MAX_WAITING, 0)], NEVER)
    reached = np.maximum(rows.time_us[stops - 1] - fleet.lateness_us, crowded)
    watermark_us = np.maximum(fleet.ints[touched, WATERMARK_US], reached)
    clock = Clock(
        fleet.ints[touched, STEPS], fleet.floats[touched, fleet.ring], fleet.floats[touched, fleet.period][:, 0]
    )
    timed = settle(
        starts,
        rows.time_us,
        clock,
        watermark_us=watermark_us,
        nominal_s=specs.period_s,
        max_gap_s=specs.max_gap_s,
        flush=flush,
    )

    waiting = np.flatnonzero(~timed.settled)
    waits = np.bincount(asset[waiting], minlength=k)
    now_us = np.where(flush, np.iinfo(np.int64).max, 0)
    oldest = waiting[first_of_runs(asset[waiting])] if len(waiting) else waiting
    now_us[asset[oldest]] = rows.time_us[oldest]
    samples = _samples(fleet, touched, rows=rows, asset=asset, stops=stops, timed=timed)
    for memory in fleet.catalogue.memories:
        own, tails = fleet.memory[type(memory)], fleet.tails[type(memory)]
        codes = touched.tolist()
        state, new_tails, events = memory.advance(fleet.floats[touched, own], [tails[c] for c in codes], samples)
        fleet.floats[touched, own] = state
        for c, tail in zip(codes, new_tails, strict=True):
            tails[c] = tail
        samples.set_events(type(memory), events)
    seqs = Closings(rows, stops, timed.known_from, arrivals, touched, fleet.lateness_us, flush_seq)
    closed = _fold(fleet, touched, samples=samples, time_us=timed.time_us, now_us=now_us, seqs=seqs)

    fleet.floats[touched, fleet.carry] = samples.next_carry()
    fleet.floats[touched, fleet.ring] = timed.clock.ring
    fleet.floats[touched, fleet.period] = timed.clock.period_s[:, None]
    ints = fleet.ints
    ints[touched, STEPS] = timed.clock.steps
    ints[touched, LAST_US] = rows.time_us[stops - 1]
    ints[touched, WATERMARK_US] = watermark_us
    first_us = ints[touched, FIRST_US]
    ints[touched, FIRST_US] = np.where(
        first_us == NEVER, rows.time_us[starts], np.minimum(first_us, rows.time_us[starts])
    )
    fleet.pending.set(touched, waits, rows.take(waiting).columns())
    return closed


def _samples(
    fleet: Fleet, touched: IntArray, *, rows: TimedRows, asset: IntArray, stops: IntArray, timed: Timed
) -> Samples:
    """The settled rows; what follows an asset's last one is not known."""
    soc = rows.values[COLUMNS.index("soc_percent")]
    following = np.append(soc[1:], np.nan)
    following[stops - 1] = np.nan
    index = np.flatnonzero(timed.settled)
    settled = np.bincount(asset[index], minlength=len(touched))
    return Samples(
        asset=asset[index],
        starts=np.cumsum(settled) - settled,
        values=rows.take(index).values,
        soc_following_percent=following[index],
        dt_s=timed.dt_s,
        valid=timed.valid,
        gap_s=timed.gap_s,
        specs=fleet.specs.take(touched),
        carry=fleet.floats[touched, fleet.carry],
    )


def _fold(
    fleet: Fleet,
    touched: IntArray,
    *,
    samples: Samples,
    time_us: IntArray,
    now_us: IntArray,
    seqs: Closings,
) -> list[Windows]:
    """Add the rows to their panes, and closed panes to the larger windows and to the lifetime, in order."""
    catalogue, layout = fleet.catalogue, fleet.catalogue.layout
    result: list[Windows] = []
    columns = catalogue.columns(samples)
    sizes = fleet.ints[touched, SIZE_US]
    numbers = fleet.ints[touched, NUMBER]

    def closed(asset: IntArray, number: IntArray, totals: FloatArray, size_us: IntArray) -> None:
        if len(asset):
            end_us = (number + 1) * size_us
            seq = seqs.of(asset, end_us)
            result.append(
                Windows.of(
                    fleet, code=touched[asset], size_us=size_us, start_us=number * size_us, seq=seq, totals=totals
                )
            )

    open_ = Open(numbers[:, 0], np.ascontiguousarray(fleet.floats[touched, fleet.level[0]].T))
    pane_us = sizes[:, 0].copy()
    done, open_ = panes.advance(
        layout,
        catalogue.rows_at,
        open_,
        asset=samples.asset,
        number=panes.numbers(time_us, samples.asset, pane_us),
        now=now_us // pane_us,
        add=lambda totals, slot: layout.add(totals, slot, columns),
    )
    fleet.floats[touched, fleet.level[0]] = open_.totals.T
    numbers[:, 0] = open_.number
    closed(done.asset, done.number, done.totals, pane_us[done.asset])
    done_us = done.number * pane_us[done.asset]

    with_done = np.zeros(len(touched), np.bool_)
    with_done[done.asset] = True
    for level, with_level in fleet.levels(touched):
        # Most of the time an asset's larger window stays open and nothing is added to it.
        passed = numbers[with_level, level] != now_us[with_level] // sizes[with_level, level]
        have = with_level[passed | with_done[with_level]]
        if not len(have):
            continue
        size_us = sizes[have, level]
        place = np.full(len(touched), -1)
        place[have] = np.arange(len(have))
        mine = np.flatnonzero(place[done.asset] >= 0)
        asset, inner = place[done.asset[mine]], done.totals[:, mine]
        open_ = Open(numbers[have, level], np.ascontiguousarray(fleet.floats[touched[have], fleet.level[level]].T))
        full, open_ = panes.advance(
            layout,
            catalogue.rows_at,
            open_,
            asset=asset,
            number=done_us[mine] // size_us[asset],
            now=now_us[have] // size_us,
            add=partial(_fold_in, layout, inner),
        )
        fleet.floats[touched[have], fleet.level[level]] = open_.totals.T
        numbers[have, level] = open_.number
        closed(have[full.asset], full.number, full.totals, size_us[full.asset])

    if len(done.asset):
        begins = first_of_runs(done.asset)
        lives = touched[done.asset[begins]]
        life = np.ascontiguousarray(fleet.floats[lives, fleet.life].T)
        layout.fold(life, np.cumsum(begins) - 1, done.totals)
        fleet.floats[lives, fleet.life] = life.T
    fleet.ints[touched, NUMBER] = numbers
    return result


def _fold_in(layout: Layout, inner: FloatArray, totals: FloatArray, slot: IntArray) -> None:
    layout.fold(totals, slot, inner)
