"""A Faust consumer that hands over whole fetches: all that was fetched at once for a partition is ONE message.

Its value is a :class:`stream_app.wire.batch.Fetch`, for source and changelogs alike. No object per row, and every
fetch says where it began, so that nothing can be skipped unnoticed. All private members of Faust, and of
aiokafka's consumer, that this project relies on stand here; ``tests/integration/kafka/test_upstream.py`` fails when a
release changes one.

faust-streaming 0.15.3
    ``App._new_transport``, ``App._new_producer_transport``: choose the transport.
    ``Table._new_store``: chooses the store.
    ``Transport.Consumer``, ``Consumer._new_consumer_thread``, ``AIOKafkaConsumerThread.on_start``,
    ``_ensure_consumer``, ``_consumer``, ``Producer._producer``: reach the aiokafka clients.
    ``Consumer._read_offset``: Faust drops messages below it. After a seek back, a message that was still on its way
    moves it up again, and the rows read again would be dropped. So it always reads None, which switches the test off
    (and ``_add_gap`` with its interval tree, which commits past what was processed). The state knows what it has.
    ``Consumer._acked``, ``Consumer._new_offset``: commit what the last checkpoint includes, exactly.
    ``Consumer._getmany``: may return after a rebalance what was fetched before, and more than it was asked for.
    ``Consumer.perform_seek``: seeks to the committed offsets, in the midst of a rebalance too; switched off.
aiokafka 0.14
    ``Fetcher._fetch_max_wait_ms``: Faust fixes it at 1.5 s, for which a partition waits that is not in the request.
    ``Fetcher._records``, ``FetchResult._partition_records``: where a fetched response waits; its record iterator is
    replaced by one that yields the whole response.
    ``fetcher.MemoryRecords``: replaced by one that keeps the response's bytes.
    ``PartitionRecords._records``, ``_check_crcs``, ``next_fetch_offset``, ``_records_iterator``: that response.
    ``GroupCoordinator._do_heartbeat``, ``generation``: proof that the group still knows this member.
    ``AIOKafkaConsumer._client``, ``GroupCoordinator.request_rejoin``: join the group again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Final, cast

import faust
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord
from faust.stores.base import Store
from faust.transport.consumer import RecordMap
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.transports import ConsumerT, ProducerT, TransportT

from stream_app.infra.failpoints import failpoint
from stream_app.infra.kafka.assignor import WatchfulAssignor
from stream_app.infra.kafka.connecting import connected
from stream_app.infra.kafka.errors import CorruptLogError
from stream_app.infra.kafka.lease import Lease
from stream_app.infra.kafka.record_batches import Records, RetainedRecords, batches, concatenated
from stream_app.wire.batch import Fetch

_log = logging.getLogger(__name__)

_FETCH_MAX_WAIT_MS: Final = 500
_REJOIN_AFTER_S: Final = 1.0
fetcher.MemoryRecords = RetainedRecords
#: Applied in one go, during which nothing else runs in the event loop.
_FETCH_BYTES: Final = 4 << 20


class FetchedResponses(OrderedDict[TopicPartition, Any]):
    """Stands in for ``Fetcher._records``: each response that comes in will yield a single record."""

    def __setitem__(self, tp: TopicPartition, result: Any) -> None:
        response = getattr(result, "_partition_records", None)  # a FetchError has none
        if response is not None:
            response._records_iterator = whole_response(response)
        super().__setitem__(tp, result)


def whole_response(response: Any) -> Iterator[ConsumerRecord]:
    """Yield all records of an aiokafka ``PartitionRecords`` as one, whose value is a :class:`Fetch`.

    A response that is very large once decompressed is cut into several, which join without a gap. A response of control
    batches alone becomes a fetch without messages: the position moves past them all the same.
    """
    parts: list[Records] = []
    start = end = response.next_fetch_offset
    for batch in batches(response._records.data):
        if response._check_crcs and not batch.is_sound():
            if end > start:
                yield fetched(response._tp, start, end, parts)  # what stands before it is sound
            raise CorruptLogError(response._tp, batch.base_offset, batch.next_offset)
        if not batch.is_control:
            # The broker answers with whole batches: the first may begin before the position.
            parts.append(batch.records().since(start))
        end = response.next_fetch_offset = batch.next_offset
        if sum(part.size_bytes for part in parts) > _FETCH_BYTES:
            yield fetched(response._tp, start, end, parts)
            start, parts = end, []
    if end > start:
        yield fetched(response._tp, start, end, parts)


def fetched(tp: TopicPartition, start: int, end: int, parts: Sequence[Records]) -> ConsumerRecord:
    """One record whose value is the :class:`Fetch` of all records of some batches."""
    records = concatenated(parts)
    fetch = Fetch(
        topic=tp.topic,
        partition=tp.partition,
        start=start,
        end=end,
        offsets=records.offsets,
        keys=records.keys,
        values=records.values,
        timestamps_ms=records.timestamps_ms,
        headers=records.headers,
    )
    timestamp_ms = int(records.timestamps_ms[-1]) if len(records.timestamps_ms) else 0
    return ConsumerRecord(*tp, end - 1, timestamp_ms, 0, None, fetch, None, -1, -1, ())


class NoReadOffsets(dict[TP, int | None]):
    """Stands in for ``Consumer._read_offset``: never remembers, so Faust never drops a message as read."""

    def __getitem__(self, tp: TP) -> None:
        return None


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Runs the aiokafka consumer in a thread of its own, as Faust's does."""

    app: BatchingApp

    async def on_start(self) -> None:
        """Start the aiokafka consumer and hook into its fetcher and its heartbeat."""
        await connected(super().on_start, lambda: self._consumer, lambda: bool(self.app.should_stop))
        consumer = self._ensure_consumer()
        consumer._fetcher._records = FetchedResponses()
        consumer._fetcher._fetch_max_wait_ms = _FETCH_MAX_WAIT_MS
        _watch_heartbeats(consumer._coordinator, self.app.lease)

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
        """Have the group's leader, which this worker is, assign again; by then the broker should know its topics."""
        _log.warning("the broker does not know %s yet: the group assigns its partitions again", sorted(missing))
        await asyncio.sleep(_REJOIN_AFTER_S)
        consumer = self._ensure_consumer()
        await consumer._client.force_metadata_update()
        consumer._coordinator.request_rejoin()

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit source offsets."""
        committed: bool = await super().commit(offsets)
        await failpoint("after_commit")
        return committed


def _watch_heartbeats(coordinator: Any, lease: Lease) -> None:
    send = coordinator._do_heartbeat

    async def watched() -> bool:
        sent_at = lease.now()
        accepted: bool = await send()
        if accepted:
            lease.renew(sent_at)
        elif coordinator.generation < 0:  # reset: the coordinator answered that it does not know this member
            lease.void()
        return accepted

    coordinator._do_heartbeat = watched


class Consumer(driver.Consumer):
    """Hands over whole fetches; commits and seeks by the state."""

    app: BatchingApp

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = NoReadOffsets()
        #: Where reading began: the last seek of each source partition.
        self.reading_since: dict[TP, int] = {}

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

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
        # The call outlived a rebalance. Faust would drop what it brings, maybe after it has sought for the new one.
        for tp, fetched in records.items():
            with suppress(KafkaError, TimeoutError):
                if await self.position(tp) == fetched[-1].value.end:
                    await self.seek_wait({tp: fetched[0].value.start})
        return {}

    async def perform_seek(self) -> None:
        """Seek nowhere: committed offsets are hints for people, and the positions of the state come by read_from."""

    async def read_from(self, positions: Mapping[TP, int]) -> None:
        """Seek, and remember where to."""
        self.reading_since.update(positions)
        await self.seek_wait(positions)


class Producer(driver.Producer):
    """Faust's own producer, which has nothing to write, but must be connected."""

    async def on_start(self) -> None:
        """Connect."""
        await connected(super().on_start, lambda: self._producer, lambda: bool(self.app.should_stop))


class Transport(driver.Transport):
    """Faust's aiokafka transport with :class:`Consumer`."""

    Consumer: ClassVar[type[ConsumerT]] = Consumer
    Producer: ClassVar[type[ProducerT]] = Producer


class StoredTable(faust.Table[bytes, bytes]):
    """A table on a given kind of store."""

    def __init__(self, app: faust.App, store_type: type[Store[bytes, bytes]], **kwargs: Any) -> None:
        self._store_type = store_type
        super().__init__(app, **kwargs)

    def _new_store(self) -> Store[bytes, bytes]:
        return self._store_type("memory://", self.app, self, table_name=self.name, loop=self._loop)


class BatchingApp(faust.App):
    """A Faust app whose consumer is :class:`Consumer`.

    Parameters
    ----------
    source
        Topic whose rows the agent applies; the others are changelogs.
    lease
        Kept by the consumer's heartbeats.
    """

    def __init__(self, id: str, *, source: str, lease: Lease, **options: Any) -> None:
        super().__init__(id, PartitionAssignor=WatchfulAssignor, **options)
        self.source, self.lease = source, lease

    @property
    def batching_consumer(self) -> Consumer:
        """The consumer, once the app has started."""
        return cast(Consumer, self.consumer)

    def _new_transport(self) -> TransportT:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> TransportT:
        return Transport(self.conf.broker_producer, self)
