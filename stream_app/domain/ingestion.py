"""The path of rows through the domain: from arrival order to closed windows, vectorised over all assets of a fetch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from stream_app.domain import panes
from stream_app.domain.fields import Layout
from stream_app.domain.panes import Open
from stream_app.domain.pending import TimedColumns
from stream_app.domain.rows import COLUMNS, BoolArray, FloatArray, IntArray, Rows
from stream_app.domain.samples import Samples
from stream_app.domain.segments import ends, first_at_or_after, first_of_runs
from stream_app.domain.state import APPLIED, FIRST_US, LAST_US, LATE, NEVER, NUMBER, SIZE_US, STEPS, Fleet
from stream_app.domain.timebase import Clock, Timed, settle
from stream_app.domain.windows import Windows

_SIGNED = ("current_a", "power_w")


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of rows: positions of those that came too late, and the windows that were closed."""

    late: IntArray
    closed: list[Windows]


def apply(fleet: Fleet, rows: Rows) -> Applied:
    """Apply rows in arrival order; rows whose offset the asset's state includes already are skipped.

    A row whose event time is before its asset's newest is late: it is counted and left out.
    """
    new = np.flatnonzero(rows.offset > fleet.ints[rows.asset, APPLIED])
    new = new[np.argsort(rows.asset[new], kind="stable")]
    if not len(new):
        return Applied(new, [])
    code, time_us = rows.asset[new], rows.time_us[new]
    first = first_of_runs(code)
    starts = np.flatnonzero(first)
    touched = code[starts]
    fleet.ints[touched, APPLIED] = rows.offset[new][ends(starts, len(new)) - 1]
    late = _late(time_us, starts, fleet.ints[touched, LAST_US])
    np.add.at(fleet.ints[:, LATE], code[late], 1)
    kept = new[~late]
    closed = _advance(fleet, touched, rows.asset[kept], _normalised(fleet, rows, kept))
    return Applied(new[late], closed)


def finish(fleet: Fleet, code: int, seq: int) -> list[Windows]:
    """Settle what still waits and close every window of an asset to which no row will come; ``seq`` is the offset."""
    none = np.zeros(0, np.int64)
    nothing = TimedColumns(none, none, np.zeros((len(COLUMNS), 0)))
    return _advance(fleet, np.array([code]), none, nothing, flush_seq=seq)


def _late(time_us: IntArray, starts: IntArray, newest_us: IntArray) -> BoolArray:
    """Rows before their asset's newest stamp so far; ``time_us`` is sorted by asset, arrival order within one."""
    n = len(time_us)
    previous = np.append(NEVER, time_us[:-1])
    previous[starts] = newest_us
    late = time_us < previous
    if late.any():  # rare: only then is the running maximum needed, asset by asset
        stops = ends(starts, n)
        for i in np.unique(np.searchsorted(starts, np.flatnonzero(late), side="right") - 1).tolist():
            own = slice(starts[i], stops[i])
            running = np.maximum.accumulate(np.append(newest_us[i], time_us[own]))
            late[own] = time_us[own] < running[:-1]
    return late


def _normalised(fleet: Fleet, rows: Rows, kept: IntArray) -> TimedColumns:
    """Readings as the specs say they are to be read: current > 0 charges, SoC in percent."""
    values = np.full((len(COLUMNS), len(kept)), np.nan)
    for name, column in rows.columns.items():
        values[COLUMNS.index(name)] = column[kept]
    code = rows.asset[kept]
    sign, factor = fleet.specs.sign[code], fleet.specs.soc_factor[code]
    if (sign != 1.0).any():
        for name in _SIGNED:
            values[COLUMNS.index(name)] *= sign
    if (factor != 1.0).any():
        values[COLUMNS.index("soc_percent")] *= factor
    return TimedColumns(rows.time_us[kept], rows.offset[kept], values)


def _advance(
    fleet: Fleet,
    touched: IntArray,
    code: IntArray,
    arrived: TimedColumns,
    flush_seq: int | None = None,
) -> list[Windows]:
    """Take the rows that arrived for the touched assets (sorted by asset) as far as they are settled."""
    waited = fleet.pending.count(touched)
    came = np.searchsorted(code, touched, side="right") - np.searchsorted(code, touched, side="left")
    rows, starts = _joined(fleet.pending.get(touched), waited, arrived, came)
    count = waited + came
    present = np.flatnonzero(count)  # an asset may have brought late rows only
    if not len(present):
        return []
    touched, starts, count = touched[present], starts[present], count[present]
    k = len(touched)
    stops = starts + count
    flush = np.full(k, flush_seq is not None)
    specs = fleet.specs.take(touched)
    clock = Clock(
        fleet.ints[touched, STEPS], fleet.floats[touched, fleet.ring], fleet.floats[touched, fleet.period][:, 0]
    )
    timed = settle(starts, rows.time_us, clock, nominal_s=specs.period_s, max_gap_s=specs.max_gap_s, flush=flush)

    asset = np.repeat(np.arange(k), count)
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
    seqs = _Seqs(rows, stops, timed.known_from, flush_seq)
    closed = _fold(fleet, touched, samples=samples, time_us=timed.time_us, now_us=now_us, seqs=seqs)

    fleet.floats[touched, fleet.carry] = samples.next_carry()
    fleet.floats[touched, fleet.ring] = timed.clock.ring
    fleet.floats[touched, fleet.period] = timed.clock.period_s[:, None]
    ints = fleet.ints
    ints[touched, STEPS] = timed.clock.steps
    ints[touched, LAST_US] = rows.time_us[stops - 1]
    ints[touched, FIRST_US] = np.where(ints[touched, FIRST_US] == NEVER, rows.time_us[starts], ints[touched, FIRST_US])
    fleet.pending.set(touched, waits, rows.take(waiting))
    return closed


def _joined(
    waiting: TimedColumns, waited: IntArray, arrived: TimedColumns, came: IntArray
) -> tuple[TimedColumns, IntArray]:
    """Waiting and arrived rows, asset by asset, and where each asset starts."""
    count = waited + came
    starts = np.cumsum(count) - count
    a = np.arange(len(waiting)) + np.repeat(np.cumsum(came) - came, waited)
    b = np.arange(len(arrived)) + np.repeat(np.cumsum(waited), came)
    n = len(waiting) + len(arrived)
    time_us, offset, values = np.empty(n, np.int64), np.empty(n, np.int64), np.empty((len(COLUMNS), n))
    time_us[a], offset[a], values[:, a] = waiting.time_us, waiting.offset, waiting.values
    time_us[b], offset[b], values[:, b] = arrived.time_us, arrived.offset, arrived.values
    return TimedColumns(time_us, offset, values), starts


def _samples(
    fleet: Fleet, touched: IntArray, *, rows: TimedColumns, asset: IntArray, stops: IntArray, timed: Timed
) -> Samples:
    """The settled rows; what follows an asset's last one is not known."""
    following = np.full_like(rows.values, np.nan)
    following[:, :-1] = rows.values[:, 1:]
    following[:, stops - 1] = np.nan
    index = np.flatnonzero(timed.settled)
    return Samples(
        asset=asset[index],
        starts=np.searchsorted(asset[index], np.arange(len(touched))),
        values=rows.values[:, index],
        following=following[:, index],
        dt_s=timed.dt_s,
        valid=timed.valid,
        gap_s=timed.gap_s,
        specs=fleet.specs.take(touched),
        carry=fleet.floats[touched, fleet.carry],
    )


@dataclass(frozen=True, slots=True)
class _Seqs:
    """Finds the source offset that closed a window: the first row at or after its end that could be known."""

    rows: TimedColumns
    stops: IntArray
    known_from: IntArray
    flush_seq: int | None

    def of(self, asset: IntArray, end_us: IntArray) -> IntArray:
        at = first_at_or_after(self.rows.time_us, self.known_from[asset], self.stops[asset], end_us)
        if self.flush_seq is None:
            return self.rows.offset[at]
        return np.where(at < self.stops[asset], self.rows.offset[np.minimum(at, len(self.rows) - 1)], self.flush_seq)


def _fold(
    fleet: Fleet,
    touched: IntArray,
    *,
    samples: Samples,
    time_us: IntArray,
    now_us: IntArray,
    seqs: _Seqs,
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
    pane_us = sizes[:, 0]
    done, open_ = panes.advance(
        layout,
        catalogue.rows_at,
        open_,
        asset=samples.asset,
        number=time_us // pane_us[samples.asset],
        now=now_us // pane_us,
        add=lambda totals, slot: layout.add(totals, slot, columns),
    )
    fleet.floats[touched, fleet.level[0]] = open_.totals.T
    numbers[:, 0] = open_.number
    closed(done.asset, done.number, done.totals, pane_us[done.asset])
    done_us = done.number * pane_us[done.asset]

    for level, have in fleet.levels(touched):
        place = np.full(len(touched), -1)
        place[have] = np.arange(len(have))
        mine = np.flatnonzero(place[done.asset] >= 0)
        size_us = sizes[have, level]
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

    life = np.ascontiguousarray(fleet.floats[touched, fleet.life].T)
    layout.fold(life, done.asset, done.totals)
    fleet.floats[touched, fleet.life] = life.T
    fleet.ints[touched, NUMBER] = numbers
    return result


def _fold_in(layout: Layout, inner: FloatArray, totals: FloatArray, slot: IntArray) -> None:
    layout.fold(totals, slot, inner)
