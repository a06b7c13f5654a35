"""Fixtures of the Kafka adapter's tests."""

from __future__ import annotations

import pytest

from stream_app.infra.kafka.log import topics
from stream_app.settings import KafkaSettings


@pytest.fixture
async def kafka(kafka_settings: KafkaSettings) -> KafkaSettings:
    """Settings whose topics exist."""
    await topics.ensure(kafka_settings)
    return kafka_settings
