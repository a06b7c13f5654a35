"""What a fleet takes: arithmetic on measured figures, each with the place where it was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_DAY_S: Final = 86_400
_STEADY: Final = "docs/performance.md, at a steady pace"
_DRAIN: Final = "`bench.scale --only assets`, 27 November 2026"


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number."""

    value: float
    unit: str
    what: str
    source: str


#: On one core of an AMD EPYC, with the default windows and metrics.
FIGURES: Final[Mapping[str, Figure]] = {
    "base_cores": Figure(
        0.13, "cores", "a worker that makes checkpoints all the time, beside what is in them", _STEADY
    ),
    "row_us": Figure(1.5, "µs of CPU", "a row that is a message of its own, JSON", f"{_DRAIN}: 100 assets"),
    "batched_row_us": Figure(
        0.7, "µs of CPU", "a row among many in a message", "docs/performance.md, beside its peers"
    ),
    "state_us": Figure(
        31.0, "µs of CPU", "an asset in a checkpoint: read, packed, written", f"{_DRAIN}: 10,000 assets"
    ),
    "update_us": Figure(6.0, "µs of CPU", "an update of a window", "docs/performance.md, where the time goes"),
    "row_bytes": Figure(24.0, "bytes", "a row in Kafka, JSON, lz4", "the load of `bench.scale`"),
    "state_bytes": Figure(700.0, "bytes", "a state in the changelog of assets, zstd", _STEADY),
    "window_bytes": Figure(200.0, "bytes", "a closed window in its changelog, zstd", _STEADY),
    "update_bytes": Figure(440.0, "bytes", "an update on metrics, gzip; less in large batches", _STEADY),
    "worker_mb": Figure(650.0, "MB", "a worker with few assets at full speed", f"{_DRAIN}: 100 assets"),
    "asset_kb": Figure(23.0, "kB", "memory of an asset with its windows, at the peak", f"{_DRAIN}: 100,000 assets"),
    "recovery_us": Figure(
        18.0, "µs", "until an asset is recovered from the changelogs", "docs/performance.md, recovery"
    ),
    "failover_s": Figure(1.3, "s", "beyond the session timeout, until others go on", "docs/reliability.md, C4"),
    "stored_window_bytes": Figure(
        570.0,
        "bytes",
        "a window in PostgreSQL 15, its index included",
        "a table of 27 numbers and 2 arrays, a million rows",
    ),
}

#: Of the core on which a worker applies rows: the rest is for catching up after a restart, and for a neighbour's load.
_LOAD_OF_A_CORE: Final = 0.6
_ASSETS_PER_PARTITION: Final = 100_000
_PARTITIONS: Final = (4, 6, 12, 24, 36, 48, 60, 72, 96, 120, 144, 192, 240, 360, 480)
#: Compaction lets a changelog grow to about twice what it holds.
_DIRTY: Final = 2.0
_EMIT_S: Final = 10.0


def _figure(name: str) -> float:
    return FIGURES[name].value


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is to be processed.

    Parameters
    ----------
    rows_per_s
        Of each asset.
    rows_per_message
        As many rows of an asset are sent at a time.
    window_sizes_s, kept
        Window sizes, ascending, and how many closed windows of each a worker keeps.
    emit_s
        Emit interval; None: 0 where two workers can do that, else 10 s.
    """

    assets: int
    window_sizes_s: tuple[int, ...]
    kept: tuple[int, ...]
    rows_per_s: float = 1.0
    rows_per_message: int = 1
    emit_s: float | None = None
    replication: int = 3
    retention_days: float = 7.0
    history_days: float = 365.0
    session_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A deployment; rates are of the whole fleet, memory and shares of one worker."""

    fleet: Fleet
    emit_s: float
    rows_per_s: float
    states_per_s: float
    closed_per_s: float
    updates_per_s: float
    cores: float
    workers: int
    partitions: int
    memory_mb: float
    kafka_mb_per_s: float
    topics_gb: float
    changelogs_gb: float
    recovery_mb: float
    database_gb: float
    small_database_gb: float
    failover_s: float
    settings: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[str, ...] = ()


def plan(fleet: Fleet) -> Plan:
    """Size a deployment."""
    if fleet.emit_s is not None:
        return _plan(fleet, fleet.emit_s)
    at_once = _plan(fleet, 0.0)
    return at_once if at_once.workers <= 2 else _plan(fleet, _EMIT_S)


def _plan(fleet: Fleet, emit_s: float) -> Plan:
    assets, open_windows = fleet.assets, len(fleet.window_sizes_s) + 1
    rows = assets * fleet.rows_per_s
    states = rows / fleet.rows_per_message
    closed = sum(assets / size_s for size_s in fleet.window_sizes_s)
    publishing = states if emit_s == 0 else min(states, assets / emit_s)
    updates = publishing * open_windows + closed
    row_us = _figure("row_us" if fleet.rows_per_message == 1 else "batched_row_us")
    work = 1e-6 * (rows * row_us + states * _figure("state_us") + updates * _figure("update_us"))
    workers = max(2, math.ceil(work / (_LOAD_OF_A_CORE - _figure("base_cores"))))
    cores = work + workers * _figure("base_cores")
    least = max(2 * workers, assets / _ASSETS_PER_PARTITION)
    partitions = next((number for number in _PARTITIONS if number >= least), math.ceil(least / 12) * 12)
    memory_mb = _figure("worker_mb") + assets * _figure("asset_kb") / 1e3 / max(1, workers - 1)
    rows_b, updates_b = rows * _figure("row_bytes"), updates * _figure("update_bytes")
    states_b, closed_b = states * _figure("state_bytes"), closed * _figure("window_bytes")
    stored_gb = fleet.history_days * _DAY_S * _figure("stored_window_bytes") / 1e9
    held_b = assets * (_figure("state_bytes") + sum(fleet.kept) * _figure("window_bytes"))
    return Plan(
        fleet=fleet,
        emit_s=emit_s,
        rows_per_s=rows,
        states_per_s=states,
        closed_per_s=closed,
        updates_per_s=updates,
        cores=cores,
        workers=workers,
        partitions=partitions,
        memory_mb=memory_mb,
        kafka_mb_per_s=(rows_b + updates_b + states_b + closed_b) / 1e6,
        topics_gb=(rows_b + updates_b) * fleet.retention_days * _DAY_S * fleet.replication / 1e9,
        changelogs_gb=_DIRTY * held_b * fleet.replication / 1e9,
        recovery_mb=held_b / 1e6,
        database_gb=closed * stored_gb,
        small_database_gb=(closed - assets / fleet.window_sizes_s[0]) * stored_gb,
        failover_s=fleet.session_timeout_s + _figure("failover_s") + assets / workers * _figure("recovery_us") / 1e6,
        settings=_settings(fleet, emit_s, partitions),
        limits=tuple(_limits(fleet, partitions, workers, memory_mb, (rows_b + updates_b + states_b + closed_b) / 1e6)),
    )


def _settings(fleet: Fleet, emit_s: float, partitions: int) -> dict[str, str]:
    settings = {
        "STREAM_KAFKA__PARTITIONS": str(partitions),
        "STREAM_KAFKA__REPLICATION_FACTOR": str(fleet.replication),
        "STREAM_EMIT_INTERVAL_S": f"{emit_s:g}",
    }
    per_partition = math.ceil(fleet.assets / partitions)
    if per_partition > 10_000:
        settings["STREAM_MAX_NEW_ASSETS_PER_MIN"] = str(2 * per_partition)
    if per_partition > 125_000:
        settings["STREAM_MAX_ASSETS"] = str(2 * per_partition)
    return settings


def _limits(fleet: Fleet, partitions: int, workers: int, memory_mb: float, kafka_mb_per_s: float) -> list[str]:
    """Say what is near its limit, the nearest first."""
    found = []
    if fleet.assets / partitions > 10_000:
        found.append("more new assets in the first minute than a partition takes by default: see the setting below")
    if kafka_mb_per_s > 50:
        found.append(f"Kafka takes {kafka_mb_per_s:,.0f} MB/s, and its followers as much: several brokers, fast disks")
    if workers > 12:
        found.append("a rebalance stops all workers for some seconds: send more rows a message, or split the fleet")
    if memory_mb > 16_000:
        found.append("memory of a worker: more workers than the load needs")
    return found
