"""Ends a worker that does nothing though there is work: started again, it does the work, or another worker does.

Time counts only while the group accepts the worker's heartbeats, or, outside of the group, while Kafka answers others.
A broker that is away is no reason to end.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from stream_app.infra.kafka.errors import AccessError, BrokerUnavailableError, StalledError
from stream_app.infra.kafka.member import Member
from stream_app.infra.process import INTERNAL_ERROR, end_process

_PERIOD_S: Final = 1.0
_ASK_EVERY_S: Final = 2.0
#: A process that was stopped for hours has not been idle for hours.
_LONGEST_STEP_S: Final = 3 * _PERIOD_S
#: How many times as long as all together one thing may stand while others move.
_TURNS: Final = 10


async def end_when_stalled(member: Member, waiting: Callable[[], Collection[str]], limit_s: float) -> None:
    """Fail the member once nothing that has work before it has moved for ``limit_s``.

    ``waiting`` says of each such thing where it stands, in words: the same words again are no progress. A thing that
    stands while others move may only be waiting for its turn, which is long when they bring many new assets: it has
    ten times as long.
    """
    stuck_s: dict[str, float] = {}
    idle_s = 0.0
    seen_at = time.monotonic()
    while not member.stopping:
        await asyncio.sleep(_PERIOD_S)
        now = time.monotonic()
        step_s, seen_at = min(now - seen_at, _LONGEST_STEP_S), now
        if member.lease.remaining_s() <= 0:
            continue
        places = waiting()
        idle_s = idle_s + step_s if stuck_s.keys() <= set(places) else 0.0
        stuck_s = {place: stuck_s[place] + step_s if place in stuck_s else 0.0 for place in places}
        for place, since_s in stuck_s.items():
            if since_s >= (limit_s if idle_s >= limit_s else _TURNS * limit_s):
                member.fail(StalledError(place, since_s))
                return


async def end_when_left_out(
    member: Member,
    reach: Callable[[], Awaitable[None]],
    left_out: Callable[[float], Exception],
    limit_s: float,
) -> None:
    """Fail the member once it has been out of the group for ``limit_s`` while Kafka answered.

    ``reach`` raises BrokerUnavailableError or AccessError when Kafka does not answer; ``left_out`` makes the error.
    """
    out_s, seen_at = 0.0, time.monotonic()
    while not member.stopping:
        await asyncio.sleep(_ASK_EVERY_S)
        now = time.monotonic()
        step_s, seen_at = min(now - seen_at, _LONGEST_STEP_S), now
        if member.lease.remaining_s() > 0:
            out_s = 0.0
            continue
        try:
            await reach()
        except BrokerUnavailableError:
            out_s = 0.0  # once Kafka is back, its clients have all the time again to find it
            continue
        except AccessError as error:
            member.fail(error)
            return
        out_s += step_s
        if out_s >= limit_s:
            member.fail(left_out(out_s))
            return


class LoopGuard:
    """Ends the process when its event loop has not turned for ``limit_s``: nothing inside the loop could."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._turned_at = time.monotonic()
        self._over = threading.Event()

    async def run(self) -> None:
        """Turn with the loop, until cancelled."""
        threading.Thread(target=self._watch, name="loop-guard", daemon=True).start()
        try:
            while True:
                self._turned_at = time.monotonic()
                await asyncio.sleep(_PERIOD_S)
        finally:
            self._over.set()

    def _watch(self) -> None:
        waited_s, before = 0.0, self._turned_at
        while not self._over.wait(_PERIOD_S):  # own periods count: a stopped process is not taken for a stuck one
            waited_s = 0.0 if self._turned_at != before else waited_s + _PERIOD_S
            before = self._turned_at
            if waited_s >= self._limit_s:
                error = f"the event loop has been stuck for {waited_s:.0f} s: ending the worker; start it again"
                end_process(INTERNAL_ERROR, error)
