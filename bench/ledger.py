"""What a contender has reported, record by record, and whether it is right."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from bench.workload import Sums, Truth

_RELATIVE: Final = 1e-9
_SHOWN_AT_MOST: Final = 3
_AS_PER_AH, _J_PER_KWH = 3600.0, 3.6e6


@dataclass(slots=True)
class Reading:
    """Sums of an asset's lifetime, or of its window that starts at ``start_s``."""

    asset_id: str
    start_s: int | None
    sums: Sums


Read = Callable[[bytes], Reading | None]


def peers_record(value: bytes) -> Reading:
    """What a peer's program wrote (``bench.programs.fold.record``); a window is a text or milliseconds."""
    content: dict[str, Any] = orjson.loads(value)
    window = content["window"]
    start_s = None if window is None else _start_s(window)
    return Reading(content["asset_id"], start_s, content)


def own_update(value: bytes) -> Reading | None:
    """What this project wrote (``schemas.metrics.MetricsUpdate``): lifetimes and 1-minute windows."""
    content: dict[str, Any] = orjson.loads(value)
    window, metrics = content["window"], content["metrics"]
    if window["size"] not in ("lifetime", "1m"):
        return None
    units = {
        "rows": ("total_data_points", 1.0),
        "charge_in_as": ("charge_in_ah", _AS_PER_AH),
        "charge_out_as": ("charge_out_ah", _AS_PER_AH),
        "energy_in_j": ("energy_in_kwh", _J_PER_KWH),
        "energy_out_j": ("energy_out_kwh", _J_PER_KWH),
    }
    # Null while the one row that there is has no duration: nothing is summed yet.
    sums = {name: (metrics[metric]["value"] or 0.0) * unit for name, (metric, unit) in units.items()}
    start_s = None if window["size"] == "lifetime" else _start_s(window["start"])
    return Reading(content["asset_id"], start_s, sums)


def _start_s(window: str | int) -> int:
    if isinstance(window, int):
        return window // 1000
    return int(datetime.fromisoformat(window).replace(tzinfo=UTC).timestamp())


@dataclass(slots=True)
class _Reported:
    rows: float
    at: float  # when it had so many rows first
    sums: Sums


class Ledger:
    """The newest reading of each lifetime and window."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._lifetimes: dict[str, _Reported] = {}
        self._windows: dict[tuple[str, int], _Reported] = {}

    def take(self, value: bytes, at: float) -> None:
        """Enter a record."""
        reading = self._read(value)
        if reading is None:
            return
        if reading.start_s is None:
            self._enter(self._lifetimes, reading.asset_id, reading.sums, at)
        else:
            self._enter(self._windows, (reading.asset_id, reading.start_s), reading.sums, at)

    def _enter(self, reported: dict[Any, _Reported], key: Any, sums: Sums, at: float) -> None:
        rows = sums["rows"]
        before = reported.get(key)
        if before is None or rows > before.rows:
            reported[key] = _Reported(rows, at, sums)
        elif rows == before.rows:
            before.sums = sums

    @property
    def rows(self) -> int:
        """Rows in the lifetimes."""
        return int(sum(reported.rows for reported in self._lifetimes.values()))

    def finished_at(self, truth: Truth) -> float | None:
        """When the last lifetime or window that had to come out came out; None while one is missing."""
        latest = 0.0
        for _, reported, due in self._pairs(truth.lifetimes, truth):
            if reported is None or reported.rows < due["rows"]:
                return None
            latest = max(latest, reported.at)
        return latest

    def problems(self, truth: Truth, *, held: bool) -> list[str]:
        """What is missing or differs, the first few."""
        found = []
        for name, reported, due in self._pairs(truth.held if held else truth.lifetimes, truth):
            if reported is None:
                found.append(f"{name} is missing")
            else:
                found += [
                    f"{name}: {sum_} is {reported.sums[sum_]!r}, not {exact!r}"
                    for sum_, exact in due.items()
                    if sum_ in reported.sums and not _equal(sum_, reported.sums[sum_], exact)
                ]
        more = [f"and {len(found) - _SHOWN_AT_MOST} more"] if len(found) > _SHOWN_AT_MOST else []
        return found[:_SHOWN_AT_MOST] + more

    def _pairs(self, lifetimes: Mapping[str, Sums], truth: Truth) -> Iterator[tuple[str, _Reported | None, Sums]]:
        for asset_id, due in lifetimes.items():
            yield asset_id, self._lifetimes.get(asset_id), due
        for (asset_id, start_s), due in truth.windows.items():
            yield f"{asset_id} at {start_s}", self._windows.get((asset_id, start_s)), due


def _equal(name: str, reported: float, exact: float) -> bool:
    return reported == exact if name == "rows" else math.isclose(reported, exact, rel_tol=_RELATIVE, abs_tol=_RELATIVE)
