"""Which rows of an asset count, by the rules of docs/metrics.md, row by row in the order of their arrival."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

HOUR_US = 3_600_000_000
#: Of an asset whose lateness is learned: how long it waits, and the rows and the time in order that end this.
CAP_US, FIRST_ROWS, FIRST_SPAN_US, ORDERED_ROWS = 10_000_000, 30, 60_000_000, 10_000

StampedRow = Mapping[str, Any]


@dataclass
class Verdict:
    """Rows that count from now on, and rows that never will."""

    counted: list[StampedRow] = field(default_factory=list)
    refused: list[StampedRow] = field(default_factory=list)


class Arrivals:
    """One asset's rows as they come.

    Parameters
    ----------
    lateness_s
        The fixed lateness; None: it is learned.
    limit_us
        The asset's gap limit as of now.
    most_waiting
        Rows that wait at most.
    """

    def __init__(
        self, lateness_s: float | None, limit_us: Callable[[], float] = lambda: 0, most_waiting: int = 8192
    ) -> None:
        self.learns = lateness_s is None
        self.fixed_us = (lateness_s or 0) * 1e6
        self.limit_us, self.most_waiting = limit_us, most_waiting
        self.newest_us = self.watermark_us = -math.inf
        self.first_us = math.inf
        self.unordered = FIRST_ROWS
        self.held: list[StampedRow] = []

    def lateness_us(self) -> float:
        """How far behind the newest stamp a row may be."""
        return (CAP_US if self.unordered else 0) if self.learns else self.fixed_us

    def take(self, row: StampedRow) -> Verdict:
        """Take the next row."""
        stamp_us, verdict = row["time_us"], Verdict()
        self._learn_disorder(stamp_us)
        if stamp_us < self.watermark_us:
            verdict.refused.append(row)
            return verdict
        ahead_us = stamp_us - self.newest_us
        if ahead_us >= 0 and (self.held or ahead_us > HOUR_US) and self.newest_us > -math.inf:
            held_us = self.held[0]["time_us"] if self.held else 0
            if self.held and stamp_us == held_us and 2 * len(self.held) < self.most_waiting:
                self.held.append(row)
                return verdict
            limit_us = max(HOUR_US, self.limit_us())
            if self.held:
                near = ahead_us > limit_us and stamp_us >= held_us - self.lateness_us()
                if stamp_us >= held_us or near:
                    verdict.counted += self.held
                    self._move(held_us)
                else:
                    verdict.refused += self.held
                self.held = []
            if stamp_us - self.newest_us > limit_us:
                self.held = [row]
                return verdict
            self._learn_disorder(stamp_us)
        verdict.counted.append(row)
        self.first_us = min(self.first_us, stamp_us)
        may_end = self.unordered > 1 or stamp_us - self.first_us >= FIRST_SPAN_US
        if self.unordered and stamp_us >= self.newest_us and may_end:
            self.unordered -= 1
        self._move(max(self.newest_us, stamp_us))
        return verdict

    def _learn_disorder(self, stamp_us: int) -> None:
        if 0 < self.newest_us - stamp_us <= CAP_US:
            self.unordered = ORDERED_ROWS

    def _move(self, newest_us: float) -> None:
        self.newest_us = newest_us
        self.watermark_us = max(self.watermark_us, newest_us - self.lateness_us())
