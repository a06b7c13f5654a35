"""Translates aiokafka's exceptions, for callers that do not know aiokafka."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import InvalidTimestampError, KafkaError

from stream_app.infra.kafka.errors import BrokerError, ClockError


@contextmanager
def broker_failures() -> Iterator[None]:
    """Raise BrokerError for whatever aiokafka raises inside; ClockError if it is this worker's clock."""
    try:
        yield
    except InvalidTimestampError as error:
        raise ClockError(time.time()) from error
    except KafkaError as error:
        raise BrokerError(str(error)) from error
