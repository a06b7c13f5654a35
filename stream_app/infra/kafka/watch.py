"""Notices what was fetched and never arrived.

Between aiokafka, which counts a record as read when it hands it out, and whoever waits for it Faust has queues that it
empties as it sees fit, above all around rebalances. When more follows, the gap tells. When nothing follows, only this.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaError
from faust.types import TP

from stream_app.infra.kafka.processor import Processor

if TYPE_CHECKING:
    from stream_app.infra.kafka.app import StreamApp

_log = logging.getLogger(__name__)

_PERIOD_S: Final = 1.0


async def watch(app: StreamApp, processor: Processor) -> None:
    """Read again, for as long as the app runs, what has been on its way for more than a period with nobody at work."""
    suspects: dict[TP, int] = {}
    while not app.should_stop:
        await asyncio.sleep(_PERIOD_S)
        recovering = app.recovering()
        awaited = recovering or processor.awaited()
        missing = {tp: offset for tp, offset in awaited.items() if await _fetched(app, tp) > offset}
        lost = {tp: offset for tp, offset in missing.items() if suspects.get(tp) == offset}
        suspects = missing if recovering or processor.is_idle else {}
        if not lost or not suspects:
            continue
        _log.warning("fetched but not handed over, reading again: %s", sorted(lost))
        with suppress(KafkaError, TimeoutError):  # lost again, or not assigned any more: the next period tells
            if recovering:
                await app.consumer.seek_wait(lost)
            else:
                await processor.read_on(lost)


async def _fetched(app: StreamApp, tp: TP) -> int:
    try:
        return await app.consumer.position(tp) or 0
    except KafkaError:  # not assigned any more, or no broker: not now
        return 0
