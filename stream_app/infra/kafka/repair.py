"""Mends a changelog in which a late writer has put older entries over newer ones.

What a worker that the network cut off had under way may reach the broker when the next owner has long written newer
states. While both are there the newer wins; compaction keeps the last. So an owner looks for records that are not its
own, reads them, and writes again what they have overtaken. What a recovery has ignored is mended the same way.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP

from stream_app.infra.kafka.errors import StateError
from stream_app.infra.kafka.leased import while_leased
from stream_app.infra.kafka.sinks import CheckpointSink
from stream_app.infra.kafka.tables import PartitionedStore, TableStore

if TYPE_CHECKING:
    from stream_app.infra.kafka.app import StreamApp

_log = logging.getLogger(__name__)

#: Far below the changelogs' min.compaction.lag.ms.
_PERIOD_S: Final = 5.0
_READ_TIMEOUT_S: Final = 10.0


class Repair:
    """Looks after the changelogs of the owned partitions.

    Parameters
    ----------
    lock
        Held while it mends: nothing else may write checkpoints then.
    servers
        Where the changelogs are read.
    """

    def __init__(
        self, app: StreamApp, tables: TableStore, sink: CheckpointSink, lock: asyncio.Lock, servers: str
    ) -> None:
        self._app, self._tables, self._sink, self._lock, self._servers = app, tables, sink, lock, servers

    async def run(self) -> None:
        """Look, and mend, for as long as the app runs."""
        while not self._app.should_stop:
            await asyncio.sleep(_PERIOD_S)
            try:
                await self._look()
            except StateError as refusal:
                self._app.fail(refusal)
            except (KafkaError, TimeoutError) as error:
                _log.warning("cannot look after the changelogs now, trying again: %r", error)

    async def _look(self) -> None:
        stores = {store.changelog: store for store in self._tables.stores()}
        owned = [TP(topic, number) for topic in stores for number in self._tables.recovered()]
        if not owned or self._app.lease.remaining_s() <= 0:
            return
        ends = await self._app.consumer.highwaters(*owned)
        for tp in owned:
            partition = stores[tp.topic].by_partition.get(tp.partition)
            if partition and (partition.overtaken or (ends.get(tp) or 0) > partition.next_offset):
                async with self._lock:
                    await self._mend(stores[tp.topic], tp)

    async def _mend(self, store: PartitionedStore, tp: TP) -> None:
        """Read what others wrote to a changelog, and write again what it has overtaken. The lock is held."""
        partition = store.by_partition.get(tp.partition)
        end = (await self._app.consumer.highwaters(tp)).get(tp) or 0
        records: list[Any] = []
        if partition is not None and end > partition.next_offset:
            records = await self._read(TopicPartition(*tp), partition.next_offset, end)
        if (
            partition is None
            or tp.partition not in self._tables.recovered()
            or store.by_partition.get(tp.partition) is not partition
        ):
            return  # it went to another worker meanwhile, which will look
        if end > partition.next_offset:
            store.read(tp.partition, [(r.key, r.value, r.headers) for r in records], end)
        entries = partition.overtaken_entries()
        if not entries:
            return

        async def write() -> None:
            written = await self._sink.write_entries(store.changelog, tp.partition, entries)
            store.take(tp.partition, entries, written)

        await while_leased(self._app.lease, self._sink, [write()])
        _log.warning("%s[%d]: wrote %d entries again that a late writer had put older ones over", *tp, len(entries))

    async def _read(self, tp: TopicPartition, start: int, end: int) -> list[Any]:
        records: list[Any] = []
        consumer = AIOKafkaConsumer(bootstrap_servers=self._servers)
        async with asyncio.timeout(_READ_TIMEOUT_S):
            try:
                await consumer.start()
                consumer.assign([tp])
                consumer.seek(tp, start)
                while await consumer.position(tp) < end:
                    for some in (await consumer.getmany(tp, timeout_ms=1000)).values():
                        records += [record for record in some if record.offset < end]
            finally:
                await consumer.stop()
        return records
