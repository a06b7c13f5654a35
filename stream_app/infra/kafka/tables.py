"""The queryable tables, by source partition, recovered by Faust from the changelogs; newer entries win.

The changelogs are ours: raw keys and values, written by the checkpoint's own producer onto the source's partition.
Faust reads them back after each rebalance and never writes them. A deletion tells the offset as of which it holds in a
header of its record, a value within itself.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import faust
from faust.stores.memory import Store
from faust.types import TP, EventT

from stream_app.domain.errors import DomainError
from stream_app.domain.snapshot import header
from stream_app.infra.kafka.batching_consumer import StoredTable
from stream_app.infra.kafka.errors import ChangelogGapError, StateError
from stream_app.usecases.ports import MARKER_KEY, Entry
from stream_app.wire.batch import Fetch, Headers

if TYPE_CHECKING:
    from stream_app.infra.kafka.app import StreamApp

_SEPARATOR: Final = b"\x00"
_OFFSET_HEADER: Final = "offset"
#: Deletions that are remembered, so that no older value undoes them.
_DELETIONS: Final = 10_000


@dataclass(slots=True)
class Partition:
    """Entries of one partition, and where its changelog is to be read on."""

    entries: dict[bytes, bytes] = field(default_factory=dict)
    keys_by_asset: dict[bytes, list[bytes]] = field(default_factory=dict)  # sorted
    deleted: dict[bytes, int] = field(default_factory=dict)  # the latest ones, and as of which offset
    #: Keys whose last record in the changelog is older than what is held here: compaction would keep the wrong one.
    overtaken: set[bytes] = field(default_factory=set)
    next_offset: int = 0

    def put(self, entry: Entry) -> None:
        """Set or delete an entry; one that is older than what is there is ignored."""
        key, value, offset = entry
        present = self.entries.get(key)
        if offset < (self.deleted.get(key, -1) if present is None else header(present)):
            self.overtaken.add(key)
            return
        self.overtaken.discard(key)
        asset = key.partition(_SEPARATOR)[0]
        if value is not None:
            if present is None:
                insort(self.keys_by_asset.setdefault(asset, []), key)
                self.deleted.pop(key, None)
            self.entries[key] = value
            return
        if present is not None:
            del self.entries[key]
            keys = self.keys_by_asset[asset]
            del keys[bisect_left(keys, key)]
            if not keys:
                del self.keys_by_asset[asset]
        self.deleted[key] = offset
        if len(self.deleted) > _DELETIONS:
            del self.deleted[next(iter(self.deleted))]

    def overtaken_entries(self) -> list[Entry]:
        """What must be written again, the marker last."""
        keys = sorted(self.overtaken, key=lambda key: (key == MARKER_KEY, key))
        entries = [(key, self.entries.get(key)) for key in keys]
        return [Entry(key, v, self.deleted.get(key, -1) if v is None else header(v)) for key, v in entries]

    def with_prefix(self, prefix: bytes) -> list[bytes]:
        """Keys that begin with ``prefix`` (a whole asset id and the separator at least), ascending."""
        keys = self.keys_by_asset.get(prefix.partition(_SEPARATOR)[0], [])
        # Behind a prefix there are digits and separators only.
        return keys[bisect_left(keys, prefix) : bisect_left(keys, prefix + b"\xff")]


@dataclass(frozen=True, slots=True)
class Written:
    """Offsets that records got: ``first`` .. ``last``, and nothing else between them if ``whole``."""

    first: int
    last: int
    whole: bool


class PartitionedStore(Store[bytes, bytes]):
    """In-memory Faust store that keeps partitions apart, so that a revoked one is dropped whole."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.by_partition: dict[int, Partition] = {}
        self.recovered: frozenset[int] = frozenset()

    @property
    def changelog(self) -> str:
        """Topic from which this store is recovered."""
        name: str = self.table.changelog_topic.get_topic_name()
        return name

    def persisted_offset(self, tp: TP) -> int:
        """Tell Faust what this store really holds; -1: nothing.

        Without it Faust keeps its own count, which survives a rebalance that it gave up half-way and this store's data
        does not: the recovery would begin in the middle.
        """
        partition = self.by_partition.get(tp.partition)
        return -1 if partition is None else partition.next_offset - 1

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Forget partitions that went away, and begin anew with those that came."""
        self.recovered = frozenset()
        for tp in revoked | newly_assigned:
            if tp.topic == self.changelog:
                self.by_partition.pop(tp.partition, None)

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Serve the recovered partitions."""
        self.recovered = frozenset(tp.partition for tp in active_tps)
        for partition in self.by_partition.keys() - self.recovered:
            del self.by_partition[partition]
        for partition in self.recovered:
            self.by_partition.setdefault(partition, Partition())

    def apply_changelog_batch(
        self, batch: Iterable[EventT[Any]], to_key: Callable[[Any], Any], to_value: Callable[[Any], Any]
    ) -> None:
        """Apply what recovery read from the changelog (each event is a whole fetch)."""
        for event in batch:
            if event.message.topic != self.changelog:
                continue  # Faust hands a late event of a revoked partition to the table that it happened to serve last
            try:
                self._recover(cast(Fetch, event.message.value))
            except (StateError, ChangelogGapError) as refusal:
                # Faust would log what is raised here and go on with a hole in the state.
                self.by_partition.pop(event.message.partition, None)
                cast("StreamApp", self.app).fail(refusal)
                return

    def _recover(self, fetch: Fetch) -> None:
        partition = self.by_partition.setdefault(fetch.partition, Partition())
        if fetch.start > partition.next_offset and partition.next_offset > 0:
            raise ChangelogGapError(fetch.topic, fetch.partition, partition.next_offset, fetch.start)
        self.read(fetch.partition, zip(fetch.keys, fetch.values, fetch.headers, strict=True), fetch.end)

    def read(self, number: int, records: Iterable[tuple[bytes | None, bytes | None, Headers]], end: int) -> None:
        """Take what the changelog of a partition holds, up to ``end``; StateError: it cannot be read."""
        partition = self.by_partition.setdefault(number, Partition())
        for key, value, headers in records:
            try:
                offset = _deleted_at(headers) if value is None else header(value)
            except DomainError as error:
                raise StateError(self.changelog, number, str(error)) from error
            if key is not None:
                partition.put(Entry(key, value, offset))
        partition.next_offset = max(partition.next_offset, end)

    def take(self, number: int, entries: Iterable[Entry], written: Written | None) -> None:
        """Take entries that this worker has written to the changelog."""
        partition = self.by_partition.setdefault(number, Partition())
        for entry in entries:
            partition.put(entry)
        # Without a hole before them nobody else wrote: the next recovery need not read our own entries again.
        if written is not None and written.whole and written.first == partition.next_offset:
            partition.next_offset = written.last + 1


def deletion_headers(entry: Entry) -> list[tuple[str, bytes]]:
    """Headers of an entry's record in a changelog."""
    return [(_OFFSET_HEADER, str(entry.offset).encode())] if entry.value is None else []


def _deleted_at(headers: Headers) -> int:
    """Offset as of which a record deletes; without one (whoever wrote it by hand) it deletes what is there."""
    return next((int(value) for name, value in headers if name == _OFFSET_HEADER), sys.maxsize)


class TableStore:
    """Both tables as the rest of the program reads them (port ``Tables``), and as checkpoints change them."""

    def __init__(self, app: faust.App, assets_changelog: str, windows_changelog: str) -> None:
        self._app = app
        self._assets = self._table("assets", assets_changelog)
        self._windows = self._table("windows", windows_changelog)

    def _table(self, name: str, changelog: str) -> PartitionedStore:
        topic = self._app.topic(changelog, key_serializer="raw", value_serializer="raw", acks=False, allow_empty=True)
        table = StoredTable(
            self._app,
            PartitionedStore,
            name=name,
            changelog_topic=topic,
            key_type=bytes,
            value_type=bytes,
            # One message is a whole fetch. (Exactly 1 would make Faust read the changelog on after the recovery.)
            recovery_buffer_size=2,
        )
        self._app.tables.add(table)
        return cast(PartitionedStore, table.data)

    def stores(self) -> tuple[PartitionedStore, PartitionedStore]:
        """Both tables' stores, in the order in which they are written."""
        return self._windows, self._assets

    def recovered(self) -> frozenset[int]:
        """Partitions whose tables are complete in this generation of the group."""
        return self._assets.recovered & self._windows.recovered

    def close(self) -> None:
        """Serve nothing until the next recovery: another worker may own the partitions from now on."""
        self._assets.recovered = self._windows.recovered = frozenset()

    def partitions(self) -> frozenset[int]:
        """Partitions that this worker owns and has recovered."""
        return frozenset() if self._app.rebalancing else self.recovered()

    def position(self, partition: int) -> int | None:
        """Next source offset as of the last checkpoint; None: there was none yet."""
        marker = self.asset(partition, MARKER_KEY)
        return None if marker is None else header(marker)

    def asset(self, partition: int, key: bytes) -> bytes | None:
        """Value of an asset (or of the marker)."""
        held = self._assets.by_partition.get(partition)
        return None if held is None else held.entries.get(key)

    def asset_keys(self, partition: int) -> Iterable[bytes]:
        """Keys of all assets of a partition, the marker left out."""
        held = self._assets.by_partition.get(partition)
        return [] if held is None else [key for key in held.entries if key != MARKER_KEY]

    def windows(self, partition: int, prefix: bytes) -> Mapping[bytes, bytes]:
        """Closed windows whose key begins with ``prefix`` (asset id and separator at least), by key ascending."""
        held = self._windows.by_partition.get(partition)
        return {} if held is None else {key: held.entries[key] for key in held.with_prefix(prefix)}

    def take_assets(self, partition: int, entries: Iterable[Entry], written: Written | None) -> None:
        """Take asset states that are in the changelog."""
        self._assets.take(partition, entries, written)

    def take_windows(self, partition: int, entries: Iterable[Entry], written: Written | None) -> None:
        """Take closed windows that are in the changelog."""
        self._windows.take(partition, entries, written)
