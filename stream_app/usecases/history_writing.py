"""Keeps the metrics topic in a store: reads, puts updates of one window together, merges, then commits offsets.

A crash between merge and commit repeats updates, which change nothing: of a window the highest ``seq`` stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from schemas.asset import is_upload
from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.history_ports import (
    HistoryFigures,
    RowsRefusedError,
    UpdateRecord,
    UpdateSource,
    WindowRow,
    WindowStore,
)
from stream_app.wire.update import UnreadableUpdateError, UpdateHead, head
from stream_app.wire.update_cells import CellReader, UpdateCells

log = logging.getLogger(__name__)

LIFETIME: Final = "lifetime"
#: A batch is written when it has so many windows, or so many bytes: some 100 MB of memory.
_MOST_WINDOWS: Final = 10_000
_MOST_BYTES: Final = 64 << 20
#: Windows whose stored ``seq`` is remembered: what a worker repeats after a crash is older, and is not written again.
_MOST_STORED: Final = 100_000
#: Updates that are read before others have the event loop: some ms.
_AT_ONCE: Final = 200
_POLL_S: Final = 1.0
_AGAIN_S: Final = 1.0
_RETIRE_EVERY_S: Final = 3600.0
_WAITS_FOR_KAFKA: Final = "waiting for Kafka"
_WAITS_FOR_DATABASE: Final = "waiting for the database"

_Key = tuple[str, str, datetime]


class State(NamedTuple):
    """An update, and which window it is about."""

    head: UpdateHead
    record: UpdateRecord


class Pending(NamedTuple):
    """A row that is to be written, and where it came from."""

    row: WindowRow
    state: State


@dataclass(slots=True)
class Batch:
    """Updates that are not written yet, by window: an older one counts if those that are newer cannot be stored."""

    windows: dict[_Key, list[State]] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)  # next offset of each partition
    bytes: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it has to be written before more is read."""
        return len(self.windows) >= _MOST_WINDOWS or self.bytes >= _MOST_BYTES

    def take(self, of: UpdateHead, record: UpdateRecord) -> None:
        """Keep an update: the newest of its window is the last one; of two with one ``seq`` the first counts."""
        states = self.windows.setdefault((of.asset_id, of.size, of.start), [])
        place = len(states)
        while place and states[place - 1].head.seq >= of.seq:
            place -= 1
        states.insert(place, State(of, record))
        self.bytes += len(record.value or b"")

    def leave_out(self, state: State) -> None:
        """Forget an update that cannot be stored."""
        self.windows[state.head.asset_id, state.head.size, state.head.start].remove(state)


def _newest(heads: Iterable[UpdateHead]) -> set[_Key]:
    """Of each asset and size the window that was newest when the asset's last row was applied."""
    found: dict[tuple[str, str], UpdateHead] = {}
    for of in heads:
        other = found.get((of.asset_id, of.size))
        if other is None or (other.seq, other.start) < (of.seq, of.start):
            found[of.asset_id, of.size] = of
    return {(of.asset_id, of.size, of.start) for of in found.values()}


class HistoryWriter:
    """Reads the source and writes the store until it is stopped; whatever is away, it waits and goes on.

    Parameters
    ----------
    sizes
        Window sizes that are kept; none: all.
    flush_interval_s
        Updates of one window are put together for so long.
    retention
        How long windows are kept; None: for ever.
    now, clock
        Wall clock, and one that never goes back [s].
    """

    def __init__(
        self,
        source: UpdateSource,
        store: WindowStore,
        figures: HistoryFigures,
        *,
        sizes: Collection[str],
        flush_interval_s: float,
        retention: timedelta | None,
        now: Callable[[], datetime],
        clock: Callable[[], float],
    ) -> None:
        self._source, self._store, self._figures = source, store, figures
        self._sizes, self._flush_interval_s = frozenset(sizes), flush_interval_s
        self._retention, self._now, self._clock = retention, now, clock
        self._retire_at = clock()
        self._told = ""
        self._cells = CellReader()
        self._stored: dict[_Key, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the store up to date; ends when ``stop`` is set, after a last batch."""
        await self._prepare(stop)
        while not stop.is_set():
            try:
                batch = await self._gather(stop)
            except UnavailableError as error:
                await self._wait(stop, _WAITS_FOR_KAFKA, error)
                continue
            await self._write(batch, stop)
            await self._retire()

    async def _prepare(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self._store.prepare()
            except UnavailableError as error:
                await self._wait(stop, _WAITS_FOR_DATABASE, error)
            else:
                return

    async def _gather(self, stop: asyncio.Event) -> Batch:
        batch = Batch()
        until: float | None = None
        while True:
            records = await self._source.read(_POLL_S if until is None else max(0.0, until - self._clock()))
            self._take(batch, records)
            if records and until is None:
                until = self._clock() + self._flush_interval_s
            if stop.is_set() or batch.is_full or until is None or self._clock() >= until:
                return batch

    def _take(self, batch: Batch, records: Sequence[UpdateRecord]) -> None:
        self._figures.read(len(records))
        horizon = self._horizon()
        for record in records:
            batch.ends[record.partition] = record.offset + 1
            try:
                of = head(record.value or b"")
            except UnreadableUpdateError as error:
                self._leave_out(record, error)
                continue
            if is_upload(of.asset_id) or (self._sizes and of.size not in self._sizes):
                continue
            if horizon is not None and of.size != LIFETIME and _month_end(of.start) <= horizon:
                self._figures.left_out("expired")
                continue
            if of.seq > self._stored.get((of.asset_id, of.size, of.start), -1):
                batch.take(of, record)

    async def _write(self, batch: Batch, stop: asyncio.Event) -> None:
        if not batch.ends:
            await self._prepare(stop)  # nothing to do if the connection is there: an idle process tells too
            self._consuming()
            return
        rows = await self._rows(batch)
        begin = self._clock()
        while True:
            try:
                refused = await self._merge(rows)
                if not refused:
                    await self._source.commit(batch.ends)
            except UnavailableError as error:
                if stop.is_set():
                    return
                is_kafka = error.code == "broker_unavailable"
                await self._wait(stop, _WAITS_FOR_KAFKA if is_kafka else _WAITS_FOR_DATABASE, error)
            else:
                if not refused:
                    self._remember(rows)
                    self._figures.written(len(rows), self._clock() - begin)
                    self._consuming()
                    return
                for state, why in refused:  # what they hid is written in their place
                    self._leave_out(state.record, why)
                    batch.leave_out(state)
                rows = await self._rows(batch)

    def _remember(self, rows: Sequence[Pending]) -> None:
        if len(self._stored) + len(rows) > _MOST_STORED:
            self._stored.clear()
        for (of, *_), _ in rows:
            self._stored[of.asset_id, of.size, of.start] = of.seq

    async def _rows(self, batch: Batch) -> list[Pending]:
        read: list[tuple[State, UpdateCells]] = []
        for number, states in enumerate(batch.windows.values()):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)  # heartbeats go on
            while states:
                try:
                    read.append((states[-1], self._cells.read(states[-1].record.value or b"")))
                except UnreadableUpdateError as error:
                    self._leave_out(states.pop().record, error)
                else:
                    break
        newest = _newest(state.head for state, _ in read)
        return [
            Pending(WindowRow(of, cells, of.size != LIFETIME, (of.asset_id, of.size, of.start) in newest), state)
            for state, cells in read
            for of in (state.head,)
        ]

    async def _merge(self, rows: Sequence[Pending]) -> list[tuple[State, Exception]]:
        """Write rows; returns those that the store refuses, the others are written."""
        if not rows:
            return []
        try:
            await self._store.write([pending.row for pending in rows])
        except RowsRefusedError as error:
            if len(rows) == 1:
                return [(rows[0].state, error)]
            half = len(rows) // 2
            return [*await self._merge(rows[:half]), *await self._merge(rows[half:])]
        return []

    def _leave_out(self, record: UpdateRecord, why: Exception) -> None:
        self._figures.left_out("poison")
        log.error(
            "the update at offset %d of partition %d of the metrics topic is left out of the history: %s",
            record.offset,
            record.partition,
            why,
        )

    async def _retire(self) -> None:
        horizon = self._horizon()
        if horizon is None or self._clock() < self._retire_at:
            return
        with suppress(UnavailableError):  # the next batch tells
            for month in await self._store.drop_before(horizon):
                log.info("%s is older than the retention and was dropped", month)
            self._retire_at = self._clock() + _RETIRE_EVERY_S

    def _horizon(self) -> datetime | None:
        return None if self._retention is None else self._now() - self._retention

    def _consuming(self) -> None:
        if self._told:
            log.info("the history goes on")
            self._told = ""
        self._figures.phase("consuming", "")

    async def _wait(self, stop: asyncio.Event, phase: str, error: UnavailableError) -> None:
        self._figures.phase(phase, error.detail)
        self._stored.clear()  # whatever comes back may be another database, or a copy of an older one
        if phase != self._told:
            log.error("the history waits: %s", error.detail)
            self._told = phase
        with suppress(TimeoutError):
            async with asyncio.timeout(_AGAIN_S):
                await stop.wait()


def month_of(time: datetime) -> tuple[datetime, datetime]:
    """Begin and end of a time's month, in UTC."""
    begin = time.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return begin, (begin + timedelta(days=32)).replace(day=1)


def _month_end(time: datetime) -> datetime:
    return month_of(time)[1]
