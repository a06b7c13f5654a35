"""How long no other worker can own this one's partitions."""

from __future__ import annotations

import time
from collections.abc import Callable


class Lease:
    """Proof that the group's coordinator still counts this worker as a member.

    Counted from the moment at which the last accepted heartbeat was *sent*: a process that was stopped may read an
    answer long after the coordinator has given its partitions away.
    """

    def __init__(self, duration_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._duration_s, self._clock = duration_s, clock
        self._accepted_at: float | None = None

    def now(self) -> float:
        """Time on the lease's clock."""
        return self._clock()

    def renew(self, sent_at: float) -> None:
        """Accept the heartbeat that was sent at ``sent_at``."""
        self._accepted_at = sent_at

    def void(self) -> None:
        """End the lease: the coordinator does not know this member any more."""
        self._accepted_at = None

    def remaining_s(self) -> float:
        """Seconds for which no other worker can own this one's partitions; 0 or less: it may be so already."""
        return 0.0 if self._accepted_at is None else self._accepted_at + self._duration_s - self._clock()
