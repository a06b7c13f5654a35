"""Fixtures of the Kafka adapter's tests."""

from __future__ import annotations

import pytest

from stream_app.infra.kafka.log import topics
from stream_app.settings import KafkaSettings


def pytest_configure(config: pytest.Config) -> None:
    """Load the broker's fixtures; suites that run in one session share them, and so the broker."""
    config.pluginmanager.import_plugin("tests.kafka_fixtures")


@pytest.fixture
async def kafka(kafka_settings: KafkaSettings) -> KafkaSettings:
    """Settings whose topics exist."""
    await topics.ensure(kafka_settings)
    return kafka_settings
