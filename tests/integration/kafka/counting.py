"""A small stand-in for the command side: counts rows and sums values per asset, and checks what it is handed."""

from __future__ import annotations

import struct
from collections.abc import Generator
from dataclasses import dataclass, field

from stream_app.domain.snapshot import FORMAT, Marker
from stream_app.usecases.entry import Entry
from stream_app.usecases.ingest import AlreadyApplied, Applied, Gap, Ingest
from stream_app.usecases.ports import MARKER_KEY, Checkpoint, DeadLetter, Tables
from stream_app.wire.batch import Fetch
from stream_app.wire.encode.update_list import UpdateList, UpdateRecord

HEADER = struct.Struct(">Bq")
STATE = struct.Struct(">Bqqq")  # format, offset, count, sum
_NO_HEADERS = b"\0"  # as a record has them: their count alone


@dataclass
class Hot:
    position: int
    assets: dict[bytes, tuple[int, int, int]] = field(default_factory=dict)  # offset, count, sum
    dirty: set[bytes] = field(default_factory=set)
    written: int | None = None
    aside: set[bytes] = field(default_factory=set)  # what the checkpoint under way includes
    rejected: list[DeadLetter] = field(default_factory=list)


class CountingIngest(Ingest):
    """Same interface as Ingest; a row's value is a number in ASCII."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.hot: dict[int, Hot] = {}
        self.gaps = 0
        self.applied_rows = 0

    def drop(self) -> None:
        self.hot.clear()

    def release(self, partition: int) -> None:
        self.hot.pop(partition, None)

    def position(self, partition: int) -> int | None:
        if partition in self.hot:
            return self.hot[partition].position
        marker = self.tables.asset(partition, MARKER_KEY)
        return None if marker is None else HEADER.unpack_from(marker)[1]

    def next_update_s(self, partition: int) -> float | None:
        return None

    def apply(self, fetch: Fetch) -> Applied | AlreadyApplied | Gap:
        position = self.position(fetch.partition)
        position = fetch.start if position is None else position
        if fetch.start > position:
            self.gaps += 1
            self.release(fetch.partition)
            return Gap(position)
        if fetch.end <= position:
            return AlreadyApplied()
        hot = self.hot.setdefault(fetch.partition, Hot(position))
        for offset, key, value, headers in zip(fetch.offsets, fetch.keys, fetch.values, fetch.headers, strict=True):
            if offset < position:
                continue
            if key is None or value is None or not value.lstrip(b"-").isdigit():
                hot.rejected.append(DeadLetter(key, value, [*headers, ("offset", str(offset).encode())]))
                continue
            last, count, total = hot.assets.get(key) or self._load(fetch.partition, key)
            if offset > last:
                hot.assets[key] = (offset, count + 1, total + int(value))
                hot.dirty.add(key)
                self.applied_rows += 1
        hot.position = fetch.end
        return Applied(rows=len(fetch.offsets), rejected=0)

    def _load(self, partition: int, key: bytes) -> tuple[int, int, int]:
        value = self.tables.asset(partition, key)
        if value is None:
            return -1, 0, 0
        _, offset, count, total = STATE.unpack(value)
        return offset, count, total

    def collect(self, partition: int) -> Generator[UpdateList, None, Checkpoint | None]:
        hot = self.hot.get(partition)
        if hot is None or hot.position == hot.written:
            return None
        yield UpdateList()
        hot.aside, hot.dirty = hot.aside | hot.dirty, set()
        states = [Entry.of(key, STATE.pack(FORMAT, *hot.assets[key]), hot.assets[key][0]) for key in sorted(hot.aside)]
        windows = [s._replace(key=s.key + b"\x00%010d\x00%020d" % (60, hot.assets[s.key][1])) for s in states]
        updates = [UpdateRecord(key, key, b"%d %d %d" % hot.assets[key], _NO_HEADERS) for key in sorted(hot.aside)]
        yield UpdateList.of(updates)
        return Checkpoint(
            partition=partition,
            position=hot.position,
            dead_letters=list(hot.rejected),
            windows=windows,
            assets=[*states, Entry.of(MARKER_KEY, Marker(hot.position, {}, source=self.source).dump(), hot.position)],
        )

    def written(self, checkpoint: Checkpoint) -> None:
        hot = self.hot.get(checkpoint.partition)
        if hot is not None:
            hot.aside = set()
            del hot.rejected[: len(checkpoint.dead_letters)]
            hot.written = checkpoint.position
