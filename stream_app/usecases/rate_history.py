"""What this worker has done in the last hour, in steps of some seconds; kept in memory alone."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stream_app.usecases.lookup import Lookup

STEP_S: Final = 10
_STEPS: Final = 360


@dataclass(frozen=True, slots=True)
class Step:
    """A moment, as :class:`schemas.system.HistoryStep` describes; ``messages_per_s`` and ``lag`` by partition."""

    time_s: int
    rows_per_s: float
    messages_per_s: dict[int, float]
    lag: dict[int, int | None]


class RateHistory:
    """Notes rates and lags.

    Parameters
    ----------
    rows
        Rows that this worker has applied since it started.
    now_s
        The clock: seconds since 1970 UTC.
    """

    def __init__(self, lookup: Lookup, rows: Callable[[], float], now_s: Callable[[], float]) -> None:
        self._lookup, self._rows, self._now_s = lookup, rows, now_s
        self._steps: deque[Step] = deque(maxlen=_STEPS)
        self._before: tuple[float, float, dict[int, int]] | None = None
        #: When a checkpoint of a partition was seen to have been written last [s since 1970].
        self.checkpoint_s: dict[int, int] = {}

    async def run(self) -> None:
        """Note a step again and again, until cancelled."""
        while True:
            self.note()
            await asyncio.sleep(STEP_S)

    def note(self) -> None:
        """Note the time since the last step."""
        tables, cluster = self._lookup.tables, self._lookup.cluster
        now_s, rows = self._now_s(), self._rows()
        positions = {partition: self._lookup.position(partition) for partition in sorted(tables.partitions())}
        before, self._before = self._before, (now_s, rows, positions)
        self.checkpoint_s = {p: s for p, s in self.checkpoint_s.items() if p in positions}
        if before is None or now_s <= before[0]:
            return
        passed_s = now_s - before[0]
        moved = {p: at - before[2][p] for p, at in positions.items() if p in before[2]}
        self.checkpoint_s |= {partition: round(now_s) for partition, count in moved.items() if count}
        self._steps.append(
            Step(
                time_s=round(now_s),
                rows_per_s=round((rows - before[1]) / passed_s, 1),
                # A partition that went on with another log moves back.
                messages_per_s={p: round(max(0, count) / passed_s, 1) for p, count in moved.items()},
                lag={partition: cluster.lag(partition) for partition in positions},
            )
        )

    @property
    def steps(self) -> list[Step]:
        """The last hour, the oldest first."""
        return list(self._steps)
