"""A topic whose id is known is fetched by it: another one under its name is refused, whatever it holds."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.protocol.fetch import FetchRequest

from stream_app.infra.kafka.engine.whole_fetches import yield_whole_fetches
from stream_app.infra.kafka.log import topics
from stream_app.infra.kafka.log.fetch_by_id import sending_by_id
from stream_app.settings import KafkaSettings
from tests.integration.kafka.other_logs import recreate
from tests.integration.kafka.running import numbers, produce, until

pytestmark = pytest.mark.kafka


@dataclass
class Reader:
    """A consumer of which a test holds back the fetches."""

    consumer: AIOKafkaConsumer
    refusals: Counter[str]
    versions: list[int]
    may_fetch: asyncio.Event
    under_way: int = 0

    async def values(self, count: int) -> list[bytes]:
        found: list[bytes] = []
        while len(found) < count:
            for records in (await self.consumer.getmany(timeout_ms=1000)).values():
                found += [value for record in records for value in record.value.values]
        return found


@asynccontextmanager
async def reader(kafka: KafkaSettings, ids: dict[str, uuid.UUID], *read: str) -> AsyncIterator[Reader]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    made = Reader(consumer, Counter(), [], asyncio.Event())
    made.may_fetch.set()
    send = consumer._client.send

    async def held(node_id: int, request: Any, **options: Any) -> Any:
        if request.API_KEY != FetchRequest.API_KEY:
            return await send(node_id, request, **options)
        await made.may_fetch.wait()
        made.under_way += 1
        answer = await send(node_id, request, **options)
        made.under_way -= 1
        made.versions.append(answer.API_VERSION)
        return answer

    consumer._client.send = held
    yield_whole_fetches(consumer, made.refusals, ids)
    places = [TopicPartition(topic, 0) for topic in read]
    consumer.assign(places)
    for place in places:
        consumer.seek(place, 0)
    try:
        yield made
    finally:
        made.may_fetch.set()
        await consumer.stop()


async def id_of(kafka: KafkaSettings) -> dict[str, uuid.UUID]:
    source = await topics.source(kafka)
    assert source is not None
    assert source.topic_id is not None
    return {source.topic: uuid.UUID(source.topic_id)}


async def test_the_same_rows_come_by_id(kafka: KafkaSettings) -> None:
    """All of them, in order; the broker is asked by id alone."""
    await produce(kafka, numbers(5000), partition=0)
    ids = await id_of(kafka)
    async with reader(kafka, ids, kafka.measurements_topic) as each:
        assert await each.values(5000) == [b"%d" % i for i in range(5000)]
    assert set(each.versions) == {13}
    assert not each.refusals


async def test_a_topic_that_was_made_again_between_two_fetches(kafka: KafkaSettings) -> None:
    """None of its rows comes, though it has the next offset and no fetch was under way when it was deleted."""
    await produce(kafka, numbers(30), partition=0)
    ids = await id_of(kafka)
    async with reader(kafka, ids, kafka.measurements_topic) as each:
        assert len(await each.values(30)) == 30
        each.may_fetch.clear()
        await until(lambda: not each.under_way)
        await recreate(kafka)
        await produce(kafka, numbers(60), partition=0)
        before = each.refusals.total()
        each.may_fetch.set()
        await until(lambda: each.refusals.total() > before + 1)
        assert await each.consumer.getmany(timeout_ms=0) == {}
        ids.update(await id_of(kafka))
        assert len(await each.values(30)) == 30


async def test_topics_that_are_fetched_together(kafka: KafkaSettings) -> None:
    """One whose id is known is fetched by it, whatever else the request has."""
    await produce(kafka, numbers(100), partition=0)
    other = kafka.model_copy(update={"measurements_topic": f"{kafka.measurements_topic}-other"})
    await topics.ensure(other)
    await produce(other, numbers(100), partition=0)
    ids = await id_of(kafka)
    async with reader(kafka, ids, kafka.measurements_topic, other.measurements_topic) as each:
        assert sorted(await each.values(200)) == sorted(2 * [b"%d" % i for i in range(100)])
    assert set(each.versions) == {13}
    assert list(ids) == [kafka.measurements_topic]


@pytest.mark.parametrize(("newest", "asked"), [(11, 11), (12, 11), (13, 13), (17, 13)])
async def test_a_broker_that_does_not_know_ids_is_asked_by_name(newest: int, asked: int) -> None:
    """The version is the one of the connection, which tells what its broker knows."""
    sent: list[Any] = []

    class Client:
        async def send(self, node_id: int, request: Any) -> Any:
            sent.append(request.prepare({FetchRequest.API_KEY: (4, newest)}))

    class Consumer:
        _client = Client()

    request = FetchRequest(500, 1, 1 << 20, READ_COMMITTED, [("measurements", [(0, 7, 1 << 20)])])
    await sending_by_id(Consumer(), {"measurements": uuid.uuid4()})(1, request)
    assert [each.API_VERSION for each in sent] == [asked]
    assert sent[0].encode()
