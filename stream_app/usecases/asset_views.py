"""State as the world sees it: metrics updates, summaries and the catalogue. Commands and queries share it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import orjson

from schemas.asset import AssetSpec
from schemas.control import EndOfUpload
from schemas.metrics import MetricsUpdate
from stream_app.columns.arrays import IntArray
from stream_app.domain import views
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.descriptions import describe
from stream_app.domain.lines import NEVER
from stream_app.domain.metrics._base import Metric
from stream_app.domain.snapshot import Snapshots
from stream_app.domain.state import Fleet
from stream_app.domain.stored_layout import Layouts
from stream_app.domain.views import Readings
from stream_app.wire.encode import updates as update_json

_SHIFT_US = 10**19  # start stamps before 1970 sort as text too

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class AssetSummary:
    """What a look-up needs to know of an asset before it reads any metric."""

    asset_id: str
    seq: int
    rows: int
    rows_rejected: int
    first_time: str | None
    last_time: str | None
    spec: AssetSpec
    ended: EndOfUpload | None
    ended_timestamp_ms: int | None


def window_prefix(asset_id: str, size_s: int) -> bytes:
    """What the keys of an asset's closed windows of one size begin with."""
    return asset_id.encode() + b"\0%010d\0" % size_s


def windows_prefix(asset_id: str) -> bytes:
    """What the keys of all of an asset's closed windows begin with."""
    return asset_id.encode() + b"\0"


def window_key(prefix: bytes, start_us: int) -> bytes:
    """Key of a closed window, given what the keys of its asset and size begin with; they sort by time."""
    return prefix + b"%020d" % (start_us + _SHIFT_US)


class Presenter:
    """Turns state into what is published and answered.

    Parameters
    ----------
    catalogue
        The metrics.
    layouts
        Layouts that stored states may have beside the catalogue's own.
    """

    def __init__(self, catalogue: Catalogue, layouts: Layouts) -> None:
        self._catalogue = catalogue
        self._layouts = layouts

    def updates(self, fleet: Fleet, readings: Readings, *, closed: bool) -> list[tuple[bytes, bytes]]:
        """Asset id and metrics update of each window; ``closed`` windows are final, and so is an ended asset's life."""
        return update_json.updates(self._catalogue, fleet, readings, closed=closed)

    def current(self, fleet: Fleet, slots: IntArray) -> list[tuple[bytes, bytes]]:
        """Updates of the assets' lifetimes and open windows."""
        # Read as one: for a single asset it is not the windows that cost, but each metric's being asked.
        windows = views.concatenated(fleet, list(views.current(fleet, slots)))
        return self.updates(fleet, views.read(fleet, windows, closed=False), closed=False) if len(windows) else []

    def to_json(self, update: MetricsUpdate) -> bytes:
        """Bytes of an update as they are published: absent is what is null, but for ``value`` and ``end``."""
        dumped = update.model_dump()
        for reading in dumped["metrics"].values():
            for name in [name for name, value in reading.items() if value is None and name != "value"]:
                del reading[name]
        return orjson.dumps(dumped)

    def summary(self, asset_id: str, value: bytes) -> AssetSummary:
        """Summary of a stored asset."""
        fleet, slot = self._loaded(asset_id, value)
        integers = fleet.integers
        ended = fleet.ended.get(slot)
        rows_at = self._catalogue.rows_at
        settled = fleet.floats.life[slot, rows_at] + fleet.floats.level(0)[slot, rows_at]

        def time(stamps_us: IntArray) -> str | None:
            return None if stamps_us[slot] == NEVER else update_json.iso_times(stamps_us[slot : slot + 1])[0]

        return AssetSummary(
            asset_id=asset_id,
            seq=int(integers.applied_offset[slot]),
            rows=int(settled) + int(fleet.pending.count[slot]),
            rows_rejected=int(integers.late_rows[slot]),
            first_time=time(integers.first_us),
            last_time=time(integers.last_us),
            spec=fleet.spec[slot],
            ended=ended.control if ended else None,
            ended_timestamp_ms=ended.timestamp_ms if ended else None,
        )

    def asset(self, asset_id: str, value: bytes) -> list[MetricsUpdate]:
        """Lifetime and open windows of a stored asset, ascending by size; empty before its first row."""
        fleet, slot = self._loaded(asset_id, value)
        return [MetricsUpdate.model_validate_json(update) for _, update in self.current(fleet, np.array([slot]))]

    def window(self, key: bytes, value: bytes) -> MetricsUpdate:
        """Read a stored closed window."""
        asset, size, start = key.split(b"\0")
        size_s = int(size)
        fleet = Fleet(self._catalogue, (size_s,))
        slot = fleet.slot(asset.decode())
        one = Snapshots(fleet).load_window(value, slot, size_s * 1_000_000, int(start) - _SHIFT_US, self._layouts)
        ((_, update),) = self.updates(fleet, views.read(fleet, one, closed=True), closed=True)
        return MetricsUpdate.model_validate_json(update)

    def catalogue(self) -> list[Json]:
        """Name, unit, version, description and reference of every metric."""
        return [_entry(metric) for metric in self._catalogue.metrics]

    def window_prefix(self, asset_id: str, size_s: int) -> bytes:
        """What the keys of an asset's closed windows of one size begin with."""
        return window_prefix(asset_id, size_s)

    def _loaded(self, asset_id: str, value: bytes) -> tuple[Fleet, int]:
        fleet = Fleet(self._catalogue, ())
        return fleet, Snapshots(fleet).load(asset_id, value, self._layouts)


def _entry(metric: Metric) -> Json:
    text = describe(metric)
    return {
        "name": metric.name,
        "unit": metric.unit,
        "version": metric.version,
        "description": text.summary,
        "reference": text.reference,
    }
