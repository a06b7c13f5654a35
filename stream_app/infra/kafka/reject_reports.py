"""Refused rows in the log and at ``/metrics``, so that nobody has to read the dead letters to learn of them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable
from typing import Final, get_args

import prometheus_client

from schemas.rejected import RejectCode
from stream_app.usecases.refused_counts import SOUND_CODES
from stream_app.usecases.rejected_rows import Refused, RejectedRows

_log = logging.getLogger(__name__)

_REJECTED: Final = prometheus_client.Counter(
    "stream_rejected_rows",
    "Rows rejected; those read again after a fault count again, a message rejected as a whole is one",
    ["code"],
)
for _code in get_args(RejectCode):
    _REJECTED.labels(_code)  # begins at 0: an alert sees the first one

_ROWS: Final = prometheus_client.Counter(
    "stream_rows", "Rows by what became of them; those read again after a fault count again", ["result"]
)
for _result in ("applied", "late", "rejected"):
    _ROWS.labels(_result)

split_assets: Final = prometheus_client.Counter("stream_split_assets", "Assets found with rows in several partitions")

_PERIOD_S: Final = 1.0
_REPEAT_S: Final = 60.0


class RejectReports:
    """Counts refused rows and logs them."""

    def __init__(self, source: str, rejected: RejectedRows) -> None:
        self._source, self._rejected = source, rejected

    def take(self, partition: int, applied: int, refused: Iterable[Refused]) -> None:
        """Count what became of the rows of a fetch; ``applied`` includes sound rows that were refused."""
        results = Counter({"applied": applied})
        for each in refused:
            _REJECTED.labels(each.code).inc(each.rows)
            results["late" if each.code == "late" else "rejected"] += each.rows
            if each.code in SOUND_CODES:
                results["applied"] -= each.rows
        for result, rows in results.items():
            _ROWS.labels(result).inc(max(0, rows))  # a held row may be refused after the fetch that brought it
        self._rejected.take(partition, applied, refused)

    async def run(self) -> None:
        """Log, until cancelled: of each partition and code one line a minute at most."""
        while True:
            await asyncio.sleep(_PERIOD_S)
            self.tell(_REPEAT_S)

    def tell(self, every_s: float = 0) -> None:
        """Log what has not been logged yet, of each partition and code once in ``every_s`` at most."""
        for partition, code, rows, last in self._rejected.due(every_s):
            _log.warning(
                "%s[%d]: rejected %d rows as %s, the last of asset %r: %s",
                *(self._source, partition, rows, code, last.asset_id, last.reason),
            )
