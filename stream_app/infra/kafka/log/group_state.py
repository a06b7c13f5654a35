"""The consumer group as Kafka stores it: its members and its offsets, from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as ClientPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, for_code
from aiokafka.protocol.admin import DescribeGroupsResponse_v3
from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.types import Array, Boolean, Schema, String
from aiokafka.structs import OffsetAndMetadata

from stream_app.infra.kafka.errors import BrokerError, StateInUseError
from stream_app.infra.kafka.log.access import client_options
from stream_app.infra.kafka.log.failures import broker_failures
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.settings import KafkaSettings

#: Metadata of the offsets that this service commits. Kafka's own tools leave it empty.
COMMITTED_BY: Final = "stream-app"
_COORDINATOR_TRIES: Final = 150
#: The coordinator is loading its groups, or another broker has become it.
_NOT_YET: Final = frozenset({14, 15, 16})


class _DescribeGroups(RequestStruct):  # type: ignore[misc]
    """Of version 3, whose answer aiokafka reads without the rights that it has."""

    API_KEY, API_VERSION = 15, 3
    RESPONSE_TYPE = DescribeGroupsResponse_v3
    SCHEMA = Schema(("groups", Array(String("utf-8"))), ("include_authorized_operations", Boolean))


class _GroupRights(Request[_DescribeGroups]):  # type: ignore[misc]
    API_KEY = 15

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: type[_DescribeGroups]) -> _DescribeGroups:
        return request_struct_class([self._group], True)


async def members(admin: AIOKafkaAdminClient, group: str) -> list[str]:
    """Name the active members of a group, with their hosts."""
    answers = await _described(admin, group)
    return [f"{member[1]} at {member[2]}" for answer in answers for each in answer.groups for member in each[5]]


async def require_idle(admin: AIOKafkaAdminClient, group: str) -> None:
    """Raise StateInUseError if the group has active members."""
    if found := await members(admin, group):
        raise StateInUseError(group, found)


async def group_operations(admin: AIOKafkaAdminClient, group: str) -> int:
    """Bits of what this client may do with a group (KIP-430).

    Raises
    ------
    GroupAuthorizationFailedError, IncompatibleBrokerVersion
        Nothing at all; the broker does not tell.
    """

    async def ask() -> list[Any]:
        return [await admin._client.send(await admin.find_coordinator(group), _GroupRights(group))]

    (answer,) = await _asked(ask, group)
    ((code, *_, bits),) = answer.groups
    if code:
        raise for_code(code)(group)
    return int(bits)


async def _described(admin: AIOKafkaAdminClient, group: str) -> list[Any]:
    return await _asked(lambda: admin.describe_consumer_groups([group]), group)


async def _asked(ask: Callable[[], Awaitable[list[Any]]], group: str) -> list[Any]:
    for _ in range(_COORDINATOR_TRIES):
        try:
            answers = await ask()
        except GroupCoordinatorNotAvailableError:  # the broker makes its topic of offsets when it is first asked
            await asyncio.sleep(0.2)
        else:
            if not any(group[0] in _NOT_YET for answer in answers for group in answer.groups):
                return answers
            await asyncio.sleep(0.2)
    msg = f"the broker has no coordinator for group {group!r}: try again"
    raise BrokerError(msg)


async def commit(settings: KafkaSettings, positions: Mapping[TopicPartition, int]) -> None:
    """Set the offsets of a group without members."""
    consumer = AIOKafkaConsumer(**client_options(settings), group_id=settings.app_id, enable_auto_commit=False)
    with broker_failures():
        try:
            await consumer.start()
            places = {ClientPartition(*tp): OffsetAndMetadata(at, COMMITTED_BY) for tp, at in positions.items()}
            consumer.assign(list(places))
            if places:
                await consumer.commit(places)
        finally:
            await consumer.stop()
