"""Stored state as values: what is known of an asset, and what the metrics of its windows read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.asset import AssetSpec
from schemas.control import EndOfUpload
from stream_app.columns.arrays import IntArray
from stream_app.domain import spans, views
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.lateness import lateness_us
from stream_app.domain.lines import NEVER
from stream_app.domain.reading import LIFETIME
from stream_app.domain.snapshot import Progress, Snapshots
from stream_app.domain.state import Fleet
from stream_app.domain.stored_layout import Layouts
from stream_app.domain.views import Readings
from stream_app.usecases import window_keys
from stream_app.usecases.spans import Span, SpanRead
from stream_app.usecases.temperatures import STEP_K, TemperatureBin
from stream_app.wire.encode.updates import iso_times

#: States that are read into a fleet before another one takes its place.
_STATES_PER_FLEET: Final = 64


@dataclass(frozen=True, slots=True)
class AssetSummary:
    """What is known of an asset beside its metrics.

    Parameters
    ----------
    seq
        Last source offset included.
    rows, rows_rejected
        Rows applied, and rows that came too late or whose stamps are not plausible.
    rows_held
        Of the rows those that leapt ahead and wait until a later row confirms them; no metric counts them until then.
    rows_repeated, rows_differing
        Where repeats are dropped: rows that were, and rows that differ from all others of their stamp.
    lateness_s
        How far behind the newest stamp a row may be now [s].
    first_time, last_time
        Oldest and newest stamp (ISO 8601, UTC); None before the first row.
    ended, ended_timestamp_ms
        How an upload ended, and when; None while it has not.
    """

    asset_id: str
    seq: int
    rows: int
    rows_rejected: int
    rows_held: int
    rows_repeated: int
    rows_differing: int
    lateness_s: float
    first_time: str | None
    last_time: str | None
    spec: AssetSpec
    ended: EndOfUpload | None
    ended_timestamp_ms: int | None


@dataclass(frozen=True, slots=True)
class AssetView:
    """An asset's summary, and the readings of its lifetime (the first) and its open windows (ascending by size).

    Before the first row there are no windows; ``readings`` is None where they were not wanted.
    """

    summary: AssetSummary
    readings: Readings | None


def current(fleet: Fleet, slots: IntArray) -> Readings:
    """Read the lifetimes of the assets that have rows, then their open windows."""
    return views.read(fleet, views.current(fleet, slots), closed=False)


def rows_of(fleet: Fleet, slots: IntArray, rows_at: int) -> IntArray:
    """Rows of assets, with those that wait for their place in time, held ones too; ``rows_at`` is the catalogue's."""
    counted = fleet.floats.life[slots, rows_at] + fleet.floats.level(0)[slots, rows_at]
    rows: IntArray = counted.astype(np.int64) + fleet.pending.count[slots]
    return rows


class AssetViews:
    """Reads stored states. What it returns are values of their own, independent of what is read later.

    Parameters
    ----------
    catalogue
        The metrics.
    layouts
        Layouts that stored states may have beside the catalogue's own.
    lateness_s
        As the ingest has it.
    """

    def __init__(self, catalogue: Catalogue, layouts: Layouts, lateness_s: float | None = 0) -> None:
        self._catalogue, self._lateness_s = catalogue, lateness_s
        self._layouts = layouts
        self._renew()

    def summary(self, asset_id: str, value: bytes) -> AssetSummary:
        """Read what is known of a stored asset. DomainError: the state cannot be read."""
        return self.asset(asset_id, value, wanted=lambda _: False).summary

    def progress(self, asset_id: str, value: bytes) -> Progress:
        """Read only how far a stored asset is. DomainError: the state cannot be read."""
        return self._snapshots.progress(asset_id, value, self._layouts)

    def asset(
        self, asset_id: str, value: bytes, *, wanted: Callable[[AssetSummary], bool] = lambda _: True
    ) -> AssetView:
        """Read a stored asset, and its metrics if they are ``wanted``. DomainError: the state cannot be read."""
        self._line(asset_id)
        slot = self._snapshots.load(asset_id, value, self._layouts)
        summary = self._summary(asset_id, slot)
        return AssetView(summary, current(self._fleet, np.array([slot])) if wanted(summary) else None)

    def open_ends_us(self, asset_id: str, value: bytes) -> list[int]:
        """Ends of a stored asset's open windows [us], ascending; none of an upload that has ended.

        DomainError: the state cannot be read.
        """
        self._line(asset_id)
        slot = self._snapshots.load(asset_id, value, self._layouts)
        if slot in self._fleet.ended:
            return []
        open_ = views.current(self._fleet, np.array([slot]))
        ends_us: list[int] = (open_.start_us + open_.size_us)[open_.size_us != LIFETIME].tolist()
        return sorted(ends_us)

    def windows(self, asset_id: str, size_s: int, stored: Iterable[tuple[bytes, bytes]]) -> Readings:
        """Read closed windows of one asset and size, given by key and value. DomainError: one cannot be read."""
        slot = self._line(asset_id)
        windows = [
            self._snapshots.load_window(value, slot, size_s * 1_000_000, window_keys.start_us(key), self._layouts)
            for key, value in stored
        ]
        return views.read(self._fleet, views.concatenated(self._fleet, windows), closed=True)

    def span(self, asset_id: str, value: bytes, span: Span, stored: Mapping[bytes, bytes]) -> SpanRead | None:
        """Read the newest windows of a stored asset as one; None before its first row.

        ``stored`` are its closed windows of the span's pane, by key. DomainError: a state cannot be read.
        """
        slot, closed, open_ = self._panes(asset_id, value, span.pane_s, stored)
        fleet, pane_us, size_us = self._fleet, span.pane_s * 1_000_000, span.size_s * 1_000_000
        if not fleet.has_rows(slot):
            return None
        last_us = int(fleet.integers.last_us[slot])
        newest_us = int(open_.start_us[0]) if len(open_) else last_us // pane_us * pane_us
        begin_us = newest_us + pane_us - size_us
        panes = views.concatenated(fleet, [closed, open_])
        parts = views.taken(panes, np.flatnonzero(panes.start_us >= begin_us))
        whole = spans.folded(fleet, slot, parts, size_us=size_us, start_us=begin_us)
        begin, end = iso_times(np.array([begin_us, min(last_us, begin_us + size_us)]))
        return SpanRead(span, views.read(fleet, whole, closed=False), len(parts), begin, end)

    def by_temperature(
        self, asset_id: str, value: bytes, size_s: int, stored: Mapping[bytes, bytes]
    ) -> tuple[list[TemperatureBin], int]:
        """Read a stored asset's windows of a size by their mean temperature, and count those that have none.

        ``stored`` are the closed ones by key; the open one counts too. DomainError: a state cannot be read.
        """
        slot, closed, open_ = self._panes(asset_id, value, size_s, stored)
        fleet = self._fleet
        panes = views.concatenated(fleet, [closed, open_])
        means_c = views.read(fleet, panes, closed=False).by_metric["temperature_mean_c"].value
        bins = np.floor(means_c / STEP_K)
        found = []
        for number in np.unique(bins[~np.isnan(bins)]).tolist():
            alike = views.taken(panes, np.flatnonzero(bins == number))
            size_us = int(alike.size_us.sum())
            whole = spans.folded(fleet, slot, alike, size_us=size_us, start_us=int(alike.start_us[0]))
            readings = views.read(fleet, whole, closed=False)
            found.append(TemperatureBin(number * STEP_K, len(alike), readings))
        return found, int(np.isnan(bins).sum())

    def _panes(
        self, asset_id: str, value: bytes, size_s: int, stored: Mapping[bytes, bytes]
    ) -> tuple[int, views.Windows, views.Windows]:
        """The slot of a stored asset, its closed windows of a size by start, and its open one."""
        self._line(asset_id)
        slot = self._snapshots.load(asset_id, value, self._layouts)
        fleet, size_us = self._fleet, size_s * 1_000_000
        current, spec = views.current(fleet, np.array([slot])), fleet.spec[slot]
        open_ = views.taken(current, np.flatnonzero(current.size_us == size_us))
        before_us = int(open_.start_us[0]) if len(open_) else np.iinfo(np.int64).max
        closed = [
            self._snapshots.load_window(stored[key], slot, size_us, start_us, self._layouts)
            for key in stored
            if (start_us := window_keys.start_us(key)) < before_us
        ]
        fleet.read_by(slot, spec)  # a window's own was in force then
        return slot, views.concatenated(fleet, closed), open_

    def _renew(self) -> None:
        self._fleet = Fleet(self._catalogue, (), self._lateness_s)
        self._snapshots = Snapshots(self._fleet)

    def _line(self, asset_id: str) -> int:
        """Give the asset a blank line: to build a fleet for each state takes longer than to read the state."""
        if len(self._fleet.ids) >= _STATES_PER_FLEET:
            self._renew()
        if asset_id in self._fleet.slots:
            self._fleet.remove(asset_id)
        return self._fleet.slot(asset_id)

    def _summary(self, asset_id: str, slot: int) -> AssetSummary:
        fleet = self._fleet
        integers, ended = fleet.integers, fleet.ended.get(slot)
        stamps_us = np.array([integers.first_us[slot], integers.last_us[slot]])
        first_time, last_time = iso_times(stamps_us) if stamps_us[1] != NEVER else (None, None)
        return AssetSummary(
            asset_id=asset_id,
            seq=int(integers.applied_offset[slot]),
            rows=int(rows_of(fleet, np.array([slot]), self._catalogue.rows_at)[0]),
            rows_rejected=int(integers.late_rows[slot]),
            rows_held=int(integers.held_rows[slot]),
            rows_repeated=int(integers.repeated_rows[slot]),
            rows_differing=int(integers.differing_rows[slot]),
            lateness_s=lateness_us(fleet.admission.lateness_us, int(integers.unordered_rows[slot])) / 1e6,
            first_time=first_time,
            last_time=last_time,
            spec=fleet.spec[slot],
            ended=ended.control if ended else None,
            ended_timestamp_ms=ended.timestamp_ms if ended else None,
        )
