"""Which source offset closed a window: what makes the sequence number of its final update."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_app.columns.arrays import IntArray
from stream_app.columns.segments import first_at_or_after
from stream_app.domain.arrival import Arrivals
from stream_app.domain.pending import TimedRows


@dataclass(frozen=True, slots=True)
class Closings:
    """Finds the source offset that closed a window.

    It is the first arrival at which no row before the first stamp at or after the window's end could come any more.
    """

    rows: TimedRows
    stops: IntArray
    known_from: IntArray
    arrivals: Arrivals
    touched: IntArray
    lateness_us: int
    flush_seq: int | None

    def of(self, asset: IntArray, end_us: IntArray) -> IntArray:
        """Offset that closed each window, of an asset (by position) and with an end."""
        rows, stops = self.rows, self.stops[asset]
        at = first_at_or_after(rows.time_us, self.known_from[asset], stops, end_us)
        found = at < stops
        at = np.minimum(at, stops - 1)
        slot = self.touched[asset]
        low = np.searchsorted(self.arrivals.slot, slot, side="left")
        high = np.searchsorted(self.arrivals.slot, slot, side="right")
        due_us = rows.time_us[at] + self.lateness_us
        arrival = first_at_or_after(self.arrivals.newest_us, low, high, due_us)
        found &= arrival < high
        if not found.all() and self.flush_seq is None:  # settled early, for want of room: by the newest row
            arrival = np.where(found, arrival, high - 1)
            found[:] = True
        if not len(self.arrivals.slot):
            return np.full(len(asset), self.flush_seq)
        # Not before that first stamp had itself arrived, nor before anything of the asset could be settled.
        seq = self.arrivals.offset[np.minimum(arrival, high - 1)]
        seq = np.maximum(seq, np.maximum(rows.offset[at], rows.offset[self.known_from[asset]]))
        return seq if self.flush_seq is None else np.where(found, seq, self.flush_seq)
