"""The path of rows through the domain: from arrival order to closed windows, vectorised over all assets of a fetch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray, IntArray
from stream_app.columns.segments import ends, first_of_runs, sorted_by
from stream_app.domain import durations, panes
from stream_app.domain.arrival import Arrivals, joined, newest_stamps, ordered
from stream_app.domain.closing import Closings
from stream_app.domain.durations import MAX_PER_STAMP, Durations, StepHistory
from stream_app.domain.fields import Layout
from stream_app.domain.lines import NEVER
from stream_app.domain.panes import Open
from stream_app.domain.pending import TimedRows
from stream_app.domain.rows import Rows
from stream_app.domain.samples import Samples
from stream_app.domain.state import Fleet
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
    new = np.flatnonzero(rows.offset > fleet.integers.applied_offset[rows.asset])
    late: list[IntArray] = []
    closed: list[Windows] = []
    for part in _parts(fleet, rows.asset[new]):
        index = new[part]
        index = index[sorted_by(rows.asset[index], len(fleet.integers.array))]
        late.append(_apply(fleet, rows, index, closed))
    return Applied(np.sort(np.concatenate([np.zeros(0, np.int64), *late])), closed)


def _parts(fleet: Fleet, slot: IntArray) -> Iterator[slice]:
    """Cut rows so that no asset's buffer can run over unnoticed: one that is full takes a row at a time."""
    n, at = len(slot), 0
    while at < n:
        step = _fitting(fleet, slot[at : at + MAX_WAITING]) if fleet.lateness_us else n
        yield slice(at, at + step)
        at += step


def _fitting(fleet: Fleet, slot: IntArray) -> int:
    """How many of the rows come before the first for which its asset has no room, but one at least."""
    order = sorted_by(slot, len(fleet.integers.array))
    starts = np.flatnonzero(first_of_runs(slot[order]))
    count = ends(starts, len(slot)) - starts
    room = MAX_WAITING - fleet.pending.count(slot[order[starts]])
    over = order[(starts + np.maximum(room, 0))[count > room]]
    return max(1, int(over.min())) if len(over) else len(slot)


def _apply(fleet: Fleet, rows: Rows, index: IntArray, closed: list[Windows]) -> IntArray:
    """Apply rows that are sorted by asset; returns those that are late."""
    slot, time_us = rows.asset[index], rows.time_us[index]
    starts = np.flatnonzero(first_of_runs(slot))
    touched = slot[starts]
    fleet.integers.applied_offset[touched] = rows.offset[index[ends(starts, len(index)) - 1]]
    newest_us, before_us = newest_stamps(time_us, starts, fleet.integers.last_us[touched])
    floor_us = np.where(before_us == NEVER, NEVER, before_us - fleet.lateness_us)
    late: BoolArray = time_us < np.maximum(floor_us, fleet.integers.watermark_us[slot])
    too_late: IntArray = index[late]
    if len(too_late):
        np.add.at(fleet.integers.late_rows, slot[late], 1)
        index, slot, newest_us = index[~late], slot[~late], newest_us[~late]
    arrivals = Arrivals(slot, newest_us, rows.offset[index])
    closed += _advance(fleet, touched, arrivals, rows, index)
    return too_late


def finish(fleet: Fleet, slot: int, seq: int) -> list[Windows]:
    """Settle what still waits and close every window of an asset to which no row will come; ``seq`` is the offset."""
    none = np.zeros(0, np.int64)
    nothing = Rows(none, none, none, {})
    return _advance(fleet, np.array([slot]), Arrivals(none, none, none), nothing, none, flush_seq=seq)


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
    slot = arrivals.slot
    came = np.searchsorted(slot, touched, side="right") - np.searchsorted(slot, touched, side="left")
    timed_rows, count = joined(fleet, touched, rows, kept, came)
    present = np.flatnonzero(count)  # an asset may have brought late rows only
    if not len(present):
        return []
    touched, count = touched[present], count[present]
    return _count(fleet, touched, arrivals, timed_rows, count, flush_seq)


def _count(
    fleet: Fleet, touched: IntArray, arrivals: Arrivals, rows: TimedRows, count: IntArray, flush_seq: int | None
) -> list[Windows]:
    """Count the rows that are settled, of ``count`` of each touched asset; the others wait."""
    k = len(touched)
    stops = np.cumsum(count)
    starts = stops - count
    flush = np.full(k, flush_seq is not None)
    specs = fleet.specs.take(touched)
    asset = np.repeat(np.arange(k), count)
    rows = ordered(rows, asset) if fleet.lateness_us else rows
    crowded = np.where(count > MAX_WAITING, rows.time_us[starts + np.maximum(count - MAX_WAITING, 0)], NEVER)
    reached = np.maximum(rows.time_us[stops - 1] - fleet.lateness_us, crowded)
    watermark_us = np.maximum(fleet.integers.watermark_us[touched], reached)
    integers, floats = fleet.integers, fleet.floats
    history = StepHistory(integers.step_count[touched], floats.steps_s[touched], floats.period_s[touched])
    held = durations.measure(
        starts,
        rows.time_us,
        history,
        watermark_us=watermark_us,
        nominal_s=specs.period_s,
        max_gap_s=specs.max_gap_s,
        flush=flush,
    )

    waiting = np.flatnonzero(~held.settled)
    waits = np.bincount(asset[waiting], minlength=k)
    now_us = np.where(flush, np.iinfo(np.int64).max, 0)
    oldest = waiting[first_of_runs(asset[waiting])] if len(waiting) else waiting
    now_us[asset[oldest]] = rows.time_us[oldest]
    samples = _samples(fleet, touched, rows=rows, asset=asset, stops=stops, held=held)
    for sequential in fleet.catalogue.sequential_states:
        own, tails = floats.state(type(sequential)), fleet.tails[type(sequential)]
        slots = touched.tolist()
        own[touched], new_tails, events = sequential.advance(own[touched], [tails[slot] for slot in slots], samples)
        for slot, tail in zip(slots, new_tails, strict=True):
            tails[slot] = tail
        samples.set_events(type(sequential), events)
    seqs = Closings(rows, stops, held.known_from, arrivals, touched, fleet.lateness_us, flush_seq)
    closed = _fold(fleet, touched, samples=samples, time_us=held.time_us, now_us=now_us, seqs=seqs)

    floats.carry[touched] = samples.next_carry()
    floats.steps_s[touched], floats.period_s[touched] = held.history.steps_s, held.history.period_s
    integers.step_count[touched] = held.history.count
    integers.last_us[touched] = rows.time_us[stops - 1]
    integers.watermark_us[touched] = watermark_us
    first_us, oldest_us = integers.first_us[touched], rows.time_us[starts]
    integers.first_us[touched] = np.where(first_us == NEVER, oldest_us, np.minimum(first_us, oldest_us))
    fleet.pending.set(touched, waits, rows.take(waiting).columns())
    return closed


def _samples(
    fleet: Fleet, touched: IntArray, *, rows: TimedRows, asset: IntArray, stops: IntArray, held: Durations
) -> Samples:
    """The settled rows; what follows an asset's last one is not known."""
    columns = fleet.catalogue.columns
    soc = rows.values[columns.index("soc_percent")]
    following = np.append(soc[1:], np.nan)
    following[stops - 1] = np.nan
    index = np.flatnonzero(held.settled)
    settled = np.bincount(asset[index], minlength=len(touched))
    return Samples(
        asset=asset[index],
        starts=np.cumsum(settled) - settled,
        values=dict(zip(columns, rows.take(index).values, strict=True)),
        soc_following_percent=following[index],
        dt_s=held.dt_s,
        valid=held.valid,
        gap_s=held.gap_s,
        specs=fleet.specs.take(touched),
        carried=fleet.catalogue.carried,
        carry=fleet.floats.carry[touched],
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
    columns = catalogue.contributions(samples)
    sizes, numbers = fleet.integers.size_us[touched], fleet.integers.open_number[touched]

    def closed(asset: IntArray, number: IntArray, totals: FloatArray, size_us: IntArray) -> None:
        if len(asset):
            end_us = (number + 1) * size_us
            seq = seqs.of(asset, end_us)
            start_us = number * size_us
            windows = Windows.of(fleet, slot=touched[asset], size_us=size_us, start_us=start_us, seq=seq, totals=totals)
            for i in windows.since:
                del fleet.since[int(windows.slot[i])][int(size_us[i]), int(start_us[i])]
            result.append(windows)

    smallest = fleet.floats.level(0)
    open_ = Open(numbers[:, 0], np.ascontiguousarray(smallest[touched].T))
    pane_us = sizes[:, 0].copy()
    done, open_ = panes.advance(
        layout,
        catalogue.rows_at,
        open_,
        asset=samples.asset,
        number=panes.numbers(time_us, samples.asset, pane_us),
        now=now_us // pane_us,
        add=lambda totals, pane: layout.add(totals, pane, columns),
    )
    smallest[touched] = open_.totals.T
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
        larger = fleet.floats.level(level)
        open_ = Open(numbers[have, level], np.ascontiguousarray(larger[touched[have]].T))
        full, open_ = panes.advance(
            layout,
            catalogue.rows_at,
            open_,
            asset=asset,
            number=done_us[mine] // size_us[asset],
            now=now_us[have] // size_us,
            add=partial(_fold_in, layout, inner),
        )
        larger[touched[have]] = open_.totals.T
        numbers[have, level] = open_.number
        closed(have[full.asset], full.number, full.totals, size_us[full.asset])

    if len(done.asset):
        begins = first_of_runs(done.asset)
        lives = touched[done.asset[begins]]
        life = np.ascontiguousarray(fleet.floats.life[lives].T)
        layout.fold(life, np.cumsum(begins) - 1, done.totals)
        fleet.floats.life[lives] = life.T
    fleet.integers.open_number[touched] = numbers
    return result


def _fold_in(layout: Layout, inner: FloatArray, totals: FloatArray, pane: IntArray) -> None:
    layout.fold(totals, pane, inner)
