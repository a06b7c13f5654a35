"""Faust's consumer, made to hand over whole fetches and to follow the positions of the state."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, ClassVar, Final, cast

from aiokafka import TopicPartition
from aiokafka.errors import IllegalGenerationError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.consumer import RecordMap
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT
from faust.types.transports import ConsumerT, ProducerT
from yarl import URL

from stream_app.infra.failpoints import failpoint
from stream_app.infra.kafka.engine.assignor import WatchfulAssignor
from stream_app.infra.kafka.engine.connection import connected
from stream_app.infra.kafka.engine.coordination import Coordination
from stream_app.infra.kafka.engine.heartbeats import renew_by_heartbeats
from stream_app.infra.kafka.engine.whole_fetches import yield_whole_fetches
from stream_app.infra.kafka.lease import Lease
from stream_app.infra.kafka.log.access import find_again
from stream_app.infra.kafka.log.group_state import COMMITTED_BY

_log = logging.getLogger(__name__)

_FETCH_MAX_WAIT_MS: Final = 500
_REJOIN_AFTER_S: Final = 1.0


class NoReadOffsets(dict[TP, int | None]):
    """Stands in for ``Consumer._read_offset``: never remembers, so Faust never drops a message as read."""

    def __getitem__(self, tp: TP) -> None:
        return None


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Runs the aiokafka consumer in a thread of its own, as Faust's does."""

    async def on_start(self) -> None:
        """Start the aiokafka consumer and hook into its fetcher and its heartbeat."""
        await connected(super().on_start, lambda: self._consumer, lambda: bool(self.app.should_stop))
        consumer = self._ensure_consumer()
        ours = cast(Consumer, self.consumer)
        yield_whole_fetches(consumer, ours.refusals, ours.topic_ids)
        _sign_commits(consumer)
        _refuse_commits_while_joining(consumer._coordinator)
        consumer._fetcher._fetch_max_wait_ms = _FETCH_MAX_WAIT_MS
        renew_by_heartbeats(cast(Transport, self.transport).lease, consumer._coordinator)
        cast(Transport, self.transport).coordination.attach(consumer)

    def last_stable(self, tp: TP) -> int | None:
        """Offset up to which no transaction is open, as of the last fetch; None while unknown, or for an old broker."""
        stable: int | None = self._ensure_consumer().last_stable_offset(tp)
        return None if stable is None or stable < 0 else stable

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Prove the membership at once: the first regular heartbeat is an interval away."""
        with suppress(KafkaError):
            await self._ensure_consumer()._coordinator._do_heartbeat()
        assignor = cast(WatchfulAssignor, self.app.assignor)
        if assignor.missing:
            self.add_future(self._rejoin(assignor.missing))
            assignor.missing = frozenset()
        await super().on_partitions_assigned(assigned, generation_id)

    async def _rejoin(self, missing: Collection[str]) -> None:
        """Have the group's leader, which this worker is, assign again; the broker should know its topics by then."""
        _log.warning("the broker does not know %s yet: the group assigns its partitions again", sorted(missing))
        await asyncio.sleep(_REJOIN_AFTER_S)
        consumer = self._ensure_consumer()
        await consumer._client.force_metadata_update()
        consumer._coordinator.request_rejoin()

    async def foreign_commits(self, tps: Collection[TP]) -> Mapping[TP, int]:
        """Committed offsets without a worker's signature."""
        return cast(Mapping[TP, int], await self.call_thread(self._foreign_commits, tps))

    async def _foreign_commits(self, tps: Collection[TP]) -> Mapping[TP, int]:
        coordinator = self._ensure_consumer()._coordinator
        found = await coordinator.fetch_committed_offsets([TopicPartition(*tp) for tp in tps])
        return {TP(*tp): at.offset for tp, at in found.items() if at.offset >= 0 and at.metadata != COMMITTED_BY}

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit source offsets."""
        committed: bool = await super().commit(offsets)
        await failpoint("after_commit")
        return committed

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit in this thread; False when all partitions were taken on the way here, which Faust would crash for."""
        if self.assignment().isdisjoint(offsets):
            return False
        committed: bool = await super()._commit(offsets)
        return committed


def _sign_commits(consumer: Any) -> None:
    """Sign what this worker commits: Kafka's own tools leave the metadata of an offset empty."""
    commit = consumer.commit

    async def signed(offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        await commit({tp: OffsetAndMetadata(at.offset, COMMITTED_BY) for tp, at in offsets.items()})

    consumer.commit = signed


def _refuse_commits_while_joining(coordinator: Any) -> None:
    """Let no commit follow a request to join: the broker answers it in the next generation, as one of the last.

    aiokafka would take that answer for one about its present membership, and join once more.
    """
    commit = coordinator._do_commit_offsets

    async def of_members(*args: Any) -> None:
        if coordinator._heartbeat_task is None:  # from the request to join until it is answered
            raise IllegalGenerationError
        await commit(*args)

    coordinator._do_commit_offsets = of_members


class Consumer(driver.Consumer):
    """Hands over whole fetches; commits and seeks by the state."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = NoReadOffsets()
        #: Fetches that the broker has refused, by topic; counted by the consumer's thread.
        self.refusals = Counter[str]()
        #: Ids of the topics that are to be fetched by id.
        self.topic_ids: dict[str, uuid.UUID] = {}
        #: Offset of the last seek in each source partition.
        self.reading_since: dict[TP, int] = {}

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def last_stable(self, tp: TP) -> int | None:
        """Offset up to which no transaction is open, as of the last fetch; None while unknown, or for an old broker."""
        return cast(ConsumerThread, self._thread).last_stable(tp)

    async def foreign_commits(self, tps: Collection[TP]) -> Mapping[TP, int]:
        """Committed offsets without a worker's signature."""
        return await cast(ConsumerThread, self._thread).foreign_commits(tps)

    def checkpointed(self, tp: TP, position: int) -> None:
        """Let Faust's next commit say that everything before ``position`` is done."""
        self._acked[tp] = [position - 1]

    def _new_offset(self, tp: TP) -> int | None:
        acked = self._acked[tp]
        return acked.pop() + 1 if acked else None

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> RecordMap:  # noqa: ASYNC109
        generation = self.app.consumer_generation_id
        # A copy: Faust empties the set when a rebalance begins, and to aiokafka an empty one means all partitions.
        records = await super()._getmany(set(active_partitions or ()), timeout)
        if generation == self.app.consumer_generation_id:
            return records
        # The call outlived a rebalance. Faust would drop these records, maybe after the seek for the new generation.
        for tp, fetched in records.items():
            with suppress(KafkaError, TimeoutError):
                if await self.position(tp) == fetched[-1].value.end:
                    await self.seek_wait({tp: fetched[0].value.start})
        return {}

    async def perform_seek(self) -> None:
        """Do not seek: committed offsets are for people, and the positions of the state come by ``read_from``."""

    async def read_from(self, positions: Mapping[TP, int]) -> None:
        """Seek, and remember the offsets."""
        self.reading_since.update(positions)
        await self.seek_wait(positions)


class Producer(driver.Producer):
    """Faust's own producer, which has nothing to write but must be connected."""

    async def on_start(self) -> None:
        """Connect."""
        await connected(super().on_start, lambda: self._producer, lambda: bool(self.app.should_stop))
        find_again(self._ensure_producer().client, cast(Transport, self.transport).coordination.kafka)


class Transport(driver.Transport):
    """Faust's aiokafka transport with :class:`Consumer`, whose heartbeats renew the lease."""

    Consumer: ClassVar[type[ConsumerT]] = Consumer
    Producer: ClassVar[type[ProducerT]] = Producer

    def __init__(self, url: list[URL], app: AppT, lease: Lease, coordination: Coordination) -> None:
        super().__init__(url, app)
        self.lease, self.coordination = lease, coordination
