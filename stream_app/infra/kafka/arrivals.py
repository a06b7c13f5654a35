"""Since when records wait for the checkpoint that includes them, by Kafka's time of each record."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from prometheus_client import Histogram

_END_TO_END_S: Final = Histogram(
    "stream_end_to_end_seconds",
    "Time from a record's Kafka timestamp until its updates and its state are acknowledged; of each fetch, the first",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0),
)


class _Taken(NamedTuple):
    """A fetch that is applied and in no checkpoint yet."""

    end: int
    first_ms: int


class Arrivals:
    """Kafka's times of what each partition has applied.

    Parameters
    ----------
    clock
        Seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._taken: dict[int, deque[_Taken]] = {}
        self._newest_ms: dict[int, int] = {}
        self._began_s: dict[int, float] = {}

    def begin(self, partition: int) -> None:
        """Reading of a partition begins."""
        self._taken.pop(partition, None)
        self._newest_ms.pop(partition, None)
        self._began_s[partition] = self._clock()

    def took(self, partition: int, end: int, first_ms: int, newest_ms: int) -> None:
        """A fetch up to offset ``end`` was applied, maybe again; negative times are unknown."""
        taken = self._taken.setdefault(partition, deque())
        while taken and taken[-1].end >= end:
            taken.pop()
        if first_ms >= 0:
            taken.append(_Taken(end, first_ms))
            self._newest_ms[partition] = newest_ms

    def written(self, partition: int, position: int) -> None:
        """A checkpoint of everything before ``position`` is acknowledged."""
        taken, now_s = self._taken.get(partition), self._clock()
        while taken and taken[0].end <= position:
            _END_TO_END_S.observe(max(0.0, now_s - taken.popleft().first_ms / 1000))

    def waiting_s(self, partition: int) -> float:
        """How long the oldest record that no checkpoint includes has waited, given that there is one [s].

        It is in the log since after the newest record that was applied, or, if none was, since an unknown time: then
        this is how long the partition has been read.
        """
        taken, newest_ms = self._taken.get(partition), self._newest_ms.get(partition)
        if taken:
            since_s = taken[0].first_ms / 1000
        elif newest_ms is not None:
            since_s = newest_ms / 1000
        else:
            since_s = self._began_s.get(partition, self._clock())
        return max(0.0, self._clock() - since_s)
