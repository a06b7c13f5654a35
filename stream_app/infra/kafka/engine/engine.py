"""Faust, as the rest of the program sees it: a member of the group that is started and stopped."""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any, Final, cast

from faust.assignor.partition_assignor import PartitionAssignor
from faust.contrib.asgi import bind_to_running_loop
from faust.exceptions import ConsumerNotStarted
from faust.tables.manager import TableManager
from faust.types import TP

from stream_app.domain.source import Source
from stream_app.infra.kafka.engine.app import StreamApp, rebalance_timeout_s, request_timeout_s
from stream_app.infra.kafka.engine.consumer import Consumer
from stream_app.infra.kafka.engine.coordination import Coordination
from stream_app.infra.kafka.engine.recovery import RecoveredTable
from stream_app.infra.kafka.engine.waiting_tasks import waiting_tasks
from stream_app.infra.kafka.errors import KafkaSideError, WorkerCrashedError
from stream_app.infra.kafka.lease import Lease
from stream_app.infra.kafka.log.failures import broker_failures
from stream_app.infra.kafka.member import GroupMember, MemberLife, Offsets
from stream_app.infra.kafka.tables import Table
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.infra.process import INTERNAL_ERROR, end_process
from stream_app.settings import Settings

_log = logging.getLogger(__name__)

#: A heartbeat proves membership for this part of the session timeout; the rest is for clocks and answers on their way.
_LEASE_PER_SESSION: Final = 0.8
_STOP_TIMEOUT_S: Final = 15.0
#: Longer than all steps of stopping that have a limit of their own. Nothing is lost: unwritten rows are read again.
_CUT_AFTER_S: Final = 20.0


class Engine:
    """Faust as a member of the group (:class:`stream_app.infra.kafka.member.Member`).

    Parameters
    ----------
    settings
        Of the whole process.
    life
        Called as the member's life goes on.
    """

    def __init__(self, settings: Settings, life: MemberLife) -> None:
        self.source = settings.kafka.measurements_topic
        self.lease = Lease(settings.kafka.session_timeout_s * _LEASE_PER_SESSION)
        #: What the group's coordinator says.
        self.coordination = Coordination(settings.kafka, self._refused)
        #: Also run by ``faust -A``.
        self.app = StreamApp(settings, self.lease, self.coordination, life)
        #: How long a worker may be out of the group while Kafka answers: a rebalance and a lost answer take their time,
        #: and a refusal ends with its own words.
        self.join_limit_s = rebalance_timeout_s(settings.kafka) + max(
            request_timeout_s(settings.kafka), settings.kafka.refusal_limit_s
        )
        self.failure: Exception | None = None
        self._failed: asyncio.Event | None = None  # there is one while `run` waits for it

    def recover(self, table: Table) -> None:
        """Recover a table from its changelog at each rebalance; to be called before the start."""
        self.app.tables.add(RecoveredTable(self.app, table, self.fail))

    async def run(self, stop: asyncio.Event) -> None:
        """Be a member of the group until ``stop`` is set.

        Raises
        ------
        KafkaSideError
            The member cannot go on; its message has the cure. Errors given to :meth:`fail` are raised as they are.
        """
        bind_to_running_loop(self.app)
        self.app.finalize()
        self._failed = asyncio.Event()
        started = asyncio.ensure_future(self.app.start())
        ends = {asyncio.ensure_future(end) for end in (stop.wait(), self._failed.wait(), self.app.wait_until_stopped())}
        try:
            await asyncio.wait({started, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if started.done():
                started.result()
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._stop(started, status=0 if stop.is_set() else INTERNAL_ERROR)
            for end in ends:
                end.cancel()
        if self.failure is not None:
            raise self.failure
        if not stop.is_set():
            reason = self.app.crash_reason
            raise reason if isinstance(reason, KafkaSideError) else WorkerCrashedError(reason)

    def fail(self, error: Exception) -> None:
        """End the member with an error: :meth:`run` raises it, Faust's own command crashes."""
        self.failure = self.failure or error
        if self._failed is not None:
            self._failed.set()
        else:
            self.app.add_future(self.app.crash(error))

    def _refused(self, error: Exception) -> None:
        """Fail, called in the consumer's thread."""
        if not self.stopping:
            self.app.loop.call_soon_threadsafe(self.fail, error)

    async def _stop(self, started: asyncio.Future[None], status: int) -> None:
        """Stop Faust, or end the process if Faust hangs."""
        cut = threading.Timer(_CUT_AFTER_S, self._cut, [status])
        cut.daemon = True
        cut.start()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await self.app.stop()
        except TimeoutError:
            _log.warning("Faust did not stop within %.0f s: going on without it", _STOP_TIMEOUT_S)
        finally:
            started.cancel()
            await asyncio.gather(started, return_exceptions=True)
            cut.cancel()

    def _cut(self, status: int) -> None:
        _log.error("the worker did not stop within %.0f s: ending it; unwritten rows are read again", _CUT_AFTER_S)
        end_process(status, self.failure)

    def spawn(self, task: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine beside the member; it is cancelled when the member stops, which crashes if it raises."""
        self.app.add_future(task)

    async def sleep(self, seconds: float) -> None:
        """Sleep, but no longer than until the member is to stop."""
        await self.app.sleep(seconds)

    @property
    def url(self) -> str:
        """URL by which the other members know this one."""
        return str(self.app.conf.canonical_url)

    @property
    def generation(self) -> int | None:
        """Number that grows with each rebalance of the group."""
        return self.app.consumer_generation_id

    @property
    def rebalancing(self) -> bool:
        """Whether partitions are being assigned and recovered."""
        return bool(self.app.rebalancing)

    @property
    def ready(self) -> bool:
        """Whether all tables are recovered."""
        return bool(self.app.tables.actives_ready) and not self.rebalancing

    @property
    def stopping(self) -> bool:
        """Whether the member is to stop."""
        return bool(self.app.should_stop)

    def waiting_tasks(self) -> list[str]:
        """Where each task of the worker and of its consumer's thread waits."""
        return waiting_tasks([self.app.loop, self._consumer._thread.thread_loop])

    def members(self) -> Mapping[str, Collection[int]]:
        """URL of each member of the group, and the partitions of the source that it owns."""
        assignor = cast(PartitionAssignor, self.app.assignor)
        owned = assignor.external_topics_metadata()
        return {url: topics.get(self.source, ()) for url, topics in owned.items()}

    async def described(self) -> tuple[str, Collection[GroupMember]]:
        """Own id in the group, and its members, asked of the coordinator."""
        with broker_failures():
            return cast(
                tuple[str, Collection[GroupMember]], await self._consumer._thread.call_thread(self.coordination.members)
            )

    @property
    def _consumer(self) -> Consumer:
        return cast(Consumer, self.app.consumer)

    def reading_since(self, tp: TopicPartition) -> int | None:
        """Offset at which reading of a source partition last began."""
        return self._consumer.reading_since.get(TP(*tp))

    def end_of(self, tp: TopicPartition) -> int | None:
        """End of what may be read of a partition, as of the last fetch; None while unknown."""
        stable = _while_assigned(self._consumer.last_stable, tp)
        return self.log_end_of(tp) if stable is None else stable

    def log_end_of(self, tp: TopicPartition) -> int | None:
        """End of a partition with the transactions that are open, as of the last fetch; None while unknown."""
        return _while_assigned(self._consumer.highwater, tp)

    def recovering(self) -> Offsets:
        """Next offset that each changelog waits for while the tables are being recovered."""
        stats = cast(TableManager, self.app.tables).recovery.active_stats() if self.app.in_recovery else {}
        return {TopicPartition(*tp): stat.offset + 1 for tp, stat in stats.items() if stat.remaining > 0}

    def restore_remaining(self) -> Offsets:
        """Count what is left to read of each changelog before its partition is served; none while none is read."""
        stats = cast(TableManager, self.app.tables).recovery.active_stats() if self.app.in_recovery else {}
        return {TopicPartition(*tp): max(0, stat.remaining) for tp, stat in stats.items()}

    def refusals(self) -> int:
        """Count the answers in which the broker refused a fetch of the source: its log may have been changed."""
        return self._consumer.refusals[self.source]

    def read_only(self, source: Source) -> None:
        """Have the broker refuse every fetch of another topic than this one; it must be able to tell ids."""
        if source.topic_id is not None:
            self._consumer.topic_ids[source.topic] = uuid.UUID(source.topic_id)

    async def foreign_commits(self, tps: Collection[TopicPartition]) -> Offsets:
        """Committed offsets of the group that no worker has committed: they were set by a tool."""
        with broker_failures():
            return _ours(await self._consumer.foreign_commits(_theirs(tps)))

    async def position(self, tp: TopicPartition) -> int:
        """Next offset that will be fetched."""
        with broker_failures():
            return await self._consumer.position(TP(*tp)) or 0

    async def log_starts(self, tps: Collection[TopicPartition]) -> Offsets:
        """First offset that the broker still has of each partition."""
        with broker_failures():
            return _ours(await self._consumer.earliest_offsets(*_theirs(tps)))

    async def ends(self, tps: Collection[TopicPartition]) -> Offsets:
        """End of each partition, asked of the broker."""
        with broker_failures():
            return _ours(await self._consumer.highwaters(*_theirs(tps)))

    async def seek(self, positions: Offsets) -> None:
        """Fetch on from these offsets."""
        with broker_failures():
            await self._consumer.seek_wait({TP(*tp): offset for tp, offset in positions.items()})

    async def read_from(self, positions: Offsets) -> None:
        """Seek in source partitions, and remember that reading began there."""
        with broker_failures():
            await self._consumer.read_from({TP(*tp): offset for tp, offset in positions.items()})

    def checkpointed(self, tp: TopicPartition, position: int) -> None:
        """Let the next commit say that all rows before ``position`` are done."""
        self._consumer.checkpointed(TP(*tp), position)


def _while_assigned(end: Callable[[TP], int | None], tp: TopicPartition) -> int | None:
    """An end of a partition; None if it is not assigned, any more or yet."""
    try:
        return end(TP(*tp))
    except (ConsumerNotStarted, AttributeError, KeyError, AssertionError):
        return None


def _theirs(tps: Collection[TopicPartition]) -> list[TP]:
    return [TP(*tp) for tp in tps]


def _ours(offsets: Mapping[TP, int]) -> Offsets:
    return {TopicPartition(*tp): offset for tp, offset in offsets.items()}
