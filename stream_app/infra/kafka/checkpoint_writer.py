"""The state goes into checkpoints. Two of the five laws of delivery are kept here.

3. A checkpoint is written in this order: output, changelogs, tables, source. A new generation starts from the tables.
4. No checkpoint without a lease, and none outlives it.

One checkpoint is under way at a time: an older entry never lands behind a newer one. Rows are applied while it is being
written. What it includes is set aside in the state until then, and is in the next checkpoint if the write fails.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from typing import Final

from prometheus_client import Counter, Histogram

from stream_app.domain.errors import DomainError
from stream_app.infra.failpoints import failpoint
from stream_app.infra.kafka.arrivals import Arrivals
from stream_app.infra.kafka.backoff import BACKOFF_MIN_S, backoff_s
from stream_app.infra.kafka.bounded_writes import BoundedWrites
from stream_app.infra.kafka.checkpoint_sink import CheckpointSink
from stream_app.infra.kafka.errors import BrokerError, ClockError, RecordTooLargeError
from stream_app.infra.kafka.member import Member
from stream_app.infra.kafka.tables import TableStore
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.infra.kafka.under_way import Collected, UnderWay
from stream_app.infra.traces import traced_checkpoint
from stream_app.usecases.ingest import Ingest

_log = logging.getLogger(__name__)

_CHECKPOINT_S: Final = Histogram(
    "stream_checkpoint_seconds",
    "Time from collecting the checkpoints that are written together until Kafka has acknowledged all of them",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
_UNWRITTEN: Final = Counter("stream_checkpoint_failures", "Attempts to write checkpoints that failed; each is repeated")
#: To collect and build checkpoints takes at most half of the time.
_REST_PER_WORK: Final = 1.0
#: However large the fleet is, readers do not wait for longer than this.
_REST_MAX_S: Final = 5.0
#: The rest is for rows that wait to be applied: when none has been for so long, it is over.
_QUIET_S: Final = 0.05
#: Of collecting at a time: look-ups take their turn between, and a turn costs as much as 0.1 ms of collecting.
_SLICE_S: Final = 0.002
#: Checkpoints are written together up to this size, which is held in memory meanwhile [bytes].
_WRITTEN_AT_ONCE_BYTES: Final = 32 << 20
#: The group waits for this worker while it writes its last checkpoint of a generation.
_LAST_CHECKPOINT_S: Final = 5.0

ReadOn = Callable[[Collection[TopicPartition]], Awaitable[None]]


#: There is no further pause.
_OVER: Final = object()


class CheckpointWriter:
    """Collects and writes checkpoints.

    Parameters
    ----------
    state
        Held while a partition's checkpoint is collected: nothing is applied then.
    """

    def __init__(
        self, member: Member, ingest: Ingest, tables: TableStore, sink: CheckpointSink, state: asyncio.Lock
    ) -> None:
        self._member, self._ingest, self._tables, self._sink, self._state = member, ingest, tables, sink, state
        #: Held by whoever writes to the changelogs; taken before ``state``.
        self.lock = asyncio.Lock()
        self.arrivals = Arrivals()
        self._wake = asyncio.Event()
        self._due: dict[int, float] = {}  # when each changed partition is to get its checkpoint
        self._earliest = 0.0  # no checkpoint before this
        self._rested = 0.0  # nor before this, while rows are applied
        self._applied = 0.0  # when rows were applied last
        self._unwritten = 0  # checkpoints in a row that could not be written
        self._stopped = False

    def applied(self, partition: int, due: float) -> None:
        """Rows were applied to a partition: write a checkpoint of it at a monotonic time, or before."""
        self._applied = time.monotonic()
        self._set_due(partition, due)

    def _set_due(self, partition: int, at: float) -> None:
        """Write a checkpoint of a partition at a monotonic time, unless it is to be written before."""
        self._due[partition] = min(self._due.get(partition, at), at)
        self._wake.set()

    def resume(self, partitions: Iterable[int]) -> None:
        """Write checkpoints of partitions that have updates to be published later, when it is time."""
        for partition in partitions:
            try:
                at = self._ingest.next_update_s(partition)
            except DomainError as error:
                self._member.fail(self._tables.unreadable(partition, error))
                return
            if at is not None:
                self._set_due(partition, at)

    def forget(self, partition: int) -> None:
        """Write no checkpoint of a partition: its state is gone."""
        self._due.pop(partition, None)

    def drop(self) -> None:
        """Write no checkpoint of any partition: their states are gone."""
        self._due.clear()

    async def run(self, read_on: ReadOn) -> None:
        """Write checkpoints when they are due, until stopped.

        ``read_on`` reads partitions again whose checkpoint cannot be made.
        """
        while not self._stopped:
            wait_s = None
            if self._due:
                rested = min(self._rested, self._applied + _QUIET_S)
                wait_s = max(min(self._due.values()), self._earliest, rested) - time.monotonic()
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
                failed = await self.write([partition for partition, due in self._due.items() if due <= now])
            if failed and not self._stopped:
                await read_on(failed)

    async def write(self, partitions: Collection[int]) -> list[TopicPartition]:
        """Write a checkpoint of each of the partitions; those whose checkpoint cannot be made. The lock is held."""
        left, failed, work_s, is_written = list(partitions), list[TopicPartition](), 0.0, True
        while left and is_written:
            if self._member.lease.remaining_s() <= 0:
                # Wait: the group may accept this worker again in this generation; a new one drops the state.
                self._earliest = time.monotonic() + BACKOFF_MIN_S
                break
            if not await self._is_prepared():
                break
            built_s, under_way = self._sink.built_s, UnderWay(time.monotonic(), self._member.generation)
            is_written = await self._write_first(left, under_way)
            failed += under_way.failed
            work_s += under_way.work_s + self._sink.built_s - built_s
        if is_written:
            self._rested = time.monotonic() + min(_REST_PER_WORK * work_s, _REST_MAX_S)
        return failed

    async def _is_prepared(self) -> bool:
        """Whether the sink can take updates; if not, everything stays due."""
        try:
            async with asyncio.timeout(self._member.lease.remaining_s()):
                await self._sink.prepare()
        except (BrokerError, TimeoutError) as error:
            await self._sink.discard()
            self._put_off(str(error) or "the broker does not answer")
            return False
        return True

    def _put_off(self, reason: object) -> None:
        """Write no checkpoint for a while."""
        _log.warning("checkpoint not written, trying again: %s", reason)
        self._unwritten += 1
        _UNWRITTEN.inc()
        self._earliest = time.monotonic() + backoff_s(self._unwritten)

    async def _write_first(self, partitions: list[int], under_way: UnderWay) -> bool:
        """Write checkpoints of the first partitions, which are taken off, side by side; whether that went well.

        Each is written from when it is collected on. If it did not go well they are due again.
        """
        is_written = False
        try:
            async with BoundedWrites(self._member.lease, self._sink) as writes:
                while partitions and under_way.size_bytes < _WRITTEN_AT_ONCE_BYTES:
                    each = await self._collect(partitions.pop(0), under_way)
                    # In another generation others may own the partition.
                    if each is not None and self._tables.holds(each.checkpoint.partition, under_way.generation):
                        under_way.collected.append(each)
                        under_way.size_bytes += each.size_bytes
                        writes.start(self._write(each, under_way.generation))
            is_written = True
        except (RecordTooLargeError, ClockError) as error:
            self._member.fail(error)
        except (BrokerError, TimeoutError) as error:
            self._put_off(error)
        finally:
            for each in under_way.collected:
                each.span.end(is_written=is_written)
                if not is_written:
                    self._set_due(each.checkpoint.partition, under_way.began)
        if is_written:
            self._unwritten = 0
            if under_way.collected:
                _CHECKPOINT_S.observe(time.monotonic() - under_way.began)
        return is_written

    async def _collect(self, partition: int, under_way: UnderWay) -> Collected | None:
        """Collect a partition's checkpoint; None if nothing changed, or it cannot be made."""
        checkpoint, is_over, work_s = None, False, 0.0
        async with self._state:
            self._due.pop(partition, None)
            slices = self._ingest.collect(partition)
            span = traced_checkpoint(partition)
            updates = self._sink.update_batches(span.traceparent)
            pauses: Iterator[None] = iter(())
            paused_s = -_SLICE_S
            while not is_over:
                if work_s - paused_s >= _SLICE_S:
                    await asyncio.sleep(0)
                    paused_s = work_s
                began = time.thread_time()
                try:
                    if next(pauses, _OVER) is _OVER:
                        pauses = updates.put(next(slices))
                except StopIteration as end:
                    checkpoint, is_over = end.value, True
                except RecordTooLargeError as error:
                    self._member.fail(error)
                    is_over = True
                except DomainError as error:
                    self._member.fail(self._tables.unreadable(partition, error))
                    is_over = True
                except Exception:
                    _log.exception(
                        "cannot make a checkpoint of partition %d; reading it again, message by message", partition
                    )
                    under_way.failed.append(TopicPartition(self._member.source, partition))
                    is_over = True
                work_s += time.thread_time() - began
            self.resume([partition])
        under_way.work_s += work_s
        return None if checkpoint is None else Collected(checkpoint, updates, span)

    async def _write(self, collected: Collected, generation: int | None) -> None:
        checkpoint = collected.checkpoint
        windows, assets = await self._sink.write(checkpoint, collected.updates)
        partition = checkpoint.partition
        if not self._tables.holds(partition, generation):
            return  # the next owner reads it from Kafka
        # Nothing is awaited from here on: the tables and the state change together.
        self._tables.take_windows(partition, checkpoint.windows, windows)
        self._tables.take_assets(partition, checkpoint.assets, assets)
        self._ingest.written(checkpoint)
        self._member.checkpointed(TopicPartition(self._member.source, partition), checkpoint.position)
        self.arrivals.written(partition, checkpoint.position)
        await failpoint("after_table_write")

    async def write_last(self) -> None:
        """Write a last checkpoint of a generation, bounded in time."""
        try:
            async with asyncio.timeout(_LAST_CHECKPOINT_S), self.lock:
                await self.write(list(self._due))
        except TimeoutError:
            _log.warning("no time for a last checkpoint: its rows are read again")
            await self._sink.discard()
        except Exception:
            _log.exception("the last checkpoint failed: its rows are read again")

    async def settled(self) -> None:
        """Wait until no checkpoint is under way."""
        async with self.lock:
            pass

    def stop(self) -> None:
        """Write no further checkpoint by itself."""
        self._stopped = True
        self._wake.set()

    async def discard(self) -> None:
        """Disconnect."""
        await self._sink.discard()
