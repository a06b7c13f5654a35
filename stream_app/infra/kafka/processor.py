"""Fetches go into the state, the state goes into checkpoints. Four of the five laws of delivery are kept here.

1. The state's position is the truth: seeks go there, the group's committed offset only follows.
2. Positions move without gaps: a fetch that begins after a gap is not applied, its partition is read again.
3. A checkpoint is written in this order: output, changelogs, tables, source. A new generation starts from the tables.
4. No checkpoint without a lease, and none outlives it.

(The fifth, newer wins, is kept by :class:`stream_app.infra.kafka.tables.Partition`.)
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection
from dataclasses import replace
from itertools import count
from typing import Final

from prometheus_client import Counter, Histogram

from stream_app.domain.errors import DomainError
from stream_app.infra.failpoints import failpoint
from stream_app.infra.kafka.bounded_writes import write_within
from stream_app.infra.kafka.checkpoint_sink import CheckpointSink
from stream_app.infra.kafka.errors import BrokerError, RecordTooLargeError, SourceTruncatedError, StateError
from stream_app.infra.kafka.member import Member
from stream_app.infra.kafka.tables import TableStore
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.usecases.ingest import AlreadyApplied, Gap, Ingest
from stream_app.usecases.ports import Checkpoint
from stream_app.wire.batch import Fetch

_log = logging.getLogger(__name__)

_SKIPPED: Final = Counter(
    "stream_skipped_messages", "Offsets that retention deleted before they were processed", ["topic", "partition"]
)
_ROWS: Final = Counter("stream_rows", "Rows applied to the state; those read again after a fault count again")
_CHECKPOINT_S: Final = Histogram(
    "stream_checkpoint_seconds",
    "Time from collecting a checkpoint of all partitions that were due until Kafka has acknowledged all of it",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
_BACKOFF_MIN_S: Final = 0.2
_BACKOFF_MAX_S: Final = 30.0
#: Checkpoints take at most a third of the time.
_REST_PER_WORK: Final = 2.0
#: A checkpoint that waited for the broker took little work: the next one need not wait for as long again.
_REST_MAX_S: Final = 5.0
#: The group waits for this worker while it writes its last checkpoint of a generation.
_LAST_CHECKPOINT_S: Final = 5.0


class Processor:
    """Applies fetches and writes checkpoints; one at a time."""

    def __init__(
        self, member: Member, ingest: Ingest, tables: TableStore, sink: CheckpointSink, interval_s: float
    ) -> None:
        self._member, self._ingest, self._tables, self._sink = member, ingest, tables, sink
        self._interval_s = interval_s
        self.lock = asyncio.Lock()  # fetches, checkpoints and repairs take turns on the state
        self._wake = asyncio.Event()
        self._due: dict[int, float] = {}  # when each changed partition is to get its checkpoint
        self._earliest = 0.0  # no checkpoint before this
        self._unwritten = 0  # checkpoints in a row that could not be written
        self._failures = 0  # fetches in a row that could not be applied
        self._log_start: dict[TopicPartition, int] = {}  # of logs that begin after the state's position
        self.is_idle = True  # no fetch is being applied
        self._stopped = False

    async def apply(self, fetch: Fetch, generation: int | None) -> None:
        """Apply a fetch, unless its generation of the group is over."""
        tp = TopicPartition(fetch.topic, fetch.partition)
        await failpoint("after_fetch")
        self.is_idle = False
        async with self.lock:
            stale = self._stopped or not self._owns(tp, generation)
            applied = stale or self._apply(tp, fetch)
        if not applied:
            self._due.pop(tp.partition, None)
            await asyncio.sleep(_backoff_s(self._failures) if self._failures else 0)
            await self.read_on([tp])
        self.is_idle = True

    def _owns(self, tp: TopicPartition, generation: int | None) -> bool:
        """Whether this worker owns a partition, with its tables recovered, in this generation of the group."""
        return generation == self._member.generation and tp.partition in self._tables.recovered()

    def _apply(self, tp: TopicPartition, fetch: Fetch) -> bool:
        """Apply a fetch; False: the partition must be read again from the position of its state."""
        skipped = 0
        if fetch.start == self._log_start.get(tp):
            # Retention left nothing between the position and the log's start: go on as if the fetch began there.
            position = self._ingest.position(tp.partition) or fetch.start
            skipped = fetch.start - position
            fetch = replace(fetch, start=position)
        elif self._ingest.position(tp.partition) is None and fetch.start != self._member.reading_since(tp):
            return False  # there is no state to compare with: only the fetch that was asked for will do
        try:
            outcome = self._ingest.apply(fetch)
        except DomainError as error:
            self._fail_on_state(tp.partition, error)
            return True
        except Exception:
            # The state may be half changed, but no checkpoint has it: begin again from the tables.
            if self._failures == 0:
                _log.exception("cannot apply %s[%d] from offset %d; trying again", *tp, fetch.start)
            self._failures += 1
            self._ingest.release(tp.partition)
            return False
        if isinstance(outcome, Gap):
            return False
        self._failures = 0
        if skipped:
            del self._log_start[tp]
            _SKIPPED.labels(*tp).inc(skipped)
        end = self._member.end_of(tp) or fetch.end
        if isinstance(outcome, AlreadyApplied):
            known = self._tables.position(tp.partition) or 0
            if end < known:
                self._member.fail(SourceTruncatedError(*tp, known, end))
            return True
        _ROWS.inc(outcome.rows)
        now = time.monotonic()
        if fetch.end >= end:
            self._due[tp.partition] = now  # caught up: no reason to wait for the interval
        else:
            self._due.setdefault(tp.partition, now + self._interval_s)
        self._wake.set()
        return True

    def _fail_on_state(self, partition: int, error: DomainError) -> None:
        """End the worker: no row is at fault for a state that cannot be read, and reading again mends nothing."""
        _, assets = self._tables.tables()
        self._member.fail(StateError(assets.changelog, partition, str(error)))

    async def begin(self) -> None:
        """Start reading a generation's partitions, once their tables are recovered.

        Faust seeks too, but empties its queues afterwards: a fetch that arrived before that would be lost unnoticed.
        """
        await self.read_on(self._sources())

    def _sources(self) -> list[TopicPartition]:
        return [TopicPartition(self._member.source, partition) for partition in self._tables.recovered()]

    async def read_on(self, tps: Collection[TopicPartition]) -> None:
        """Read partitions on from the positions of their states."""
        generation = self._member.generation
        for attempt in count(1):
            tps = [tp for tp in tps if self._owns(tp, generation)]
            if not tps:
                return  # the new generation seeks by itself
            try:
                log_starts = await self._member.log_starts(tps)
                await self._member.read_from({tp: self._target(tp, log_starts[tp]) for tp in tps})
            except (BrokerError, TimeoutError) as error:
                _log.warning("cannot seek, trying again: %r", error)
                await asyncio.sleep(_backoff_s(attempt))
            else:
                return

    def _target(self, tp: TopicPartition, log_start: int) -> int:
        position = self._ingest.position(tp.partition)
        if position is None or position >= log_start:
            return log_start if position is None else position
        _log.error(
            "%s[%d]: offsets %d to %d were deleted by retention before they were processed and are missing in the "
            "metrics; raise the topic's retention or add workers",
            *(*tp, position, log_start - 1),
        )
        self._log_start[tp] = log_start
        return log_start

    def awaited(self) -> dict[TopicPartition, int]:
        """Next offset that each owned partition waits for."""
        return {
            tp: position if (position := self._ingest.position(tp.partition)) is not None else since
            for tp in self._sources()
            if (since := self._member.reading_since(tp)) is not None
        }

    async def checkpoint_when_due(self) -> None:
        """Write checkpoints until the worker stops."""
        while not self._stopped:
            wait_s = None
            if self._due:
                wait_s = max(min(self._due.values()), self._earliest) - time.monotonic()
            if wait_s is None or wait_s > 0:
                self._wake.clear()
                try:
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                continue
            now = time.monotonic()
            async with self.lock:
                await self._checkpoint([partition for partition, due in self._due.items() if due <= now])

    async def _checkpoint(self, partitions: Collection[int]) -> None:
        """Write a checkpoint of each of the partitions. The lock is held."""
        lease = self._member.lease
        if lease.remaining_s() <= 0:
            # Wait: the group may accept this worker again in this generation; a new one drops the state.
            self._earliest = time.monotonic() + _BACKOFF_MIN_S
            return
        began, generation = time.monotonic(), self._member.generation
        checkpoints, failed = await self._collect(partitions)
        if generation != self._member.generation:
            return  # others may own the partitions by now; the new generation has dropped the state
        if failed and not self._stopped:
            await self.read_on(failed)
        try:
            await write_within(lease, self._sink, [self._write(checkpoint) for checkpoint in checkpoints])
        except RecordTooLargeError as error:
            self._member.fail(error)
        except (BrokerError, TimeoutError) as error:
            _log.warning("checkpoint not written, trying again: %s", error)
            self._unwritten += 1
            self._earliest = time.monotonic() + _backoff_s(self._unwritten)
        else:
            self._unwritten = 0
            now = time.monotonic()
            if checkpoints:
                _CHECKPOINT_S.observe(now - began)
            self._earliest = now + min(_REST_PER_WORK * (now - began), _REST_MAX_S)

    async def _collect(self, partitions: Collection[int]) -> tuple[list[Checkpoint], list[TopicPartition]]:
        """Collect checkpoints, and the partitions to be read again because their checkpoint cannot be made."""
        checkpoints, failed = [], []
        for partition in partitions:
            try:
                checkpoint = self._ingest.checkpoint(partition)
            except DomainError as error:
                self._fail_on_state(partition, error)
                checkpoint = None
            except Exception:
                _log.exception(
                    "cannot make a checkpoint of partition %d; reading it again, message by message", partition
                )
                failed.append(TopicPartition(self._member.source, partition))
                checkpoint = None
            if checkpoint is None:
                self._due.pop(partition, None)
            else:
                checkpoints.append(checkpoint)
            await asyncio.sleep(0)  # look-ups take their turn: with 100,000 assets a partition takes a second
        return checkpoints, failed

    async def _write(self, checkpoint: Checkpoint) -> None:
        windows, assets = await self._sink.write(checkpoint)
        partition = checkpoint.partition
        # Nothing is awaited from here on: Kafka, the tables and the state change together.
        self._tables.take_windows(partition, checkpoint.windows, windows)
        self._tables.take_assets(partition, checkpoint.assets, assets)
        self._ingest.written(checkpoint)
        self._member.checkpointed(TopicPartition(self._member.source, partition), checkpoint.position)
        self._due.pop(partition, None)
        await failpoint("after_table_write")

    async def end_generation(self) -> None:
        """Write a last checkpoint, bounded in time, and forget the state: others may get the partitions."""
        try:
            async with asyncio.timeout(_LAST_CHECKPOINT_S), self.lock:
                await self._checkpoint(list(self._due))
        except TimeoutError:
            _log.warning("no time for a last checkpoint: its rows are read again")
            await self._sink.discard()
        except Exception:
            _log.exception("the last checkpoint failed: its rows are read again")
        self._tables.close()
        self.drop()

    def drop(self) -> None:
        """Forget the state of all partitions."""
        self._due.clear()
        self._log_start.clear()
        self._ingest.drop()

    async def stop(self) -> None:
        """Take no more fetches, write a last checkpoint and disconnect."""
        self._stopped = True
        self._wake.set()
        await self.end_generation()
        await self._sink.discard()


def _backoff_s(attempt: int) -> float:
    return min(_BACKOFF_MIN_S * 2.0 ** (attempt - 1), _BACKOFF_MAX_S)
