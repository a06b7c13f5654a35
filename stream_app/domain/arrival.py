"""Rows as they arrive: put into the asset's frame, told from late ones, and in order with the rows that wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import compiled
from stream_app.columns.segments import ends
from stream_app.domain.lines import NEVER
from stream_app.domain.pending import TimedRows
from stream_app.domain.rows import Rows
from stream_app.domain.state import Fleet

_SIGNED = ("current_a", "power_w")
_SCALED = (*_SIGNED, "soc_percent")

T = TypeVar("T", np.float64, np.int64)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Accepted rows sorted by asset, in arrival order within one: asset, newest stamp of it then, source offset."""

    slot: IntArray
    newest_us: IntArray
    offset: IntArray


def newest_stamps(time_us: IntArray, starts: IntArray, newest_us: IntArray) -> tuple[IntArray, IntArray]:
    """Newest stamp of each row's asset after the row and before it; sorted by asset, arrival order within one."""
    n = len(time_us)
    before = np.append(NEVER, time_us[:-1])
    before[starts] = newest_us
    back = time_us < before
    if not back.any():
        return time_us, before
    after = time_us.copy()  # rare: only then is the running maximum needed, asset by asset
    stops = ends(starts, n)
    for i in np.unique(np.searchsorted(starts, np.flatnonzero(back), side="right") - 1).tolist():
        own = slice(starts[i], stops[i])
        running = np.maximum.accumulate(np.append(newest_us[i], time_us[own]))
        before[own], after[own] = running[:-1], running[1:]
    return after, before


def joined(fleet: Fleet, touched: IntArray, rows: Rows, kept: IntArray, came: IntArray) -> tuple[TimedRows, IntArray]:
    """Waiting and arrived rows of the touched assets, asset by asset, and how many there are of each.

    Readings are as the specs say they are to be read: current > 0 charges, SoC in percent. ``kept`` are the positions
    of the arrived rows, sorted by asset, ``came`` is their number per asset.
    """
    waiting, waited = fleet.pending.get(touched), fleet.pending.count(touched)
    n = len(waiting) + len(kept)

    def merged(old: NDArray[T], new: NDArray[T]) -> NDArray[T]:
        out = np.empty(n, old.dtype)
        _merge(np.ascontiguousarray(old), waited, new, kept, came, out)
        return out

    columns, nothing = fleet.catalogue.columns, np.full(n, np.nan)
    still = np.asarray((~np.isnan(waiting.values)).any(axis=1))
    nowhere = np.full(len(rows), np.nan) if still.any() and len(rows.columns) < len(columns) else np.zeros(0)
    values = [
        merged(waiting.values[at], _normalised(fleet, rows, name, nowhere))
        if name in rows.columns or still[at]
        else nothing
        for at, name in enumerate(columns)
    ]
    time_us, offset = merged(waiting.time_us, rows.time_us), merged(waiting.offset, rows.offset)
    return TimedRows(time_us, offset, values), waited + came


def _normalised(fleet: Fleet, rows: Rows, name: str, nowhere: FloatArray) -> FloatArray:
    """A column of the arrived rows in the assets' own frame; ``nowhere`` where it was not measured."""
    column = rows.columns.get(name)
    if column is None:
        return nowhere
    scale = fleet.specs.sign if name in _SIGNED else fleet.specs.soc_factor
    if name in _SCALED and (scale != 1.0).any():
        column = column * scale[rows.asset]
    return column


@compiled
def _merge(old: NDArray[T], waited: IntArray, new: NDArray[T], kept: IntArray, came: IntArray, out: NDArray[T]) -> None:
    """For each asset the old items, then the new ones at the kept positions."""
    a, b, at = 0, 0, 0
    for k in range(len(came)):
        for _ in range(waited[k]):
            out[at] = old[a]
            a += 1
            at += 1
        for _ in range(came[k]):
            out[at] = new[kept[b]]
            b += 1
            at += 1


def ordered(rows: TimedRows, asset: IntArray) -> TimedRows:
    """Sort each asset's rows by event time; rows of one stamp stay in the order of arrival."""
    return rows.take(np.lexsort((rows.time_us, asset)))
