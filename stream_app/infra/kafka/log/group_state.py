"""The consumer group as Kafka stores it: its members and its offsets, from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as ClientPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.structs import OffsetAndMetadata

from stream_app.infra.kafka.errors import BrokerError, StateInUseError
from stream_app.infra.kafka.log.access import client_options
from stream_app.infra.kafka.log.failures import broker_failures
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.settings import KafkaSettings

#: Metadata of the offsets that this service commits. Kafka's own tools leave it empty.
COMMITTED_BY: Final = "stream-app"
_COORDINATOR_TRIES: Final = 150


async def require_idle(admin: AIOKafkaAdminClient, group: str) -> None:
    """Raise StateInUseError if the group has active members."""
    answers = await _described(admin, group)
    members = [f"{member[1]} at {member[2]}" for answer in answers for each in answer.groups for member in each[5]]
    if members:
        raise StateInUseError(group, members)


async def _described(admin: AIOKafkaAdminClient, group: str) -> list[Any]:
    for _ in range(_COORDINATOR_TRIES):
        try:
            answers: list[Any] = await admin.describe_consumer_groups([group])
        except GroupCoordinatorNotAvailableError:  # the broker makes its topic of offsets when it is first asked
            await asyncio.sleep(0.2)
        else:
            return answers
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
