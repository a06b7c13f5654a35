"""The consumer group as Kafka stores it: its members and its offsets, from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as ClientPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata

from stream_app.infra.kafka.errors import StateInUseError
from stream_app.infra.kafka.log.failures import broker_failures
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.settings import KafkaSettings

#: Metadata of the offsets that this service commits. Kafka's own tools leave it empty.
COMMITTED_BY: Final = "stream-app"


async def require_idle(admin: AIOKafkaAdminClient, group: str) -> None:
    """Raise StateInUseError if the group has active members."""
    answers: list[Any] = await admin.describe_consumer_groups([group])
    members = [f"{member[1]} at {member[2]}" for answer in answers for each in answer.groups for member in each[5]]
    if members:
        raise StateInUseError(group, members)


async def commit(settings: KafkaSettings, positions: Mapping[TopicPartition, int]) -> None:
    """Set the offsets of a group without members."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers, group_id=settings.app_id, enable_auto_commit=False
    )
    with broker_failures():
        try:
            await consumer.start()
            places = {ClientPartition(*tp): OffsetAndMetadata(at, COMMITTED_BY) for tp, at in positions.items()}
            consumer.assign(list(places))
            if places:
                await consumer.commit(places)
        finally:
            await consumer.stop()
