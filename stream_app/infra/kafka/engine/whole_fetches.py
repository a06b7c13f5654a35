"""Makes an aiokafka consumer yield every fetched response as a single record, whose value is a ``Fetch``."""

from __future__ import annotations

import uuid
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import ConsumerRecord

from stream_app.infra.kafka.log.fetch_by_id import sending_by_id
from stream_app.infra.kafka.log.fetch_pauses import pausing_send
from stream_app.infra.kafka.log.fetches import fetches
from stream_app.infra.kafka.topic_partition import TopicPartition as Place


def yield_whole_fetches(consumer: AIOKafkaConsumer, refusals: Counter[str], ids: Mapping[str, uuid.UUID]) -> None:
    """Hook into a consumer that has been started and has fetched nothing yet; only committed records are read.

    ``refusals`` counts the partitions' fetches that the broker refuses, by topic, before aiokafka acts on them. Topics
    in ``ids`` are fetched by their id, from the moment on at which they are there.

    aiokafka keeps the bytes of a response where only its own parser sees them. So they are taken when the response
    comes in, from this consumer's client alone: other consumers of the process read as ever.
    """
    responses = Responses()
    consumer._fetcher._records = responses
    consumer._fetcher._isolation_level = READ_COMMITTED
    consumer._client.send = sending_by_id(consumer, ids)
    send = pausing_send(consumer)

    async def remembered(node_id: int, request: Any, **options: Any) -> Any:
        response = await send(node_id, request, **options)
        if isinstance(request, FetchRequest):
            refusals.update(topic for topic, parts in response.topics for part in parts if part[1])
            responses.remember(response)  # nothing is awaited between this and the taking of the partitions
        return response

    consumer._client.send = remembered


class Responses(OrderedDict[TopicPartition, Any]):
    """Stands in for ``Fetcher._records``: the response of each partition that is put in yields whole fetches."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes: dict[tuple[str, int], bytes] = {}

    def remember(self, response: Any) -> None:
        """Keep the bytes of a response, whose partitions are put in next."""
        self._bytes = {(topic, part[0]): part[-1] for topic, parts in response.topics for part in parts}

    def __setitem__(self, tp: TopicPartition, result: Any) -> None:
        response = getattr(result, "_partition_records", None)  # a FetchError has none
        if response is not None:
            response._records_iterator = whole_fetches(response, self._bytes.pop(tp))
        super().__setitem__(tp, result)


def whole_fetches(response: Any, data: bytes) -> Iterator[ConsumerRecord]:
    """Yield an aiokafka ``PartitionRecords`` as few records: the value of each is a :class:`Fetch`."""
    tp = response._tp
    start, aborted = response.next_fetch_offset, response._aborted_transactions
    for fetch in fetches(Place(*tp), data, start, aborted=aborted, check_crcs=response._check_crcs):
        response.next_fetch_offset = fetch.end
        timestamp_ms = int(fetch.timestamps_ms[-1]) if len(fetch.timestamps_ms) else 0
        yield ConsumerRecord(*tp, fetch.end - 1, timestamp_ms, 0, None, fetch, None, -1, -1, ())
