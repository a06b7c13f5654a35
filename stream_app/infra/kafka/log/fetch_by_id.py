"""Fetches that name their topics by id: the broker refuses a topic that was deleted and made again under its name.

aiokafka fetches by name, in versions up to 11. Version 13 (KIP-516, Kafka 3.1) names topics by id alone; an older
broker is asked by name.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.fetch import FetchRequest, FetchResponse_v11
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from stream_app.infra.kafka.log.topic_identity import Uuid, ids_of

Send = Callable[..., Awaitable[Any]]

_UNKNOWN_TOPIC: Final = 3
#: UNKNOWN_TOPIC_ID, INCONSISTENT_TOPIC_ID: aiokafka does not know them, nor that metadata may help.
_OTHER_TOPIC: Final = frozenset((100, 103))
_NO_EPOCH: Final = -1
_NO_OFFSET: Final = -1
_NO_SESSION: Final = (0, -1)  # id and epoch


class _Answer(Response):  # type: ignore[misc]
    API_KEY = 1
    API_VERSION = 13
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("session_id", Int32),
        (
            "topics",
            CompactArray(
                ("topic_id", Uuid),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("highwater_offset", Int64),
                        ("last_stable_offset", Int64),
                        ("log_start_offset", Int64),
                        (
                            "aborted_transactions",
                            CompactArray(("producer_id", Int64), ("first_offset", Int64), ("tags", TaggedFields)),
                        ),
                        ("preferred_read_replica", Int32),
                        ("message_set", CompactBytes),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _Struct(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 1
    API_VERSION = 13
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        ("replica_id", Int32),
        ("max_wait_time", Int32),
        ("min_bytes", Int32),
        ("max_bytes", Int32),
        ("isolation_level", Int8),
        ("session_id", Int32),
        ("session_epoch", Int32),
        (
            "topics",
            CompactArray(
                ("topic_id", Uuid),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("current_leader_epoch", Int32),
                        ("fetch_offset", Int64),
                        ("last_fetched_epoch", Int32),
                        ("log_start_offset", Int64),
                        ("max_bytes", Int32),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        (
            "forgotten_topics_data",
            CompactArray(("topic_id", Uuid), ("partitions", CompactArray(Int32)), ("tags", TaggedFields)),
        ),
        ("rack_id", CompactString("utf-8")),
        ("tags", TaggedFields),
    )


class _FetchById(Request[_Struct]):  # type: ignore[misc]
    API_KEY = 1

    def __init__(self, named: FetchRequest, ids: Mapping[str, uuid.UUID]) -> None:
        self._named, self._ids = named, ids

    def prepare(self, versions: dict[int, tuple[int, int]]) -> RequestStruct:
        by_id = versions.get(self.API_KEY, (0, 0))[1] >= _Struct.API_VERSION
        return super().prepare(versions) if by_id else self._named.prepare(versions)

    def build(self, request_struct_class: type[_Struct]) -> _Struct:
        named = self._named
        topics: list[tuple[Any, ...]] = [
            (
                self._ids[topic],
                [
                    (partition, _NO_EPOCH, offset, _NO_EPOCH, _NO_OFFSET, max_bytes, {})
                    for partition, offset, max_bytes in partitions
                ],
                {},
            )
            for topic, partitions in named.topics
        ]
        asked = (-1, named._max_wait_ms, named._min_bytes, named._max_bytes, named._isolation_level)
        return request_struct_class(*asked, *_NO_SESSION, topics, [], named._rack_id, {})


def _by_name(answer: _Answer, ids: Mapping[str, uuid.UUID]) -> FetchResponse_v11:
    names = {topic_id: topic for topic, topic_id in ids.items()}
    topics: list[tuple[str, list[tuple[Any, ...]]]] = []
    for topic_id, partitions, _ in answer.topics:
        parts = []
        for partition, code, *offsets, aborted, replica, records, _ in partitions:
            known = _UNKNOWN_TOPIC if code in _OTHER_TOPIC else code
            transactions = None if aborted is None else [each[:2] for each in aborted]
            parts.append((partition, known, *offsets, transactions, replica, records or b""))
        topics.append((names[topic_id], parts))
    return FetchResponse_v11(answer.throttle_time_ms, answer.error_code, answer.session_id, topics)


def sending_by_id(consumer: AIOKafkaConsumer, ids: Mapping[str, uuid.UUID]) -> Send:
    """The ``send`` of a started consumer's client, where topics in ``ids`` are fetched by id; the caller puts it there.

    Answers are those to the fetch by name; an id that the broker does not know is an unknown topic.
    """
    client, send = consumer._client, consumer._client.send

    async def by_id(node_id: int, request: Any, **options: Any) -> Any:
        known = dict(ids)
        topics = [topic for topic, _ in request.topics] if isinstance(request, FetchRequest) else []
        if not any(topic in known for topic in topics):
            return await send(node_id, request, **options)
        # Only while a recovered changelog is not paused yet is it fetched together with a topic of known id.
        if others := [topic for topic in topics if topic not in known]:
            known.update(await ids_of(client, others))
        if not all(topic in known for topic in topics):
            return await send(node_id, request, **options)
        answer = await send(node_id, _FetchById(request, known), **options)
        return _by_name(answer, known) if isinstance(answer, _Answer) else answer

    return by_id
