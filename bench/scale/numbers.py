"""Percentiles, and the pace of an open loop: pure functions of numbers."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(values: Sequence[float], share: float) -> float:
    """Smallest value that at least this share of all does not exceed (nearest rank: one that was measured)."""
    if not values:
        msg = "a percentile of nothing"
        raise ValueError(msg)
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@dataclass(frozen=True, slots=True)
class Summary:
    """Some durations in short."""

    count: int
    p50_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None

    @classmethod
    def of(cls, durations_s: Sequence[float]) -> Summary:
        """Summarise durations; without any there are no figures."""
        if not durations_s:
            return cls(0)
        ms = [1000 * duration_s for duration_s in durations_s]
        return cls(len(ms), percentile(ms, 0.5), percentile(ms, 0.99), max(ms))


@dataclass(frozen=True, slots=True)
class Pace:
    """A steady rate that does not depend on how fast anybody answers.

    Who is late goes on without a pause until he has caught up: what was due is never left out.
    """

    rate_per_s: float
    began_at: float

    def due_at(self, done: int) -> float:
        """When the next one is due after so many."""
        return self.began_at + done / self.rate_per_s

    def wait_s(self, done: int, now: float) -> float:
        """How long to wait for the next one after so many; 0 when it is due."""
        return max(0.0, self.due_at(done) - now)


def first_at(reached: Sequence[tuple[int, float]], offset: int) -> float | None:
    """When a growing position had come as far as an offset first; None if it never did."""
    at = bisect_left(reached, offset, key=lambda one: one[0])
    return reached[at][1] if at < len(reached) else None
