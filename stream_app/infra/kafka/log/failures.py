"""Translates aiokafka's exceptions, for callers that do not know aiokafka."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import KafkaError

from stream_app.infra.kafka.errors import BrokerError


@contextmanager
def broker_failures() -> Iterator[None]:
    """Raise BrokerError for whatever aiokafka raises inside."""
    try:
        yield
    except KafkaError as error:
        raise BrokerError(str(error)) from error
