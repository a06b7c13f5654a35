"""How often somebody may ask."""

from __future__ import annotations

import math
import time
from typing import Final

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

#: Wrong keys of one address: enough for a typing error, too few to try keys.
_FAILURES: Final = parse("20/minute")


class Rates:
    """Counts requests by who asks, in this process: a limit for all workers together belongs to what is before them.

    Parameters
    ----------
    requests
        Such as ``600/minute``; None: no limit.
    """

    def __init__(self, requests: str | None) -> None:
        self._requests = None if requests is None else parse(requests)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def refuse(self, who: str) -> int | None:
        """Count a request; returns after how many seconds the next one is taken, if this one is not."""
        if self._requests is None or self._limiter.hit(self._requests, who):
            return None
        return self._wait(self._limiter.get_window_stats(self._requests, who).reset_time)

    def failed(self, address: str) -> None:
        """Count a wrong key."""
        self._limiter.hit(_FAILURES, "failures", address)

    def refuse_failures(self, address: str) -> int | None:
        """After how many seconds keys of an address are looked at again, if not now."""
        if self._limiter.test(_FAILURES, "failures", address):
            return None
        return self._wait(self._limiter.get_window_stats(_FAILURES, "failures", address).reset_time)

    @staticmethod
    def _wait(reset_s: float) -> int:
        return max(1, math.ceil(reset_s - time.time()))
