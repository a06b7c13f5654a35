"""The path of rows through the domain: from arrival order to closed windows, by one compiled walk over a fetch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isnan
from typing import Final

import numpy as np

from schemas.columns import COLUMNS
from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.segments import segments_of
from stream_app.domain.compilation import compiled_walk
from stream_app.domain.durations import MAX_PER_STAMP
from stream_app.domain.lines import LAST_US, NEVER, OPEN_NUMBER, SIZE_US, WATERMARK_US
from stream_app.domain.passing import NO_FLUSH
from stream_app.domain.portion import AHEAD, LATE
from stream_app.domain.repeats import AS_IT_IS, SIGNED, SOC
from stream_app.domain.rows import Rows
from stream_app.domain.state import Fleet
from stream_app.domain.views import Windows

#: Rows of an asset that wait at most: beyond it the oldest are settled early. Bounds the state; two full stamps fit.
MAX_WAITING = 2 * MAX_PER_STAMP

_FOREVER: Final = np.iinfo(np.int64).max
_NONE = np.zeros(0, np.int64)
_NOTHING = np.zeros(0)
#: Columns that are brought into the asset's own frame.
_FRAMES: Final = {**{column.name: SIGNED for column in COLUMNS if column.signed}, "soc_percent": SOC}


@dataclass(frozen=True, slots=True)
class Leap:
    """A held row that was refused, as the next one was back before it.

    ``newest_us`` is the asset's newest stamp at that time; ``readings`` are the measured ones as they were sent.
    """

    slot: int
    time_us: int
    offset: int
    newest_us: int
    readings: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of rows: positions of those that were refused, ascending, and the windows that were closed.

    ``late`` came too late; ``ahead`` have a stamp later than their record allows. ``leaps`` may have come with fetches
    before.
    """

    late: IntArray
    ahead: IntArray
    leaps: list[Leap]
    closed: list[Windows]


def apply(fleet: Fleet, rows: Rows) -> Applied:
    """Apply rows in arrival order; rows whose offset the asset's state includes already are skipped.

    A row whose event time is further behind its asset's newest than the allowed lateness is late: it is counted and
    left out. Others are taken in the order of (event time, arrival). A row that leaps ahead is held until a later one
    confirms it; if the next one is back before it, it is refused.
    """
    order, touched, starts, stops = segments_of(rows.asset, len(fleet.integers.array))
    (refused, why), leaps, closed = _walk(fleet, rows, (touched, starts, stops, order), NO_FLUSH, _FOREVER)
    return Applied(np.sort(refused[why == LATE]), np.sort(refused[why == AHEAD]), leaps, closed)


def finish(fleet: Fleet, slot: int, seq: int) -> list[Windows]:
    """Settle what still waits and close every window of an asset to which no row will come; ``seq`` is the offset."""
    return _flush(fleet, slot, seq, _FOREVER)


def close_until(fleet: Fleet, slot: int, until_us: int, seq: int) -> list[Windows]:
    """Settle what waits and close the windows of a silent asset that have ended by ``until_us``; ``seq`` is the offset.

    Rows before ``until_us`` are late from here on. Nothing happens to an asset that has a row at or after it, or whose
    windows were closed up to it before.
    """
    line = fleet.integers.array[slot]
    if line[LAST_US] == NEVER or max(line[LAST_US], line[WATERMARK_US]) >= until_us:
        return []
    closed = _flush(fleet, slot, seq, until_us)
    # Rows that share the last stamp are spread, and may have opened a window that begins later.
    line[WATERMARK_US] = max(until_us, line[OPEN_NUMBER] * line[SIZE_US])
    return closed


def _flush(fleet: Fleet, slot: int, seq: int, until_us: int) -> list[Windows]:
    nothing = Rows(_NONE, _NONE, _NONE, {})
    zero = np.zeros(1, np.int64)
    return _walk(fleet, nothing, (np.array([slot]), zero, zero, _NONE), seq, until_us)[2]


def _walk(
    fleet: Fleet, rows: Rows, segments: tuple[IntArray, IntArray, IntArray, IntArray], flush_seq: int, until_us: int
) -> tuple[tuple[IntArray, IntArray], list[Leap], list[Windows]]:
    """Walk segments of rows, making room as it is needed.

    Returns
    -------
    refused rows and why, refused leaps, and closed windows level by level
    """
    touched, starts, stops, order = segments
    if not len(touched):
        return (_NONE, _NONE), [], []
    walk, space, layout = compiled_walk(fleet.catalogue), fleet.workspace, fleet.catalogue.layout
    place = np.array([0, starts[0]])
    refused = np.empty(len(order), np.int64), np.empty(len(order), np.int64), np.zeros(1, np.int64)
    columns = tuple(np.ascontiguousarray(rows.columns.get(name, _NOTHING)) for name in fleet.catalogue.columns)
    given = (touched, starts, stops, order, fleet.integers.applied_offset[touched])
    specs = fleet.specs
    parts: list[tuple[IntArray, FloatArray]] = []
    leaps: list[Leap] = []
    while True:
        done = walk(
            place,
            given,
            (rows.time_us, rows.offset, columns, rows.latest_us),
            (fleet.integers.array, fleet.floats.array),
            fleet.floats.places,
            (layout.kinds, layout.identity, fleet.catalogue.rows_at),
            (
                specs.sign,
                specs.soc_factor,
                specs.period_s,
                specs.max_gap_s,
                specs.least_gap_s,
                fleet.admission.drops_repeats,
            ),
            _frame(fleet.catalogue.columns),
            fleet.pending.view(),
            fleet.stacks.view(),
            *space.arrays(),
            refused,
            (fleet.admission.lateness_us, flush_seq, MAX_WAITING, until_us),
        )
        if (part := space.closed()) is not None:
            parts.append(part if done else (part[0].copy(), part[1].copy()))
        if (some := space.refused()) is not None:
            leaps += _leaps(fleet, *some)
        if done:
            break
        slot = touched[place[0]]
        fleet.pending.reserve(2 * space.reserve(int(fleet.pending.count[slot])))
        fleet.stacks.reserve(2 * space.stacked)
    n = refused[2][0]
    return (refused[0][:n], refused[1][:n]), leaps, _closed(fleet, parts)


def _closed(fleet: Fleet, parts: list[tuple[IntArray, FloatArray]]) -> list[Windows]:
    """Windows that were closed, those of the smallest size first."""
    if not parts:
        return []
    about, totals = parts[0]
    if len(parts) > 1:
        about = np.concatenate([about for about, _ in parts])
        totals = np.concatenate([totals for _, totals in parts])
    order = np.argsort(about[:, 0], kind="stable")
    _, slot, size_us, start_us, seq = about[order].T
    totals = totals.take(order, axis=0)  # the only copy of what was closed, almost always
    windows = Windows.of(fleet, slot=slot, size_us=size_us, start_us=start_us, seq=seq, totals=totals)
    for i in windows.since:
        del fleet.since[int(slot[i])][int(size_us[i]), int(start_us[i])]
    return [windows]


def _leaps(fleet: Fleet, about: IntArray, values: FloatArray) -> Iterator[Leap]:
    """Refused leaps, each with the readings that it was sent with."""
    names, frame = fleet.catalogue.columns, _frame(fleet.catalogue.columns)
    for (slot, time_us, offset, newest_us), row in zip(about.tolist(), values, strict=True):
        factors = np.ones(len(names))
        factors[frame == SIGNED], factors[frame == SOC] = fleet.specs.sign[slot], fleet.specs.soc_factor[slot]
        sent = (row / factors).tolist()
        readings = {name: value for name, value in zip(names, sent, strict=True) if not isnan(value)}
        yield Leap(slot, time_us, offset, newest_us, readings)


@lru_cache(maxsize=8)
def _frame(columns: tuple[str, ...]) -> IntArray:
    """How each column is brought into an asset's own frame."""
    return np.array([_FRAMES.get(name, AS_IT_IS) for name in columns], np.int64)
