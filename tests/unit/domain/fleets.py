"""Fleets for tests: rows in, state and readings out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from schemas.asset import AssetSpec, Duplicates
from stream_app.columns.arrays import IntArray
from stream_app.domain import ingestion
from stream_app.domain import views as windows
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.reading import LIFETIME
from stream_app.domain.rows import COLUMNS, Rows
from stream_app.domain.snapshot import Snapshots
from stream_app.domain.state import Fleet
from stream_app.domain.views import Readings, Windows

CATALOGUE = Catalogue()
SIZES_S = (60, 900, 3600, 86400)
START_US = 1_649_808_000_000_000  # 2022-04-13T00:00:00Z

_SHORT = {"current_a": "current", "voltage_v": "voltage", "soc_percent": "soc", "power_w": "power"}
#: Columns that the tests' rows call by their full names.
OTHER_COLUMNS = tuple(column for column in COLUMNS if column not in _SHORT)


def a_fleet(
    specs: dict[str, AssetSpec] | None = None, *, lateness_s: float | None = 0, duplicates: Duplicates = "count"
) -> Fleet:
    fleet = Fleet(CATALOGUE, SIZES_S, lateness_s, duplicates=duplicates)
    for asset_id, spec in (specs or {}).items():
        fleet.set_spec(fleet.slot(asset_id), spec)
    return fleet


def as_rows(fleet: Fleet, rows: Sequence[dict[str, Any]]) -> Rows:
    """Rows with asset, time_us, offset and readings (None: not measured), in arrival order."""

    def column(name: str) -> np.ndarray:
        return np.array([np.nan if row.get(name) is None else row[name] for row in rows], float)

    return Rows(
        asset=np.array([fleet.slot(row["asset"]) for row in rows], np.int64),
        offset=np.array([row["offset"] for row in rows], np.int64),
        time_us=np.array([row["time_us"] for row in rows], np.int64),
        columns={name: column(_SHORT.get(name, name)) for name in COLUMNS},
    )


def fed(fleet: Fleet, rows: Sequence[dict[str, Any]], cuts: Iterable[int] = ()) -> list[Windows]:
    """Apply rows in batches that end at the cuts; returns the windows that were closed."""
    closed: list[Windows] = []
    edges = [0, *sorted(cuts), len(rows)]
    for low, high in pairwise(edges):
        if low < high:
            closed += ingestion.apply(fleet, as_rows(fleet, rows[low:high])).closed
    return closed


def all_bytes(fleet: Fleet, closed: list[Windows]) -> tuple[dict[str, bytes], dict[tuple[str, int, int], bytes]]:
    """Everything that must not depend on the batching: states by asset, closed windows by asset, size and start."""
    snapshots = Snapshots(fleet)
    together = windows.concatenated(fleet, closed)
    names = [fleet.ids[slot] for slot in together.slot.tolist()]
    keys = list(zip(names, together.size_us.tolist(), together.start_us.tolist(), strict=True))
    assert len(set(keys)) == len(keys), "a window was closed twice"
    return (
        {asset_id: snapshots.dump_all(np.array([slot]))[0] for asset_id, slot in fleet.slots.items()},
        dict(zip(keys, snapshots.dump_windows(together, np.arange(len(keys))), strict=True)),
    )


def lifetime(fleet: Fleet, asset_id: str = "a") -> dict[str, Any]:
    """Lifetime readings of one asset: value by metric, None where undefined."""
    life = windows.current(fleet, np.array([fleet.slot(asset_id)]))
    return values(windows.read(fleet, life, closed=False), 0)


def life_and_open(fleet: Fleet, slots: IntArray) -> tuple[Windows, Windows]:
    """Lifetimes and open windows, each by itself."""
    both = windows.current(fleet, slots)
    life = np.flatnonzero(both.size_us == LIFETIME)
    return windows.taken(both, life), windows.taken(both, np.setdiff1d(np.arange(len(both)), life))


def values(readings: Readings, i: int) -> dict[str, Any]:
    """Value by metric of one window, None where undefined."""
    return {
        name: None if reading.reason[i] else np.asarray(reading.value[i]).tolist()
        for name, reading in readings.by_metric.items()
    }
