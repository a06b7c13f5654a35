"""The identity of a topic: aiokafka asks for metadata in a version that has no topic ids, so this asks by itself."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IncompatibleBrokerVersion, NodeNotReadyError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from stream_app.domain.source import Source

_NO_ID: Final = uuid.UUID(int=0)
_UNKNOWN_TOPIC: Final = 3


class Uuid(AbstractType):  # type: ignore[misc]
    """Kafka's type of the ids of topics, which aiokafka does not have."""

    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        """16 bytes."""
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> uuid.UUID:
        """Take the next 16 bytes."""
        return uuid.UUID(bytes=data.read(16))


_TEXT: Final = CompactString("utf-8")


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 11
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), ("tags", TaggedFields)),
        ),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", _TEXT),
                ("topic_id", Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequest(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 11
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", Uuid), ("name", _TEXT), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _Identity(Request[_MetadataRequest]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: Sequence[str], *, with_rights: bool = False) -> None:
        self._topics, self._with_rights = topics, with_rights

    def build(self, request_struct_class: type[_MetadataRequest]) -> _MetadataRequest:
        return request_struct_class([(_NO_ID, topic, {}) for topic in self._topics], False, self._with_rights, {})


async def _asked(client: AIOKafkaClient, request: _Identity) -> Any:
    """The answer of any node."""
    node = client.get_random_node()
    if node is None:
        raise NodeNotReadyError
    return await client.send(node, request)


async def source_of(client: AIOKafkaClient, topic: str) -> Source | None:
    """Ask for a topic's identity; None: there is no such topic. The request never creates it."""
    try:
        answer = await _asked(client, _Identity([topic]))
    except IncompatibleBrokerVersion:  # before Kafka 2.8
        known = await client.fetch_all_metadata()
        return Source(topic, None) if topic in known.topics() else None
    (described,) = answer.topics
    code, _, topic_id = described[:3]
    if code == _UNKNOWN_TOPIC:
        return None
    if code:
        raise for_code(code)(f"the broker does not tell the id of topic {topic!r}")
    return Source(topic, None if topic_id == _NO_ID else str(topic_id))


async def described_topics(client: AIOKafkaClient, topics: Sequence[str]) -> list[tuple[int, str, int]]:
    """Ask what this client may do with topics, none of which is created by it.

    Returns
    -------
    list of (int, str, int)
        Error code, name, and the bits of the operations that are allowed (KIP-430).

    Raises
    ------
    IncompatibleBrokerVersion
        A broker before Kafka 2.8 does not tell.
    """
    answer = await _asked(client, _Identity(topics, with_rights=True))
    return [(topic[0], topic[1], topic[5]) for topic in answer.topics]


async def ids_of(client: AIOKafkaClient, topics: Sequence[str]) -> dict[str, uuid.UUID]:
    """Ids of those of the topics that there are; for brokers from Kafka 2.8 on."""
    answer = await _asked(client, _Identity(topics))
    return {topic[1]: topic[2] for topic in answer.topics if not topic[0]}
