"""How Faust's clients connect: with TLS and SASL as they are set, and again and again.

They try once, and a broker that fails just then is no reason to end the worker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiokafka.errors import KafkaConnectionError
from faust.auth import Credentials, SASLCredentials, SSLCredentials

from stream_app.infra.kafka.log.access import security_options
from stream_app.settings import KafkaSettings

_log = logging.getLogger(__name__)

_AGAIN_S: Final = 1.0


async def connected(start: Callable[[], Awaitable[None]], client: Callable[[], Any], over: Callable[[], bool]) -> None:
    """Start again and again, each time with a new client, until it is connected or ``over``."""
    while True:
        try:
            return await start()
        except KafkaConnectionError as error:
            await client().stop()
            if over():
                raise
            _log.warning("cannot connect, trying again: %s", error)
        await asyncio.sleep(_AGAIN_S)


def credentials(kafka: KafkaSettings) -> Credentials | None:
    """Faust's form of the options of TLS and SASL."""
    options = security_options(kafka)
    if "sasl_mechanism" in options:
        return SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            ssl_context=options.get("ssl_context"),
            mechanism=options["sasl_mechanism"],
        )
    return SSLCredentials(options["ssl_context"]) if "ssl_context" in options else None
