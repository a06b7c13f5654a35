"""Loaded by ``faust -A`` in a test: a worker's app on a module's top level."""

from __future__ import annotations

import os

from stream_app.infra.kafka.worker import Worker
from stream_app.settings import KafkaSettings, Settings
from tests.integration.kafka.counting import CountingIngest

app = Worker(Settings(kafka=KafkaSettings.model_validate_json(os.environ["TEST_SETTINGS"])), CountingIngest).engine.app
