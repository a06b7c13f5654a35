"""Fetches go into the state. Two of the five laws of delivery are kept here.

1. The state's position is the truth: seeks go there, the group's committed offset only follows.
2. Positions move without gaps: a fetch that begins after a gap is not applied, its partition is read again.

The third and the fourth are kept by :class:`stream_app.infra.kafka.checkpoint_writer.CheckpointWriter`, the fifth,
newer wins, by :class:`stream_app.infra.kafka.tables.Partition`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection
from itertools import count
from typing import Final

import structlog
from prometheus_client import Counter, Histogram

from stream_app.domain.errors import DomainError
from stream_app.infra.failpoints import failpoint
from stream_app.infra.kafka.backoff import backoff_s
from stream_app.infra.kafka.checkpoint_sink import CheckpointSink
from stream_app.infra.kafka.checkpoint_writer import CheckpointWriter
from stream_app.infra.kafka.errors import BrokerError, KafkaSideError
from stream_app.infra.kafka.member import Member
from stream_app.infra.kafka.reject_reports import RejectReports
from stream_app.infra.kafka.source_guard import AskSource, SourceGuard
from stream_app.infra.kafka.tables import TableStore
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.infra.traces import traced_batch
from stream_app.usecases.ingest import AlreadyApplied, Gap, Ingest
from stream_app.wire.batch import Fetch

_log = logging.getLogger(__name__)

_SKIPPED: Final = Counter(
    "stream_skipped_messages", "Offsets that retention deleted before they were processed", ["topic", "partition"]
)
_BATCH_S: Final = Histogram(
    "stream_batch_seconds",
    "Time from a fetch's first byte decoded until the state includes its rows",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0),
)
_UNAPPLIED: Final = Counter("stream_batch_failures", "Fetches that could not be applied; each is read again")


class Processor:
    """Applies fetches, one at a time, and has checkpoints written.

    The state has a lock: nothing is applied while a checkpoint is collected from it. It is applied to while one is
    written.
    """

    def __init__(
        self,
        member: Member,
        ingest: Ingest,
        tables: TableStore,
        sink: CheckpointSink,
        reports: RejectReports,
        interval_s: float,
        ask: AskSource,
    ) -> None:
        self._member, self._ingest, self._tables = member, ingest, tables
        self._reports, self._interval_s = reports, interval_s
        self._state = asyncio.Lock()
        self.checkpoints = CheckpointWriter(member, ingest, tables, sink, self._state)
        self._guard = SourceGuard(member, ingest, tables, sink, self.checkpoints.lock, ask)
        self._failures = 0  # fetches in a row that could not be applied
        self.is_idle = True  # no fetch is being applied
        self._stopped = False

    async def apply(self, fetch: Fetch, generation: int | None) -> None:
        """Apply a fetch, unless its generation of the group is over."""
        tp = TopicPartition(fetch.topic, fetch.partition)
        await failpoint("after_fetch")
        with structlog.contextvars.bound_contextvars(batch=f"{fetch.topic}[{fetch.partition}]@{fetch.start}"):
            await self._apply_now(tp, fetch, generation)

    async def _apply_now(self, tp: TopicPartition, fetch: Fetch, generation: int | None) -> None:
        self.is_idle = False
        if self._guard.is_in_doubt:
            await self.read_on(self._sources())
        async with self._state:
            is_over = self._stopped or self._guard.has_failed
            stale = is_over or not self._tables.holds(tp.partition, generation)
            applied = stale or self._apply(tp, fetch)
            if not applied:
                self.checkpoints.forget(tp.partition)
        if not applied:
            await asyncio.sleep(backoff_s(self._failures) if self._failures else 0)
            await self.checkpoints.settled()  # the new state is to begin from tables that stay as they are
            await self.read_on([tp])
        self.is_idle = True

    def _apply(self, tp: TopicPartition, fetch: Fetch) -> bool:
        """Apply a fetch; False: the partition must be read again from the position of its state."""
        if self._ingest.position(tp.partition) is None and fetch.start != self._member.reading_since(tp):
            return False  # there is no state to compare with: only the fetch that was asked for will do
        began = time.perf_counter()
        try:
            with traced_batch(fetch):
                outcome = self._ingest.apply(fetch)
        except DomainError as error:
            self._member.fail(self._tables.unreadable(tp.partition, error))
            return True
        except Exception:
            # The state may be half changed, but no checkpoint has it: begin again from the tables.
            if self._failures == 0:
                _log.exception("cannot apply %s[%d] from offset %d; trying again", *tp, fetch.start)
            self._failures += 1
            _UNAPPLIED.inc()
            self._ingest.release(tp.partition)
            return False
        if isinstance(outcome, Gap):
            return False
        self._failures = 0
        if isinstance(outcome, AlreadyApplied):
            return True
        _BATCH_S.observe(time.perf_counter() - began)
        if len(fetch.timestamps_ms):
            times = int(fetch.timestamps_ms[0]), int(fetch.timestamps_ms[-1])
            self.checkpoints.arrivals.took(tp.partition, fetch.end, *times)
        self._reports.take(tp.partition, outcome.rows, outcome.refused)
        is_caught_up = fetch.end >= (self._member.end_of(tp) or fetch.end)  # no reason to wait for the interval
        self.checkpoints.applied(tp.partition, time.monotonic() + (0 if is_caught_up else self._interval_s))
        return True

    async def begin(self) -> None:
        """Start reading a generation's partitions, once their tables are recovered.

        Faust seeks too, but empties its queues afterwards: a fetch that arrived before that would be lost unnoticed.
        """
        sources = self._sources()
        for tp in sources:
            self.checkpoints.arrivals.begin(tp.partition)
            _SKIPPED.labels(*tp)  # begins at 0: an alert sees the first one
        await self.read_on(sources)
        if self._member.stopping or self._guard.has_failed or self._ingest.source is None:
            return
        await self._guard.adopt()
        await self._tell_of_commits(sources)
        self.checkpoints.resume(self._tables.recovered())

    def _sources(self) -> list[TopicPartition]:
        return [TopicPartition(self._member.source, partition) for partition in self._tables.recovered()]

    async def read_on(self, tps: Collection[TopicPartition]) -> None:
        """Read partitions on from the positions of their states."""
        generation = self._member.generation
        for attempt in count(1):
            tps = [tp for tp in tps if self._tables.holds(tp.partition, generation)]
            if not tps:
                return  # the new generation seeks by itself
            try:
                await self._guard.check()
                log_starts, ends = await self._member.log_starts(tps), await self._member.ends(tps)
                for tp in tps:
                    await self._skip_deleted(tp, log_starts[tp], generation)
                positions = {tp: log_starts[tp] if (at := self._position(tp)) is None else at for tp in tps}
                for tp, position in positions.items():
                    self._guard.check_end(tp, position, ends[tp])
                await self._member.read_from(positions)
            except (BrokerError, TimeoutError) as error:
                _log.warning("cannot seek, trying again: %r", error)
                await asyncio.sleep(backoff_s(attempt))
            except KafkaSideError as error:
                self._guard.fail(error)
                return
            else:
                return

    def _position(self, tp: TopicPartition) -> int | None:
        return self._ingest.position(tp.partition)

    async def _skip_deleted(self, tp: TopicPartition, log_start: int, generation: int | None) -> None:
        """Go on at the log's start if retention has deleted what follows the position, and say so."""
        async with self._state:
            position = self._position(tp)
            if position is None or position >= log_start or not self._tables.holds(tp.partition, generation):
                return
            nothing = Fetch(
                *tp, start=position, end=log_start, offsets=(), keys=(), values=(), timestamps_ms=(), headers=()
            )
            if not self._apply(tp, nothing):
                self.checkpoints.forget(tp.partition)
                return
        _SKIPPED.labels(*tp).inc(log_start - position)
        _log.error(
            "%s[%d]: offsets %d to %d were deleted by retention before they were processed and are missing in the "
            "metrics; raise the topic's retention or add workers",
            *(*tp, position, log_start - 1),
        )

    async def _tell_of_commits(self, tps: Collection[TopicPartition]) -> None:
        positions = {tp: at for tp in tps if (at := self._position(tp)) is not None}
        try:
            await self._guard.compare_commits(positions)
        except (BrokerError, TimeoutError) as error:
            _log.warning("the group's offsets are not compared with the state: %r", error)

    async def watch_source(self) -> None:
        """Check the measurements topic until the worker stops."""
        await self._guard.watch(self.read_on)

    def awaited(self) -> dict[TopicPartition, int]:
        """Next offset that each owned partition waits for."""
        return {
            tp: position if (position := self._ingest.position(tp.partition)) is not None else since
            for tp in self._sources()
            if (since := self._member.reading_since(tp)) is not None
        }

    async def checkpoint_when_due(self) -> None:
        """Write checkpoints until the worker stops."""
        await self.checkpoints.run(self.read_on)

    async def end_generation(self) -> None:
        """Write a last checkpoint, bounded in time, and forget the state: others may get the partitions."""
        await self.checkpoints.write_last()
        self._tables.close()
        self.drop()

    def drop(self) -> None:
        """Forget the state of all partitions."""
        self.checkpoints.drop()
        self._ingest.drop()

    async def stop(self) -> None:
        """Take no more fetches, write a last checkpoint and disconnect."""
        self._stopped = True
        self.checkpoints.stop()
        await self.end_generation()
        await self.checkpoints.discard()
