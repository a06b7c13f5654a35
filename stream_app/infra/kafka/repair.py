"""Repairs a changelog in which a late writer has put older entries after newer ones.

The last writes of a worker that the network cut off may reach the broker long after the next owner has written newer
states. While both are in the changelog the newer wins, but compaction keeps the last. So an owner looks for records
that are not its own, reads them, and writes the entries again that they have overtaken. Entries that a recovery has
ignored are repaired the same way.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from stream_app.infra.kafka.bounded_writes import write_within
from stream_app.infra.kafka.checkpoint_sink import CheckpointSink
from stream_app.infra.kafka.errors import BrokerError, StateError
from stream_app.infra.kafka.log.changelog import read_range
from stream_app.infra.kafka.log.records import Record
from stream_app.infra.kafka.member import Member
from stream_app.infra.kafka.tables import Table, TableStore
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.settings import KafkaSettings

_log = logging.getLogger(__name__)

#: Far below the changelogs' min.compaction.lag.ms.
_PERIOD_S: Final = 5.0


class Repair:
    """Looks after the changelogs of the owned partitions.

    Parameters
    ----------
    lock
        Held during a repair: no checkpoint is under way then, which could write what the repair would overwrite.
    kafka
        How the changelogs are read.
    """

    def __init__(
        self, member: Member, tables: TableStore, sink: CheckpointSink, lock: asyncio.Lock, kafka: KafkaSettings
    ) -> None:
        self._member, self._tables, self._sink, self._lock, self._kafka = member, tables, sink, lock, kafka

    async def run(self) -> None:
        """Check the changelogs, and repair them, until the worker stops."""
        while not self._member.stopping:
            await asyncio.sleep(_PERIOD_S)
            try:
                await self._check()
            except StateError as error:
                self._member.fail(error)
            except (BrokerError, TimeoutError) as error:
                _log.warning("cannot check the changelogs now, trying again: %r", error)

    async def _check(self) -> None:
        tables = {table.changelog: table for table in self._tables.tables()}
        owned = [TopicPartition(topic, number) for topic in tables for number in self._tables.recovered()]
        if not owned or self._member.lease.remaining_s() <= 0:
            return
        ends = await self._member.ends(owned)
        for tp in owned:
            partition = tables[tp.topic].by_partition.get(tp.partition)
            if partition and (partition.overtaken or ends.get(tp, 0) > partition.next_offset):
                async with self._lock:
                    await self._repair(tables[tp.topic], tp)

    async def _repair(self, table: Table, tp: TopicPartition) -> None:
        """Read the records of others, and write the entries again that they have overtaken. The lock is held."""
        partition = table.by_partition.get(tp.partition)
        end = (await self._member.ends([tp])).get(tp, 0)
        records: list[Record] = []
        if partition is not None and end > partition.next_offset:
            records = await read_range(self._kafka, tp, partition.next_offset, end)
        if (
            partition is None
            or tp.partition not in self._tables.recovered()
            or table.by_partition.get(tp.partition) is not partition
        ):
            return  # it went to another worker meanwhile, which will check it
        if end > partition.next_offset:
            table.read(tp.partition, records, end)
        entries = partition.overtaken_entries()
        if not entries:
            return

        async def write() -> None:
            written = await self._sink.write_entries(table.changelog, tp.partition, entries)
            table.take(tp.partition, entries, written)

        await write_within(self._member.lease, self._sink, [write()])
        _log.warning(
            "%s[%d]: wrote %d entries again that a late writer had overwritten with older ones", *tp, len(entries)
        )
