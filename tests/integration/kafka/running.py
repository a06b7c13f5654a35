"""Runs workers inside a test, and reads from outside what they wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from stream_app.http_settings import HttpSettings
from stream_app.infra.kafka.log import topics
from stream_app.infra.kafka.log.topics import Topics
from stream_app.infra.kafka.worker import Worker
from stream_app.settings import KafkaSettings, Settings
from stream_app.usecases.ingest import Ingest
from stream_app.usecases.ports import MARKER_KEY, Tables
from tests.integration.kafka.counting import STATE, CountingIngest
from tests.ports import free_port

TIMEOUT_S = 60.0
Totals = dict[bytes, tuple[int, int]]  # count and sum per asset


async def until(condition: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
    """Wait for a condition by polling: there is no event for it."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@dataclass
class Running:
    worker: Worker
    ingest: Any
    stop: asyncio.Event
    task: asyncio.Task[None]

    @property
    def url(self) -> str:
        return self.worker.engine.url

    def totals(self) -> Totals:
        """Count and sum per asset in the tables."""
        tables = self.worker.tables
        return {
            key: STATE.unpack(value)[2:]
            for partition in tables.partitions()
            for key in tables.asset_keys(partition)
            if (value := tables.asset(partition, key)) is not None
        }

    def rows(self) -> int:
        return sum(count for count, _ in self.totals().values())

    def is_ready(self) -> bool:
        if self.task.done():
            self.task.result()
        return self.worker.status().phase == "ready"

    async def end(self) -> None:
        self.stop.set()
        await self.task


@asynccontextmanager
async def running(
    kafka: KafkaSettings,
    *,
    ready: bool = True,
    ingest: Callable[[Tables], Ingest] = CountingIngest,
    **settings: Any,
) -> AsyncIterator[Running]:
    """A worker, ready, that is stopped at the end."""
    made: list[Ingest] = []

    def new_ingest(tables: Tables) -> Ingest:
        made.append(ingest(tables))
        return made[0]

    port = free_port()
    worker = Worker(Settings(kafka=kafka, http=HttpSettings(port=port), **settings), new_ingest)
    stop = asyncio.Event()
    run = Running(worker, made[0], stop, asyncio.create_task(worker.run(stop)))
    try:
        if ready:
            await until(run.is_ready)
        yield run
    finally:
        if not run.task.done():
            await run.end()


@asynccontextmanager
async def producing(kafka: KafkaSettings, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """Any producer."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, linger_ms=2, **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def produce(
    kafka: KafkaSettings, rows: Iterable[tuple[bytes | None, bytes | None]], partition: int | None = None
) -> None:
    """Write rows to the measurements topic; all are acked on return."""
    async with producing(kafka) as producer:
        acks = [await producer.send(kafka.measurements_topic, v, key=k, partition=partition) for k, v in rows]
        await asyncio.gather(*acks)


def numbers(count: int, assets: int = 7) -> list[tuple[bytes | None, bytes | None]]:
    """Rows of which every asset's count and sum are known."""
    return [(b"asset-%d" % (i % assets), b"%d" % i) for i in range(count)]


def expected(rows: Iterable[tuple[bytes | None, bytes | None]]) -> Totals:
    """Count and sum per asset."""
    totals: Totals = {}
    for key, value in rows:
        if key is not None and value is not None:
            count, total = totals.get(key, (0, 0))
            totals[key] = (count + 1, total + int(value))
    return totals


async def read(kafka: KafkaSettings, topic: str) -> list[Any]:
    """All committed records of a topic, by partition and offset."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest", isolation_level="read_committed"
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(kafka.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        records: list[Any] = []
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                for some in (await consumer.getmany(partition, timeout_ms=1000)).values():
                    records += some
        return records
    finally:
        await consumer.stop()


async def ends(kafka: KafkaSettings, topic: str, isolation: str = "read_committed") -> dict[int, int]:
    """Offset after the last record of each partition of a topic, or after the marker of a transaction's end.

    Read committed, it is at most the beginning of the first open transaction.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, isolation_level=isolation)
    await consumer.start()
    try:
        found = await consumer.end_offsets([TopicPartition(topic, number) for number in range(kafka.partitions)])
    finally:
        await consumer.stop()
    return {place.partition: end for place, end in found.items()}


async def state(kafka: KafkaSettings) -> Totals:
    """Totals that a recovery from the assets changelog would find: newer wins."""
    newest: dict[bytes, tuple[int, int, int]] = {}
    for record in await read(kafka, Topics.of(kafka).assets_changelog):
        if record.key != MARKER_KEY:
            _, offset, count, total = STATE.unpack(record.value)
            newest[record.key] = max(newest.get(record.key, (-1, 0, 0)), (offset, count, total))
    return {key: (count, total) for key, (_, count, total) in newest.items()}


async def reached(kafka: KafkaSettings, totals: Totals) -> None:
    """Wait until a recovery would find these totals."""
    async with asyncio.timeout(TIMEOUT_S):
        while await state(kafka) != totals:  # noqa: ASYNC110  # a topic sends no event
            await asyncio.sleep(0.2)


def owners(runs: Sequence[Running], partitions: int) -> Mapping[int, list[str]]:
    """Who holds each partition's tables."""
    return {
        number: [run.url for run in runs if number in run.worker.tables.partitions()] for number in range(partitions)
    }


async def ensured(kafka: KafkaSettings) -> KafkaSettings:
    """Create the topics."""
    await topics.ensure(kafka)
    return kafka
