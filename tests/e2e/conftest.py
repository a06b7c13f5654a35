"""Fixtures of the end-to-end tests: topics of one's own on the shared broker."""

from __future__ import annotations

import asyncio

import pytest

from stream_app.infra.kafka.log import topics
from stream_app.settings import KafkaSettings
from tests.kafka import Broker, settings_for


def pytest_configure(config: pytest.Config) -> None:
    """Load the broker's fixtures; suites that run in one session share them, and so the broker."""
    config.pluginmanager.import_plugin("tests.kafka_fixtures")


@pytest.fixture
def kafka(real_broker: Broker) -> KafkaSettings:
    settings = settings_for(real_broker.bootstrap_servers)
    asyncio.run(topics.ensure(settings))
    return settings
