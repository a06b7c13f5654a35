"""Tells of transactions that stay open: rows behind them wait, and nothing else says why.

Only committed rows are read. A producer that neither commits nor aborts holds its partition until the broker ends its
transaction (``transaction.timeout.ms``, 15 minutes by default). The worker waits; that is no stall.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from stream_app.infra.kafka.errors import BrokerError
from stream_app.infra.kafka.member import Member
from stream_app.infra.kafka.topic_partition import TopicPartition

_log = logging.getLogger(__name__)

_PERIOD_S: Final = 1.0
_REPEAT_S: Final = 60.0


@dataclass(slots=True)
class _Open:
    """A transaction that begins at ``offset``; times are monotonic [s]."""

    offset: int
    since_s: float
    told_s: float = float("-inf")
    producer_id: int | None = None


class OpenTransactions:
    """Watches the ends of the source's partitions.

    Parameters
    ----------
    partitions
        Those that this worker has.
    producer_at
        Id of the producer whose transactional batch is at an offset; None if there is none.
    after_s
        A transaction is told when it has been open for so long.
    """

    def __init__(
        self,
        member: Member,
        partitions: Callable[[], Iterable[int]],
        producer_at: Callable[[int, int], Awaitable[int | None]],
        after_s: float,
    ) -> None:
        self._member, self._partitions, self._producer_at, self._after_s = member, partitions, producer_at, after_s
        self._open: dict[TopicPartition, _Open] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(_PERIOD_S)
            await self.look(time.monotonic())

    async def look(self, now_s: float) -> None:
        """Compare the ends now, and log what has been open for long: each transaction once a minute at most."""
        places = [TopicPartition(self._member.source, partition) for partition in self._partitions()]
        self._open = {tp: seen for tp in places if (seen := self._seen(tp, now_s)) is not None}
        for tp, seen in list(self._open.items()):
            if now_s - seen.since_s < self._after_s or now_s - seen.told_s < _REPEAT_S:
                continue
            seen.told_s = now_s
            try:
                seen.producer_id = await self._producer_at(tp.partition, seen.offset)
            except BrokerError as error:
                _log.warning("cannot ask whose transaction is open in %s[%d]: %s", *tp, error)
            _log.warning("%s", self._told(tp, seen, now_s))

    def _seen(self, tp: TopicPartition, now_s: float) -> _Open | None:
        stable, end = self._member.end_of(tp), self._member.log_end_of(tp)
        if stable is None or end is None or stable >= end:
            return None
        before = self._open.get(tp)
        return before if before is not None and before.offset == stable else _Open(stable, now_s)

    def detail(self) -> str:
        """What has been told and is still so, for probes; empty: nothing."""
        now_s = time.monotonic()
        told = (self._told(tp, seen, now_s) for tp, seen in self._open.items() if seen.told_s > float("-inf"))
        return "; ".join(told)

    def _told(self, tp: TopicPartition, seen: _Open, now_s: float) -> str:
        behind = (self._member.log_end_of(tp) or seen.offset) - seen.offset
        producer = "a producer" if seen.producer_id is None else f"the producer with id {seen.producer_id}"
        return (
            f"{tp.topic}[{tp.partition}]: {producer} has had a transaction open since offset {seen.offset}, for "
            f"{now_s - seen.since_s:.0f} s, and {behind} offsets wait for its end: let it commit or abort, or abort it "
            f"(kafka-transactions.sh abort --topic {tp.topic} --partition {tp.partition} --start-offset {seen.offset})"
        )
