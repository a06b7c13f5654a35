"""Golden states: what a release has stored, kept for ever, with what it must read as.

``python -m tests.unit.domain.golden_states`` writes those of the present format, once; what is there is never changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from schemas.asset import AssetSpec
from schemas.control import EndOfUpload
from stream_app.domain import ingestion, views
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.snapshot import FORMAT, Marker, Snapshots
from stream_app.domain.state import Ended, Fleet
from stream_app.domain.stored_layout import Layouts
from stream_app.domain.views import Windows
from tests.unit.domain.fleets import CATALOGUE, START_US, fed

FOLDER: Final = Path(__file__).parents[2] / "data" / "states"
SIZES_S: Final = (60, 900, 3600)
LATENESS_S: Final = 5.0
_SPECS: Final = {
    "late": AssetSpec(nominal_capacity_ah=100),
    "loops": AssetSpec(nominal_capacity_ah=0.5, sampling_period_s=1, max_gap_s=30),
    "repeated": AssetSpec(current_sign="discharge_positive", soc_scale="fraction"),
    "ended": AssetSpec(),
    "own-sizes": AssetSpec(windows=("1m", "2m")),
}

Json = dict[str, Any]


def rows(first: int, last: int) -> list[Json]:
    """Rows of five assets, from the same pseudo-random walk: stamps that go back and repeat, gaps, missing readings."""
    rng = np.random.default_rng(11)
    made: list[Json] = []
    for i in range(last):
        asset = list(_SPECS)[i % 5]
        second = i // 5 + {"late": int(rng.integers(-3, 3)), "repeated": -(i // 5 % 7)}.get(asset, 0)
        if asset == "loops" and i > 700:
            second += 900
        soc = 50 + 30 * np.sin(i / 40) * np.cos(i / 900) + float(rng.normal(0, 2))
        missing = rng.random(3) < 0.05
        power = round(float(rng.normal(0, 4000)), 1)
        made.append(
            {
                "asset": asset,
                "offset": 10 + i,
                "time_us": START_US + second * 1_000_000,
                "current": None if missing[0] else round(float(40 * np.cos(i / 40) + rng.normal(0, 1)), 2),
                "voltage": None if missing[1] else round(float(rng.uniform(800, 900)), 1),
                "soc": None if missing[2] else round(float(soc) / (100 if asset == "repeated" else 1), 3),
                "power": power if rng.random() < 0.1 else None,
            }
        )
    return [row for row in made[first:] if row["asset"] != "ended" or row["offset"] < 1210]


def a_fleet(catalogue: Catalogue = CATALOGUE, sizes_s: tuple[int, ...] = SIZES_S) -> Fleet:
    """A fleet of a deployment that computes a catalogue and keeps windows."""
    return Fleet(catalogue, sizes_s, LATENESS_S)


def loaded(folder: Path, fleet: Fleet) -> tuple[Fleet, Layouts]:
    """Read the golden assets into a fleet; its layouts."""
    layouts = Marker.load((folder / "marker.bin").read_bytes()).layouts
    for path in sorted(folder.glob("asset-*.bin")):
        Snapshots(fleet).load(path.stem.removeprefix("asset-"), path.read_bytes(), layouts)
    return fleet, layouts


def stored_windows(folder: Path, fleet: Fleet, layouts: Layouts) -> Iterator[tuple[str, Windows]]:
    """Asset and each golden closed window."""
    for path in sorted(folder.glob("window-*.bin")):
        asset_id, size_us, start_us = path.stem.removeprefix("window-").rsplit("_", 2)
        slot = fleet.slot(asset_id)
        yield asset_id, Snapshots(fleet).load_window(path.read_bytes(), slot, int(size_us), int(start_us), layouts)


def read(fleet: Fleet, windows: Windows, *, closed: bool) -> dict[str, Json]:
    """Readings of each window, by asset, size and start: value or reason, and coverage, by metric and version."""
    readings = views.read(fleet, windows, closed=closed)
    found: dict[str, Json] = {}
    for i, (slot, size, start) in enumerate(zip(windows.slot, windows.size_us, windows.start_us, strict=True)):
        found[f"{fleet.ids[slot]} {size} {start} {windows.seq[i]}"] = {
            f"{metric.name}@{metric.version}": [
                reading.reason[i] or np.asarray(reading.value[i]).tolist(),
                None if np.isnan(readings.coverage[i]) else float(readings.coverage[i]),
            ]
            for metric in fleet.catalogue.metrics
            for reading in [readings.by_metric[metric.name]]
        }
    return found


def now(fleet: Fleet) -> dict[str, Json]:
    """Readings of all lifetimes and open windows."""
    slots = np.array(sorted(fleet.slots.values()), np.int64)
    return read(fleet, views.current(fleet, slots), closed=False)


def with_former_gap_limits(fleet: Fleet) -> None:
    """Go on with three periods as the gap limit, by specs: it was the rule of the releases that wrote these states."""
    for slot in fleet.slots.values():
        period_s = float(fleet.floats.period_s[slot])
        if fleet.spec[slot].max_gap_s is None and not np.isnan(period_s):
            fleet.set_spec(slot, fleet.spec[slot].model_copy(update={"max_gap_s": 3 * period_s}))


def gone_on(fleet: Fleet, more: Sequence[Json]) -> dict[str, Json]:
    """Readings after more rows: of windows that they close, of lifetimes and open windows."""
    closed = views.concatenated(fleet, fed(fleet, more, range(0, len(more), 17)))
    return read(fleet, closed, closed=True) | now(fleet)


def _write(folder: Path) -> None:
    folder.mkdir(parents=True)  # what is there is kept
    fleet = a_fleet()
    for asset_id, spec in _SPECS.items():
        fleet.set_spec(fleet.slot(asset_id), spec)
    fleet.set_sizes(fleet.slot("own-sizes"), (60, 120))
    closed = fed(fleet, rows(0, 1500), range(0, 1500, 40))
    slot = fleet.slot("ended")
    closed += ingestion.finish(fleet, slot, 1510)
    fleet.integers.applied_offset[slot] = 1510
    fleet.ended[slot] = Ended(EndOfUpload(asset_id="ended", rows=240), 1_649_808_300_000)
    snapshots = Snapshots(fleet)
    (folder / "marker.bin").write_bytes(Marker(1511, snapshots.layouts).dump())
    for asset_id, own in fleet.slots.items():
        (folder / f"asset-{asset_id}.bin").write_bytes(snapshots.dump_all(np.array([own]))[0])
    together = views.concatenated(fleet, closed)
    newest = [positions[-1] for _, _, positions, _ in views.by_asset_and_size(together)]
    for i, value in zip(newest, snapshots.dump_windows(together, np.array(newest)), strict=True):
        name = f"window-{fleet.ids[together.slot[i]]}_{together.size_us[i]}_{together.start_us[i]}.bin"
        (folder / name).write_bytes(value)
    reads = now(fleet)
    back, layouts = loaded(folder, a_fleet())
    for _, window in stored_windows(folder, back, layouts):
        reads |= read(back, window, closed=True)
    more = [row for row in rows(1500, 2000) if row["asset"] != "ended"]
    text = json.dumps({"reads": reads, "more": more, "reads_after": gone_on(fleet, more)}, indent=1)
    (folder / "readings.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write(FOLDER / str(FORMAT))
