"""Rows as they arrive: put into the asset's frame, told from late ones, and in order with the rows that wait."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_app.domain.pending import TimedColumns
from stream_app.domain.rows import COLUMNS, IntArray, Rows
from stream_app.domain.segments import ends
from stream_app.domain.state import NEVER, Fleet

_SIGNED = ("current_a", "power_w")


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Accepted rows sorted by asset, in arrival order within one: asset, newest stamp of it then, source offset."""

    code: IntArray
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


def normalised(fleet: Fleet, rows: Rows, kept: IntArray) -> TimedColumns:
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


def joined(
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


def ordered(rows: TimedColumns, asset: IntArray) -> TimedColumns:
    """Sort each asset's rows by event time; rows of one stamp stay in the order of arrival."""
    return rows.take(np.lexsort((rows.time_us, asset)))
