"""The agent's work: fetches go into the state, the state goes into checkpoints. Four of the five laws stand here.

1. The state's position is the truth: seeks go there, the group's committed offset only follows.
2. Positions move contiguously: a fetch that begins behind a gap is not applied, its partition is read again.
3. A checkpoint goes output, changelogs, tables, source, in this order; a new group generation starts from the tables.
4. No checkpoint without a lease, and none outlives it.

(The fifth, newer wins, is :class:`stream_app.infra.kafka.tables.Partition`'s.)
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterable, Collection
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Final, cast

from aiokafka.errors import KafkaError
from faust import Stream
from faust.types import TP, EventT
from prometheus_client import Counter, Histogram

from stream_app.domain.errors import DomainError
from stream_app.infra.failpoints import failpoint
from stream_app.infra.kafka.errors import RecordTooLargeError, SourceTruncatedError, StateError
from stream_app.infra.kafka.leased import while_leased
from stream_app.infra.kafka.sinks import CheckpointSink
from stream_app.infra.kafka.tables import TableStore
from stream_app.usecases.ingest import AlreadyApplied, Gap, Ingest
from stream_app.usecases.ports import Checkpoint
from stream_app.wire.batch import Fetch

if TYPE_CHECKING:
    from stream_app.infra.kafka.app import StreamApp

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
#: A checkpoint that waited for a broker has not worked: what came meanwhile is not held for as long again.
_REST_MAX_S: Final = 5.0
#: The group waits for this worker while it writes its last checkpoint of a generation.
_LAST_CHECKPOINT_S: Final = 5.0


class Processor:
    """Applies fetches and writes checkpoints; one at a time."""

    def __init__(
        self, app: StreamApp, ingest: Ingest, tables: TableStore, sink: CheckpointSink, interval_s: float
    ) -> None:
        self._app, self._ingest, self._tables, self._sink = app, ingest, tables, sink
        self._interval_s = interval_s
        self.lock = asyncio.Lock()  # fetches, checkpoints and repairs take turns on the state
        self._wake = asyncio.Event()
        self._due: dict[int, float] = {}  # when a changed partition wants its checkpoint
        self._earliest = 0.0  # no checkpoint before this
        self._held = 0  # checkpoints in a row that could not be written
        self._failures = 0  # fetches in a row that could not be applied
        self._log_start: dict[TP, int] = {}  # where a log begins that has lost the state's position
        self.is_idle = True  # waits for a fetch
        self._stopped = False

    async def consume(self, stream: Stream[Fetch]) -> None:
        """Run the agent: apply every fetch of the current generation."""
        events: AsyncIterable[EventT[Fetch]] = stream.noack().events()
        async for event in events:
            message = event.message
            await failpoint("after_fetch")
            self.is_idle = False
            async with self.lock:
                stale = self._stopped or not self._app.is_current(message.tp.partition, message.generation_id)
                applied = stale or self._apply(message.tp, cast(Fetch, message.value))
            if not applied:
                self._due.pop(message.tp.partition, None)
                await asyncio.sleep(_backoff_s(self._failures) if self._failures else 0)
                await self.read_on([message.tp])
            self.is_idle = True

    def _apply(self, tp: TP, fetch: Fetch) -> bool:
        """Apply a fetch; False: the partition must be read again from the position of its state."""
        skipped = 0
        if fetch.start == self._log_start.get(tp):
            # Between the position and the log's start there is nothing left: a hole as any other.
            position = self._ingest.position(tp.partition) or fetch.start
            skipped = fetch.start - position
            fetch = replace(fetch, start=position)
        elif self._ingest.position(tp.partition) is None and fetch.start != self._app.reading_since(tp):
            return False  # without a state any start would do, so it must be the one that was asked for
        try:
            outcome = self._ingest.apply(fetch)
        except DomainError as error:
            self._fail_on_state(tp.partition, error)
            return True
        except Exception:
            # The state may be half changed: begin again from the tables. Nothing of it is in a checkpoint.
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
        end = self._app.end_of(tp) or fetch.end
        if isinstance(outcome, AlreadyApplied):
            known = self._tables.position(tp.partition) or 0
            if end < known:
                self._app.fail(SourceTruncatedError(*tp, known, end))
            return True
        _ROWS.inc(outcome.rows)
        now = time.monotonic()
        if fetch.end >= end:
            self._due[tp.partition] = now  # caught up: who waits for the answer need not wait for the interval
        else:
            self._due.setdefault(tp.partition, now + self._interval_s)
        self._wake.set()
        return True

    def _fail_on_state(self, partition: int, error: DomainError) -> None:
        """End the worker: no row is at fault for a state that cannot be read, and reading again mends nothing."""
        _, assets = self._tables.stores()
        self._app.fail(StateError(assets.changelog, partition, str(error)))

    async def begin(self) -> None:
        """Start reading a generation's partitions, once their tables are recovered.

        Faust has sought before, but then it resumes its flow, which empties the queues: a fetch that was quicker is
        lost without a trace.
        """
        await self.read_on(self._sources())

    def _sources(self) -> list[TP]:
        return [TP(self._app.source, partition) for partition in self._tables.recovered()]

    async def read_on(self, tps: Collection[TP]) -> None:
        """Read partitions on from the positions of their states."""
        generation = self._app.consumer_generation_id
        for attempt in count(1):
            tps = [tp for tp in tps if self._app.is_current(tp.partition, generation)]
            if not tps:
                return  # the new generation seeks by itself
            try:
                log_starts = await self._app.consumer.earliest_offsets(*tps)
                await self._app.batching_consumer.read_from({tp: self._target(tp, log_starts[tp]) for tp in tps})
            except (KafkaError, TimeoutError) as error:
                _log.warning("cannot seek, trying again: %r", error)
                await asyncio.sleep(_backoff_s(attempt))
            else:
                return

    def _target(self, tp: TP, log_start: int) -> int:
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

    def awaited(self) -> dict[TP, int]:
        """Next offset that each owned partition waits for."""
        return {
            tp: position if (position := self._ingest.position(tp.partition)) is not None else since
            for tp in self._sources()
            if (since := self._app.reading_since(tp)) is not None
        }

    async def checkpoint_when_due(self) -> None:
        """Write checkpoints for as long as the app runs."""
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
        lease = self._app.lease
        if lease.remaining_s() <= 0:
            # Hold: accepted again in this generation, it goes on; a new generation drops the state.
            self._earliest = time.monotonic() + _BACKOFF_MIN_S
            return
        began, generation = time.monotonic(), self._app.consumer_generation_id
        checkpoints, failed = await self._collect(partitions)
        if generation != self._app.consumer_generation_id:
            return  # the partitions may be another's by now; the new generation has dropped the state
        if failed and not self._stopped:
            await self.read_on(failed)
        try:
            await while_leased(lease, self._sink, [self._write(checkpoint) for checkpoint in checkpoints])
        except RecordTooLargeError as error:
            self._app.fail(error)
        except (KafkaError, TimeoutError) as error:
            _log.warning("checkpoint not written, trying again: %s", error)
            self._held += 1
            self._earliest = time.monotonic() + _backoff_s(self._held)
        else:
            self._held = 0
            now = time.monotonic()
            if checkpoints:
                _CHECKPOINT_S.observe(now - began)
            self._earliest = now + min(_REST_PER_WORK * (now - began), _REST_MAX_S)

    async def _collect(self, partitions: Collection[int]) -> tuple[list[Checkpoint], list[TP]]:
        """Collect checkpoints, and the partitions that must be read again because their state cannot be presented."""
        checkpoints, failed = [], []
        for partition in partitions:
            try:
                checkpoint = self._ingest.checkpoint(partition)
            except DomainError as error:
                self._fail_on_state(partition, error)
                checkpoint = None
            except Exception:
                _log.exception("cannot present partition %d; reading it again, message by message", partition)
                failed.append(TP(self._app.source, partition))
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
        # No await in what follows: what Kafka, the tables and the state hold change together.
        self._tables.take_windows(partition, checkpoint.windows, windows)
        self._tables.take_assets(partition, checkpoint.assets, assets)
        self._ingest.written(checkpoint)
        self._app.checkpointed(partition, checkpoint.position)
        self._due.pop(partition, None)
        await failpoint("after_table_write")

    async def end_generation(self) -> None:
        """Write a last checkpoint, bounded in time, and forget all hot state: others may get the partitions."""
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
        """Forget all hot state."""
        self._due.clear()
        self._log_start.clear()
        self._ingest.drop()

    async def stop(self) -> None:
        """Take no more fetches, write a last checkpoint and let go of the broker."""
        self._stopped = True
        self._wake.set()
        await self.end_generation()
        await self._sink.discard()


def _backoff_s(attempt: int) -> float:
    return min(_BACKOFF_MIN_S * 2.0 ** (attempt - 1), _BACKOFF_MAX_S)
