"""State as the world sees it: metrics updates, summaries and the catalogue. Commands and queries share it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import orjson

from schemas.asset import AssetSpec, window_size_name, window_size_s
from schemas.control import EndOfUpload
from schemas.metrics import MetricsUpdate
from stream_app.domain import windows as views
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.metrics._base import Metric, Reading
from stream_app.domain.snapshot import Layouts, Snapshots
from stream_app.domain.state import APPLIED, FIRST_US, LAST_US, LATE, NEVER, Fleet
from stream_app.domain.windows import LIFETIME, Readings

LIFETIME_NAME = "lifetime"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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


def iso_time(time_us: int) -> str:
    """ISO 8601 in UTC, with as many digits as the stamp needs."""
    time = _EPOCH + timedelta(microseconds=time_us)
    return time.isoformat(timespec="microseconds" if time_us % 1_000_000 else "seconds").replace("+00:00", "Z")


def window_prefix(asset_id: str, size_s: int) -> bytes:
    """What the keys of an asset's closed windows of one size begin with."""
    return asset_id.encode() + b"\0%010d\0" % size_s


def windows_prefix(asset_id: str) -> bytes:
    """What the keys of all of an asset's closed windows begin with."""
    return asset_id.encode() + b"\0"


def window_key(asset_id: str, size_us: int, start_us: int) -> bytes:
    """Key of a closed window; keys of one size sort by time."""
    return window_prefix(asset_id, size_us // 1_000_000) + b"%020d" % (start_us + _SHIFT_US)


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

    def updates(self, fleet: Fleet, readings: Readings, *, closed: bool) -> Iterator[tuple[str, Json]]:
        """Asset id and metrics update of each window; ``closed`` windows are final, and so is an ended asset's life."""
        windows = readings.windows
        coverage = [None if np.isnan(share) else share for share in readings.coverage.tolist()]
        columns = [
            (metric.name, list(_values(metric, readings.by_metric[metric.name], coverage)))
            for metric in self._catalogue.metrics
        ]
        places = zip(*(getattr(windows, n).tolist() for n in ("code", "size_us", "start_us", "seq")), strict=True)
        for i, (code, size_us, start_us, seq) in enumerate(places):
            life = size_us == LIFETIME
            window: Json = {
                "size": LIFETIME_NAME if life else window_size_name(size_us // 1_000_000),
                "start": iso_time(start_us),
                "end": None if life else iso_time(start_us + size_us),
            }
            asset_id = fleet.ids[code]
            yield (
                asset_id,
                {
                    "asset_id": asset_id,
                    "window": window,
                    "seq": seq,
                    "final": closed or code in fleet.ended,
                    "metrics": {name: values[i] for name, values in columns},
                },
            )

    def current(self, fleet: Fleet, codes: np.ndarray) -> Iterator[tuple[str, Json]]:
        """Updates of the assets' lifetimes and open windows."""
        for windows in views.current(fleet, codes):
            if len(windows):
                yield from self.updates(fleet, views.read(fleet, windows, closed=False), closed=False)

    def to_json(self, update: MetricsUpdate) -> bytes:
        """Bytes of an update as they are published: absent is what is null, but for ``value`` and ``end``."""
        dumped = update.model_dump()
        for reading in dumped["metrics"].values():
            for name in [name for name, value in reading.items() if value is None and name != "value"]:
                del reading[name]
        return orjson.dumps(dumped)

    def summary(self, asset_id: str, value: bytes) -> AssetSummary:
        """Summary of a stored asset."""
        fleet, code = self._loaded(asset_id, value)
        ints = fleet.ints[code]
        ended = fleet.ended.get(code)
        rows_at = self._catalogue.rows_at
        settled = fleet.floats[code, fleet.life][rows_at] + fleet.floats[code, fleet.level[0]][rows_at]

        def time(at: int) -> str | None:
            return None if ints[at] == NEVER else iso_time(int(ints[at]))

        return AssetSummary(
            asset_id=asset_id,
            seq=int(ints[APPLIED]),
            rows=int(settled) + int(fleet.pending.count(np.array([code]))[0]),
            rows_rejected=int(ints[LATE]),
            first_time=time(FIRST_US),
            last_time=time(LAST_US),
            spec=fleet.spec[code],
            ended=ended.control if ended else None,
            ended_timestamp_ms=ended.timestamp_ms if ended else None,
        )

    def asset(self, asset_id: str, value: bytes) -> list[MetricsUpdate]:
        """Lifetime and open windows of a stored asset, ascending by size; empty before its first row."""
        fleet, code = self._loaded(asset_id, value)
        return [MetricsUpdate.model_validate(update) for _, update in self.current(fleet, np.array([code]))]

    def window(self, key: bytes, value: bytes) -> MetricsUpdate:
        """Read a stored closed window."""
        asset, size, start = key.split(b"\0")
        size_s = int(size)
        fleet = Fleet(self._catalogue, (size_s,))
        code = fleet.code(asset.decode())
        one = Snapshots(fleet).load_window(value, code, size_s * 1_000_000, int(start) - _SHIFT_US, self._layouts)
        ((_, update),) = self.updates(fleet, views.read(fleet, one, closed=True), closed=True)
        return MetricsUpdate.model_validate(update)

    def catalogue(self) -> list[Json]:
        """Name, unit, version, description and reference of every metric."""
        return [_entry(metric) for metric in self._catalogue.metrics]

    def window_prefix(self, asset_id: str, size_s: int) -> bytes:
        """What the keys of an asset's closed windows of one size begin with."""
        return window_prefix(asset_id, size_s)

    def _loaded(self, asset_id: str, value: bytes) -> tuple[Fleet, int]:
        fleet = Fleet(self._catalogue, (window_size_s("1d"),))
        return fleet, Snapshots(fleet).load(asset_id, value, self._layouts)


def _values(metric: Metric, reading: Reading, coverage: list[float | None]) -> Iterator[Json]:
    """One metric's MetricValue of each window."""
    unit, timed, count = metric.unit, metric.timed, metric.count
    sigma = None if reading.sigma is None else reading.sigma.tolist()
    unchecked = None if reading.unchecked is None else reading.unchecked.tolist()
    for i, (value, reason) in enumerate(zip(reading.value.tolist(), reading.reason, strict=True)):
        out: Json = {"value": None if reason else (int(value) if count else value), "unit": unit}
        if reason:
            out["reason"] = reason
        if sigma is not None and np.isfinite(sigma[i]):
            out["sigma"] = sigma[i]
        if reason and unchecked is not None and np.isfinite(unchecked[i]):
            out["value_unchecked"] = unchecked[i]
        if timed and coverage[i] is not None:
            out["coverage"] = coverage[i]
        yield out


def _entry(metric: Metric) -> Json:
    text = inspect.getdoc(metric) or ""
    description, _, rest = text.partition("\n\n")
    _, _, reference = rest.partition("References\n----------\n")
    return {
        "name": metric.name,
        "unit": metric.unit,
        "version": metric.version,
        "description": " ".join(description.split()),
        "reference": " ".join(reference.partition("\n\n")[0].split()) or None,
    }
