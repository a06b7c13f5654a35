"""Connecting again: Faust's clients try once, and a broker that fails just then is no reason to end the worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiokafka.errors import KafkaConnectionError

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
