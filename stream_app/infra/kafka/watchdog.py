"""Ends a worker that does nothing though there is something to do: started anew, it does it, or another one does.

Time counts only while the group accepts the worker's heartbeats. A broker that is away is no reason to end.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from stream_app.infra.kafka.errors import StalledError

if TYPE_CHECKING:
    from stream_app.infra.kafka.app import StreamApp

_PERIOD_S: Final = 1.0
#: A process that was stopped for hours has not been idle for hours.
_LONGEST_STEP_S: Final = 3 * _PERIOD_S
#: As for an internal error in sysexits.h.
_EXIT_STATUS: Final = 70


async def watch_progress(app: StreamApp, waiting: Callable[[], Mapping[str, int]], limit_s: float) -> None:
    """Fail the app once something that waits has not moved for ``limit_s``.

    ``waiting`` tells the offset at which each thing that has work before it stands.
    """
    stuck_s: dict[str, float] = {}
    last: Mapping[str, int] = {}
    seen_at = time.monotonic()
    while not app.should_stop:
        await asyncio.sleep(_PERIOD_S)
        now = time.monotonic()
        step_s, seen_at = min(now - seen_at, _LONGEST_STEP_S), now
        if app.lease.remaining_s() <= 0:
            continue
        current = waiting()
        stuck_s = {
            what: stuck_s.get(what, 0.0) + step_s for what, offset in current.items() if last.get(what) == offset
        }
        last = current
        for what, since_s in stuck_s.items():
            if since_s >= limit_s:
                app.fail(StalledError(what, current[what], since_s))
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
                sys.stderr.write(f"error: the event loop has been stuck for {waited_s:.0f} s: ending the worker\n")
                sys.stderr.flush()
                os._exit(_EXIT_STATUS)
