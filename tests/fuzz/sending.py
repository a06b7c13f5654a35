"""Sends records in batches of every codec, plain and in transactions that are committed or aborted."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner

from stream_app.settings import KafkaSettings
from tests.fuzz.batches import CODECS, FuzzBatch, FuzzRecord
from tests.integration.kafka.running import producing

#: Records that end up somewhere: (partition, offset) -> record.
Places = dict[tuple[int, int], FuzzRecord]

_ROUND = 400  # records between the beginnings of two transactions
_BATCH_BYTES = 2 << 20  # before compression; a larger record is alone
_MAX_REQUEST_BYTES = 64 << 20
_partition = DefaultPartitioner()


class Sender:
    """Sends records, in order within each partition; knows afterwards which ones count and which were aborted.

    Parameters
    ----------
    seed
        Decides how they are cut into batches and which of these are in transactions.
    """

    def __init__(self, kafka: KafkaSettings, seed: int) -> None:
        self._kafka, self._dice = kafka, random.Random(seed)
        self.visible: Places = {}
        self.aborted: Places = {}

    async def send(self, records: Iterable[FuzzRecord]) -> None:
        """Send all; they are acked on return."""
        large = {"max_request_size": _MAX_REQUEST_BYTES}
        async with AsyncExitStack() as stack:
            plain = await stack.enter_async_context(producing(self._kafka, **large))
            committed, aborted = [
                await stack.enter_async_context(
                    producing(self._kafka, transactional_id=f"{self._kafka.app_id}-{name}", **large)
                )
                for name in ("committed", "aborted")
            ]
            for some in _cut(records, _ROUND):
                await committed.begin_transaction()
                await aborted.begin_transaction()
                await asyncio.gather(
                    *(
                        self._partition(partition, of_partition, (plain, committed, aborted))
                        for partition, of_partition in self._by_partition(some).items()
                    )
                )
                await aborted.abort_transaction()
                await committed.commit_transaction()

    def _by_partition(self, records: Iterable[FuzzRecord]) -> dict[int, list[FuzzRecord]]:
        parts: defaultdict[int, list[FuzzRecord]] = defaultdict(list)
        every = list(range(self._kafka.partitions))
        for record in records:
            at = self._dice.choice(every) if record.key is None else _partition(record.key, every, every)
            parts[at].append(record)
        return parts

    async def _partition(
        self, partition: int, records: Sequence[FuzzRecord], producers: Sequence[AIOKafkaProducer]
    ) -> None:
        plain, committed, aborted = producers
        for some in self._batches(records):
            if self._dice.random() < 0.2:  # a try that fails: the rows have other readings
                tried = [replace(r, value=_spoiled(r.value), kind=f"aborted {r.kind}", good=False) for r in some]
                self.aborted |= await self._put(aborted, partition, tried)
            self.visible |= await self._put(self._dice.choice((plain, plain, committed)), partition, some)

    def _batches(self, records: Sequence[FuzzRecord]) -> Iterator[list[FuzzRecord]]:
        some: list[FuzzRecord] = []
        most, bytes_ = self._dice.choice((1, 5, 50)), 0
        for record in records:
            if some and (len(some) >= most or bytes_ + record.size_bytes > _BATCH_BYTES):
                yield some
                some, bytes_, most = [], 0, self._dice.choice((1, 5, 50))
            some.append(record)
            bytes_ += record.size_bytes
        if some:
            yield some

    async def _put(self, producer: AIOKafkaProducer, partition: int, records: Sequence[FuzzRecord]) -> Places:
        codec = self._dice.choice(list(CODECS))
        if sum(record.size_bytes for record in records) > _BATCH_BYTES:
            codec = "zstd"  # it makes the large ones small enough for the topic
        batch = FuzzBatch(records, codec, transactional=producer._txn_manager is not None)
        ack = await producer.send_batch(batch, self._kafka.measurements_topic, partition=partition)
        base = (await ack).offset
        return {(partition, base + i): record for i, record in enumerate(records)}


def _cut(records: Iterable[FuzzRecord], count: int) -> Iterator[list[FuzzRecord]]:
    records = iter(records)
    while some := list(itertools.islice(records, count)):
        yield some


def _spoiled(value: bytes | None) -> bytes | None:
    return value and value.replace(b'"current":', b'"current":5')
