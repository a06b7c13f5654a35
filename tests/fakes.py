"""In-memory ports: what tests use instead of mocks."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from schemas.asset import AssetSpec, window_size_s
from schemas.control import CONTROL, EndOfUpload
from stream_app.domain import ingestion
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.rows import Rows
from stream_app.domain.snapshot import Marker, Snapshots
from stream_app.domain.state import Ended, Fleet
from stream_app.domain.views import Windows
from stream_app.usecases import window_keys
from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.letters import StoredLetter
from stream_app.usecases.ports import (
    MARKER_KEY,
    Changed,
    PeerAnswer,
    WorkerPhase,
    WorkerStatus,
)

#: Any value but murmur2 will do: what matters is that log and cluster agree.
PARTITIONS = 4


def partition_of(key: bytes) -> int:
    """Stand-in for murmur2."""
    return zlib.crc32(key) % PARTITIONS


CATALOGUE = Catalogue()

#: Stamp of an asset's first row: 2022-04-13T00:00:00Z.
START_US = 1_649_808_000_000_000
_STEP_US = 2_000_000


def a_state(
    asset_id: str,
    *,
    rows: int,
    seq: int,
    spec: AssetSpec | None = None,
    ended: EndOfUpload | None = None,
    ended_timestamp_ms: int | None = None,
    sizes_s: tuple[int, ...] = (60,),
    catalogue: Catalogue = CATALOGUE,
) -> bytes:
    """Stored state of an asset: its rows are two seconds apart, the first half charge it, the others discharge it."""
    fleet = Fleet(catalogue, sizes_s)
    slot = fleet.slot(asset_id)
    fleet.set_spec(slot, spec or AssetSpec())
    index = np.arange(rows)
    charges = index <= rows // 2
    columns = {
        "current_a": np.where(charges, 40.0, -40.0),
        "voltage_v": np.full(rows, 800.0),
        "soc_percent": 50.0 + np.where(charges, index, rows // 2 * 2 - index),
    }
    if rows:
        stamps_us = START_US + index * _STEP_US
        ingestion.apply(fleet, Rows(np.full(rows, slot), np.full(rows, seq), stamps_us, columns))
    if ended is not None:
        ingestion.finish(fleet, slot, seq)
        fleet.ended[slot] = Ended(ended, ended_timestamp_ms or 0)
    return Snapshots(fleet).dump_all(np.array([slot]))[0]


def a_closed_window(asset_id: str, size_s: int, start_us: int) -> bytes:
    """Stored window without rows."""
    fleet = Fleet(CATALOGUE, (size_s,))
    one = Windows.of(
        fleet,
        slot=np.array([fleet.slot(asset_id)]),
        size_us=np.array([size_s * 1_000_000]),
        start_us=np.array([start_us]),
        seq=np.array([7]),
        totals=CATALOGUE.layout.empty(1).T,
    )
    return Snapshots(fleet).dump_windows(one, np.array([0]))[0]


@dataclass
class FakeTables:
    """Tables of one worker."""

    owned: set[int] = field(default_factory=lambda: set(range(PARTITIONS)))
    assets: dict[int, dict[bytes, bytes]] = field(default_factory=lambda: {p: {} for p in range(PARTITIONS)})
    closed: dict[int, dict[bytes, bytes]] = field(default_factory=lambda: {p: {} for p in range(PARTITIONS)})
    received: dict[bytes, int] = field(default_factory=dict)
    _before: dict[int, dict[bytes, bytes]] = field(default_factory=dict)
    _changes: dict[int, list[bytes]] = field(default_factory=dict)

    def put(
        self,
        asset_id: str,
        *,
        partition: int | None = None,
        rows: int = 5,
        seq: int = 7,
        spec: AssetSpec | None = None,
        ended: EndOfUpload | None = None,
        ended_timestamp_ms: int | None = None,
        sizes: Sequence[str] = ("1m",),
    ) -> int:
        """Store an asset; returns its partition."""
        partition = partition_of(asset_id.encode()) if partition is None else partition
        self.assets[partition][asset_id.encode()] = a_state(
            asset_id,
            rows=rows,
            seq=seq,
            spec=spec,
            ended=ended,
            ended_timestamp_ms=ended_timestamp_ms,
            sizes_s=tuple(map(window_size_s, sizes)),
        )
        return partition

    def close_window(self, asset_id: str, size: str, start_s: int) -> None:
        """Store a closed window, which begins so long after an asset's first row, on the partition of its asset."""
        partition = next(p for p, assets in self.assets.items() if asset_id.encode() in assets)
        size_s, start_us = window_size_s(size), START_US + start_s * 1_000_000
        key = window_keys.window_key(window_keys.size_prefix(asset_id, size_s), start_us)
        self.closed[partition][key] = a_closed_window(asset_id, size_s, start_us)

    def forget(self, asset_id: str) -> None:
        """Drop an asset."""
        for assets in self.assets.values():
            assets.pop(asset_id.encode(), None)

    def reach(self, partition: int, position: int) -> None:
        """Write the marker."""
        self.assets[partition][MARKER_KEY] = Marker(position, {}).dump()

    def partitions(self) -> Iterable[int]:
        return sorted(self.owned)

    def asset(self, partition: int, key: bytes) -> bytes | None:
        assert partition in self.owned
        return self.assets[partition].get(key)

    def asset_keys(
        self, partition: int, *, prefix: bytes = b"", after: bytes = b"", limit: int | None = None
    ) -> Sequence[bytes]:
        keys = self.assets[partition].keys() - {MARKER_KEY}
        return sorted(key for key in keys if key.startswith(prefix) and key > after)[:limit]

    def changed(self, partition: int, since_ns: int) -> Changed:
        now = {key: value for key, value in self.assets[partition].items() if key != MARKER_KEY}
        before, log = self._before.get(partition, {}), self._changes.setdefault(partition, [])
        log += sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
        self._before[partition] = now
        return Changed(len(log), list(dict.fromkeys(log[since_ns:])))

    def received_ns(self, partition: int, key: bytes) -> int | None:
        return self.received.get(key)

    def windows(self, partition: int, prefix: bytes) -> Mapping[bytes, bytes]:
        return {k: v for k, v in sorted(self.closed[partition].items()) if k.startswith(prefix)}

    def window_keys(self, partition: int, prefix: bytes) -> Sequence[bytes]:
        return sorted(key for key in self.closed[partition] if key.startswith(prefix))


class FakeLog:
    """The measurements topic, in a list per partition.

    ``fail_at`` lists the appends (counted from 0) that the broker refuses; ``appended`` is set by each that it takes.
    """

    def __init__(self) -> None:
        self.partitions: list[list[tuple[bytes, bytes]]] = [[] for _ in range(PARTITIONS)]
        self.fail_at: set[int] = set()
        self.appends = 0
        self.appended = asyncio.Event()

    async def append(self, key: bytes, values: Iterable[bytes], partition: int | None = None) -> tuple[int, int]:
        self.appends += 1
        if self.appends - 1 in self.fail_at:
            raise UnavailableError("broker_unavailable", "the broker does not answer")
        partition = self.partition_of(key) if partition is None else partition
        self.partitions[partition].extend((key, value) for value in values)
        self.appended.set()
        return partition, len(self.partitions[partition]) - 1

    async def append_to(self, partition: int, records: Iterable[tuple[bytes, bytes]]) -> int:
        for key, values in groupby(records, key=itemgetter(0)):
            await self.append(key, [value for _, value in values], partition)
        return len(self.partitions[partition]) - 1

    async def end_offset(self, partition: int) -> int:
        return len(self.partitions[partition])

    def partition_of(self, key: bytes) -> int:
        return partition_of(key)

    def values(self, key: str) -> list[bytes]:
        """Everything appended with a key, in order."""
        return [value for partition in self.partitions for k, value in partition if k == key.encode()]

    def controls(self, key: str) -> list[Any]:
        """Return the control records of a key."""
        return [CONTROL.validate_json(value) for value in self.values(key) if b'"control"' in value]

    def keys(self) -> set[str]:
        """Return all keys."""
        return {key.decode() for partition in self.partitions for key, _ in partition}


@dataclass
class FakeCluster:
    """A group in which each worker owns what ``owners`` says."""

    phase: WorkerPhase = "ready"
    detail: str = ""
    connected: bool = True
    owners: dict[int, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    lags: dict[int, int | None] = field(default_factory=lambda: dict.fromkeys(range(PARTITIONS), 0))

    def status(self) -> WorkerStatus:
        return WorkerStatus(self.phase, self.detail, self.connected)

    def partition_count(self) -> int:
        return PARTITIONS

    def owner(self, partition: int) -> str | None:
        return self.owners.get(partition)

    def peers(self) -> Sequence[str]:
        return self.others

    def lag(self, partition: int) -> int | None:
        return self.lags[partition]


class FakeLetters:
    """The dead-letter topic, in a list."""

    def __init__(self) -> None:
        self.letters: list[StoredLetter] = []

    async def newest(self, count: int) -> Sequence[StoredLetter]:
        return self.letters[-count:]

    async def one(self, partition: int, offset: int) -> StoredLetter | None:
        return next((each for each in self.letters if (each.partition, each.offset) == (partition, offset)), None)


class FakePeers:
    """Workers that answer from a dictionary; the others cannot be reached."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: list[tuple[str, str]] = []
        self.params: list[Mapping[str, str]] = []

    async def get(self, worker: str, path: str, params: Mapping[str, str]) -> PeerAnswer | None:
        self.asked.append((worker, path))
        self.params.append(params)
        if worker not in self.answers:
            return None
        return PeerAnswer(worker, *self.answers[worker])
