"""The path of rows through the domain: from arrival order to closed windows, by one compiled walk over a fetch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.segments import segments_of
from stream_app.domain.compilation import compiled_walk
from stream_app.domain.durations import MAX_PER_STAMP
from stream_app.domain.lines import LAST_US, NEVER, OPEN_NUMBER, SIZE_US, WATERMARK_US
from stream_app.domain.passing import NO_FLUSH
from stream_app.domain.portion import AS_IT_IS, SIGNED, SOC
from stream_app.domain.rows import Rows
from stream_app.domain.state import Fleet
from stream_app.domain.views import Windows

#: Rows of an asset that wait at most: beyond it the oldest are settled early. Bounds the state; two full stamps fit.
MAX_WAITING = 2 * MAX_PER_STAMP

_FOREVER: Final = np.iinfo(np.int64).max
_NONE = np.zeros(0, np.int64)
_NOTHING = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of rows: positions of those that came too late, and the windows that were closed."""

    late: IntArray
    closed: list[Windows]


def apply(fleet: Fleet, rows: Rows) -> Applied:
    """Apply rows in arrival order; rows whose offset the asset's state includes already are skipped.

    A row whose event time is further behind its asset's newest than the allowed lateness is late: it is counted and
    left out. Others are taken in the order of (event time, arrival).
    """
    order, touched, starts, stops = segments_of(rows.asset, len(fleet.integers.array))
    late, closed = _walk(fleet, rows, (touched, starts, stops, order), NO_FLUSH, _FOREVER)
    return Applied(np.sort(late), closed)


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
    return _walk(fleet, nothing, (np.array([slot]), zero, zero, _NONE), seq, until_us)[1]


def _walk(
    fleet: Fleet, rows: Rows, segments: tuple[IntArray, IntArray, IntArray, IntArray], flush_seq: int, until_us: int
) -> tuple[IntArray, list[Windows]]:
    """Walk segments of rows, making room as it is needed; late rows, and closed windows level by level."""
    touched, starts, stops, order = segments
    if not len(touched):
        return _NONE, []
    walk, space, layout = compiled_walk(fleet.catalogue), fleet.workspace, fleet.catalogue.layout
    place = np.array([0, starts[0]])
    late = np.empty(len(order), np.int64), np.zeros(1, np.int64)
    columns = tuple(np.ascontiguousarray(rows.columns.get(name, _NOTHING)) for name in fleet.catalogue.columns)
    given = (touched, starts, stops, order, fleet.integers.applied_offset[touched])
    specs = fleet.specs
    parts: list[tuple[IntArray, FloatArray]] = []
    while True:
        done = walk(
            place,
            given,
            (rows.time_us, rows.offset, columns),
            (fleet.integers.array, fleet.floats.array),
            fleet.floats.places,
            (layout.kinds, layout.identity, fleet.catalogue.rows_at),
            (specs.sign, specs.soc_factor, specs.period_s, specs.max_gap_s, specs.rest_current_a),
            _frame(fleet.catalogue.columns),
            fleet.pending.view(),
            fleet.stacks.view(),
            *space.arrays(),
            late,
            (fleet.lateness_us, flush_seq, MAX_WAITING, until_us),
        )
        if (part := space.closed()) is not None:
            parts.append(part)
        if done:
            break
        slot = touched[place[0]]
        fleet.pending.reserve(2 * space.reserve(int(fleet.pending.count[slot])))
        fleet.stacks.reserve(2 * space.stacked)
    return late[0][: late[1][0]], _closed(fleet, parts)


def _closed(fleet: Fleet, parts: list[tuple[IntArray, FloatArray]]) -> list[Windows]:
    """Windows that were closed, those of the smallest size first."""
    if not parts:
        return []
    about = np.concatenate([about for about, _ in parts])
    totals = np.concatenate([totals for _, totals in parts])
    order = np.argsort(about[:, 0], kind="stable")
    _, slot, size_us, start_us, seq = about[order].T
    windows = Windows.of(fleet, slot=slot, size_us=size_us, start_us=start_us, seq=seq, totals=totals[order])
    for i in windows.since:
        del fleet.since[int(slot[i])][int(size_us[i]), int(start_us[i])]
    return [windows]


@lru_cache(maxsize=8)
def _frame(columns: tuple[str, ...]) -> IntArray:
    """How each column is brought into an asset's own frame."""
    scaled = {"current_a": SIGNED, "power_w": SIGNED, "soc_percent": SOC}
    return np.array([scaled.get(name, AS_IT_IS) for name in columns], np.int64)
