"""The queryable tables, by source partition, recovered from the changelogs; newer entries win.

The changelogs hold raw keys and values. Checkpoints write them, onto the partition of the source that the entries come
from; they are read back after each rebalance. A deletion has the source offset as of which it holds in a header of its
record, a value has it within itself.
"""

from __future__ import annotations

import sys
import time
from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from stream_app.domain.errors import DomainError
from stream_app.domain.snapshot import Marker, header
from stream_app.infra.kafka.errors import ChangelogGapError, StateError
from stream_app.infra.kafka.log.records import Written
from stream_app.infra.kafka.member import Member
from stream_app.infra.kafka.packed_values import PackedValues
from stream_app.infra.kafka.sorted_keys import SortedKeys
from stream_app.usecases.entry import Entry
from stream_app.usecases.ports import MARKER_KEY, Changed
from stream_app.wire.batch import Fetch, Headers

_SEPARATOR: Final = b"\x00"
_OFFSET_HEADER: Final = "offset"
#: Deletions that are remembered, so that no older value undoes them.
_DELETIONS: Final = 10_000


@dataclass(slots=True)
class Partition:
    """Entries of one partition, and the offset from which its changelog is to be read on."""

    entries: PackedValues = field(default_factory=PackedValues)
    #: Keys of an asset's windows, sorted.
    keys_by_asset: dict[bytes, list[bytes]] = field(default_factory=dict)
    #: Keys that are an asset's id alone: those of the assets.
    assets: SortedKeys = field(default_factory=SortedKeys)
    deleted: dict[bytes, int] = field(default_factory=dict)  # the latest ones, and as of which offset
    #: Keys whose last record in the changelog is older than the entry here: compaction would keep the wrong one.
    overtaken: set[bytes] = field(default_factory=set)
    next_offset: int = 0
    #: When it was served first [ns since 1970]; 0: it is not complete yet.
    served_ns: int = 0
    #: Assets by when they were put or deleted last, since then, ascending.
    changes: dict[bytes, int] = field(default_factory=dict)
    changed_ns: int = 0

    def put(self, entry: Entry) -> None:
        """Set or delete an entry; one that is older than the present one is ignored."""
        key, packed, offset = entry
        present = self.entries.offset(key)
        if offset < (self.deleted.get(key, -1) if present is None else present):
            self.overtaken.add(key)
            return
        self.overtaken.discard(key)
        asset = key.partition(_SEPARATOR)[0]
        if key == asset and self.served_ns:
            self._note(key)
        if packed is not None:
            if present is None:
                self.deleted.pop(key, None)
                if key == asset:
                    self.assets.add(key)
                else:
                    insort(self.keys_by_asset.setdefault(asset, []), key)
            self.entries.put(key, packed)
            return
        if present is not None:
            self.entries.remove(key)
            if key == asset:
                self.assets.remove(key)
            else:
                keys = self.keys_by_asset[asset]
                del keys[bisect_left(keys, key)]
                if not keys:
                    del self.keys_by_asset[asset]
        self.deleted[key] = offset
        if len(self.deleted) > _DELETIONS:
            oldest = next(iter(self.deleted))
            del self.deleted[oldest]
            self.changes.pop(oldest, None)

    def serve(self) -> None:
        """It is complete: changes count from now on."""
        if not self.served_ns:
            self.served_ns = self.changed_ns = time.time_ns()

    def _note(self, key: bytes) -> None:
        self.changed_ns = max(self.changed_ns + 1, time.time_ns())
        self.changes.pop(key, None)
        self.changes[key] = self.changed_ns

    def changed(self, since_ns: int) -> Changed:
        """Assets that were put or deleted after ``since_ns``, oldest first."""
        if since_ns < self.served_ns:
            return Changed(self.changed_ns, self.assets.some(b"", b"", None), whole=True)
        keys = list[bytes]()
        for key in reversed(self.changes):
            if self.changes[key] <= since_ns:
                break
            keys.append(key)
        return Changed(self.changed_ns, keys[::-1])

    def overtaken_entries(self) -> list[Entry]:
        """Entries that must be written again, the marker last."""
        keys = sorted(self.overtaken, key=lambda key: (key == MARKER_KEY, key))
        entries = [(key, self.entries.get(key)) for key in keys]
        return [Entry.of(key, v, self.deleted.get(key, -1) if v is None else header(v)) for key, v in entries]

    def with_prefix(self, prefix: bytes) -> list[bytes]:
        """Keys that begin with ``prefix`` (a whole asset id and the separator at least), ascending."""
        keys = self.keys_by_asset.get(prefix.partition(_SEPARATOR)[0], [])
        # Only digits and separators follow a prefix.
        return keys[bisect_left(keys, prefix) : bisect_left(keys, prefix + b"\xff")]


class Table:
    """A table by partition, so that a revoked one is dropped whole. ``engine`` recovers it from its changelog."""

    def __init__(self, name: str, changelog: str) -> None:
        self.name, self.changelog = name, changelog
        self.by_partition: dict[int, Partition] = {}
        #: Partitions that are complete in this generation of the group.
        self.recovered: frozenset[int] = frozenset()

    def held_until(self, number: int) -> int:
        """Offset from which the changelog of a partition is to be read on; 0: nothing is held."""
        partition = self.by_partition.get(number)
        return 0 if partition is None else partition.next_offset

    def size_bytes(self, number: int) -> int:
        """Size of a partition's values in memory, without keys."""
        partition = self.by_partition.get(number)
        return 0 if partition is None else partition.entries.size_bytes

    def reassigned(self, changed: Collection[int]) -> None:
        """Serve nothing until the recovery; forget partitions that went away or came."""
        self.close()
        for number in changed:
            self.by_partition.pop(number, None)

    def serve(self, numbers: Collection[int]) -> None:
        """Serve these partitions, which are recovered, and forget all others."""
        self.recovered = frozenset(numbers)
        self.by_partition = {number: self.by_partition.get(number) or Partition() for number in sorted(numbers)}
        for partition in self.by_partition.values():
            partition.serve()

    def close(self) -> None:
        """Serve nothing until the next recovery."""
        self.recovered = frozenset()

    def recover(self, fetch: Fetch) -> None:
        """Take a fetch of the changelog.

        Raises
        ------
        ChangelogGapError, StateError
            It begins after a gap; this release cannot read it. The partition is dropped in either case.
        """
        partition = self.by_partition.setdefault(fetch.partition, Partition())
        try:
            if fetch.start > partition.next_offset and partition.next_offset > 0:
                raise ChangelogGapError(fetch.topic, fetch.partition, partition.next_offset, fetch.start)
            self.read(fetch.partition, zip(fetch.keys, fetch.values, fetch.headers, strict=True), fetch.end)
        except (ChangelogGapError, StateError):
            del self.by_partition[fetch.partition]
            raise

    def read(self, number: int, records: Iterable[tuple[bytes | None, bytes | None, Headers]], end: int) -> None:
        """Take records of a partition's changelog, up to offset ``end``; StateError: one cannot be read."""
        partition = self.by_partition.setdefault(number, Partition())
        for key, value, headers in records:
            try:
                offset = deleted_at(headers) if value is None else header(value)
            except DomainError as error:
                raise StateError(self.changelog, number, str(error)) from error
            if key is not None:
                partition.put(Entry.of(key, value, offset))
        partition.next_offset = max(partition.next_offset, end)

    def take(self, number: int, entries: Iterable[Entry], written: Written | None) -> None:
        """Take entries that this worker has written to the changelog."""
        partition = self.by_partition.setdefault(number, Partition())
        for entry in entries:
            partition.put(entry)
        # Without a hole before them nobody else wrote: the next recovery need not read our own entries again.
        if written is not None and written.whole and written.first == partition.next_offset:
            partition.next_offset = written.last + 1


def deletion_headers(entry: Entry) -> Headers:
    """Headers of an entry's record in a changelog."""
    return [(_OFFSET_HEADER, str(entry.offset).encode())] if entry.packed is None else []


def deleted_at(headers: Headers) -> int:
    """Offset as of which a record deletes; one without it (written by hand) deletes whatever is there."""
    return next((int(value) for name, value in headers if name == _OFFSET_HEADER and value), sys.maxsize)


class TableStore:
    """Both tables as the rest of the program reads them (port ``Tables``), and as checkpoints change them."""

    def __init__(self, member: Member, assets_changelog: str, windows_changelog: str) -> None:
        self._member = member
        self._assets, self._windows = Table("assets", assets_changelog), Table("windows", windows_changelog)

    @property
    def assets_changelog(self) -> str:
        """Topic that holds the assets' states and the markers."""
        return self._assets.changelog

    def tables(self) -> tuple[Table, Table]:
        """Both tables, in the order in which they are written."""
        return self._windows, self._assets

    def recovered(self) -> frozenset[int]:
        """Partitions whose tables are complete in this generation of the group."""
        return self._assets.recovered & self._windows.recovered

    def close(self) -> None:
        """Serve nothing until the next recovery: another worker may own the partitions from now on."""
        for table in self.tables():
            table.close()

    def partitions(self) -> frozenset[int]:
        """Partitions that this worker owns and has recovered."""
        return frozenset() if self._member.rebalancing else self.recovered()

    def holds(self, partition: int, generation: int | None) -> bool:
        """Whether this worker owns a partition, with its tables recovered, in this generation of the group."""
        return generation == self._member.generation and partition in self.recovered()

    def unreadable(self, partition: int, error: DomainError) -> StateError:
        """The error of a stored state that cannot be read: no row is at fault, and reading again mends nothing."""
        return StateError(self._assets.changelog, partition, str(error))

    def position(self, partition: int) -> int | None:
        """Next source offset as of the last checkpoint; None: there was none yet."""
        marker = self.asset(partition, MARKER_KEY)
        return None if marker is None else Marker.load(marker).position

    def asset(self, partition: int, key: bytes) -> bytes | None:
        """Value of an asset (or of the marker)."""
        held = self._assets.by_partition.get(partition)
        return None if held is None else held.entries.get(key)

    def asset_keys(
        self, partition: int, *, prefix: bytes = b"", after: bytes = b"", limit: int | None = None
    ) -> Sequence[bytes]:
        """Keys of assets that begin with ``prefix`` and follow ``after``, ascending, the marker left out."""
        held = self._assets.by_partition.get(partition)
        return [] if held is None else held.assets.some(prefix, after, limit)

    def asset_count(self, partition: int) -> int:
        """Count the assets of a partition."""
        held = self._assets.by_partition.get(partition)
        return 0 if held is None else len(held.assets)

    def windows(self, partition: int, prefix: bytes) -> Mapping[bytes, bytes]:
        """Closed windows whose key begins with ``prefix`` (asset id and separator at least), by key ascending."""
        held = self._windows.by_partition.get(partition)
        return {} if held is None else held.entries.some(held.with_prefix(prefix))

    def window_keys(self, partition: int, prefix: bytes) -> Sequence[bytes]:
        """Keys of closed windows that begin with ``prefix`` (asset id and separator at least), ascending."""
        held = self._windows.by_partition.get(partition)
        return [] if held is None else held.with_prefix(prefix)

    def changed(self, partition: int, since_ns: int) -> Changed:
        """Assets that were put or deleted after ``since_ns``, which is an earlier answer's or 0."""
        held = self._assets.by_partition.get(partition)
        return Changed(since_ns, ()) if held is None else held.changed(since_ns)

    def received_ns(self, partition: int, key: bytes) -> int | None:
        """When an asset's state came last [ns since 1970]; None: not since this worker has the partition."""
        held = self._assets.by_partition.get(partition)
        return None if held is None else held.changes.get(key)

    def take_assets(self, partition: int, entries: Iterable[Entry], written: Written | None) -> None:
        """Take asset states that are in the changelog."""
        self._assets.take(partition, entries, written)

    def take_windows(self, partition: int, entries: Iterable[Entry], written: Written | None) -> None:
        """Take closed windows that are in the changelog."""
        self._windows.take(partition, entries, written)
