"""Notices fetches that never arrived, and has them read again.

aiokafka counts a record as read when it hands it out. Behind it Faust has queues that it empties at times, above all
around rebalances. When another fetch follows, the gap before it shows the loss;
when none follows, only this does.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Final

from stream_app.infra.kafka.errors import BrokerError
from stream_app.infra.kafka.member import Member
from stream_app.infra.kafka.processor import Processor
from stream_app.infra.kafka.topic_partition import TopicPartition

_log = logging.getLogger(__name__)

_PERIOD_S: Final = 1.0


async def reread_lost_fetches(member: Member, processor: Processor) -> None:
    """Until the worker stops, read fetches again that have been missing for a period while none was being applied."""
    suspects: dict[TopicPartition, int] = {}
    while not member.stopping:
        await asyncio.sleep(_PERIOD_S)
        recovering = member.recovering()
        awaited = recovering or processor.awaited()
        missing = {tp: offset for tp, offset in awaited.items() if await _position(member, tp) > offset}
        lost = {tp: offset for tp, offset in missing.items() if suspects.get(tp) == offset}
        suspects = missing if recovering or processor.is_idle else {}
        if not lost or not suspects:
            continue
        _log.warning("fetched but never delivered, reading again: %s", sorted(lost))
        with suppress(BrokerError, TimeoutError):  # lost again, or not assigned any more: the next period will show
            if recovering:
                await member.seek(lost)
            else:
                await processor.read_on(lost)


async def _position(member: Member, tp: TopicPartition) -> int:
    try:
        return await member.position(tp)
    except BrokerError:  # not assigned any more, or no broker: the next period will show
        return 0
