"""Which rows of an asset are taken: the deployment's rules, and what an asset's spec says instead."""

from __future__ import annotations

from typing import Final

import numpy as np

from schemas.asset import AssetSpec, Duplicates
from stream_app.columns.arrays import BoolArray, IntArray
from stream_app.domain.lateness import LEARNED

#: How far a stamp may be ahead of its record's Kafka time [s], unless a spec says otherwise: Kafka's own limit.
MAX_AHEAD_S: Final = 3600.0
#: Kafka times before 2010 [ms] are no clock's: what sent them had none.
_FIRST_MS: Final = 1_262_304_000_000
#: Later than any time that Kafka writes and any stamp [ms]: keeps sums of times within 64 bits.
_LATEST_MS: Final = 1 << 53


class Admission:
    """The rules of the assets, by slot.

    Parameters
    ----------
    lateness_s
        How far behind its asset's newest stamp a row may be [s]; None: its own order teaches it.
    max_ahead_s
        How far a stamp may be ahead of its record's Kafka time [s], where the spec is silent.
    duplicates
        Whether a row that repeats a waiting one counts, where the spec is silent.
    """

    def __init__(self, lateness_s: float | None, max_ahead_s: float, duplicates: Duplicates) -> None:
        self.lateness_us = LEARNED if lateness_s is None else round(lateness_s * 1e6)
        self._duplicates = duplicates
        #: Whether repeated rows of each asset are left out, shape ``(assets,)``.
        self.drops_repeats: BoolArray = np.zeros(0, np.bool_)
        self._max_ahead_us = self._least_ahead_us = round(max_ahead_s * 1e6)
        self._ahead_us: IntArray = np.zeros(0, np.int64)

    def resize(self, assets: int) -> None:
        """Make room for ``assets`` assets; new ones have the deployment's rules."""
        more = assets - len(self._ahead_us)
        self._ahead_us = np.append(self._ahead_us, np.full(more, self._max_ahead_us))
        self.drops_repeats = np.append(self.drops_repeats, np.full(more, self._duplicates == "drop"))

    def put(self, slot: int, spec: AssetSpec) -> None:
        """Take the rules of an asset's spec."""
        ahead_us = self._max_ahead_us if spec.max_ahead_s is None else round(spec.max_ahead_s * 1e6)
        self._ahead_us[slot] = ahead_us
        self._least_ahead_us = min(self._least_ahead_us, ahead_us)
        self.drops_repeats[slot] = (spec.duplicates or self._duplicates) == "drop"

    def latest_us(self, slot: IntArray, time_us: IntArray, record_ms: IntArray, record: IntArray) -> IntArray:
        """Latest stamp that each row may have; empty if all rows are seen at once to be below it.

        Parameters
        ----------
        slot, time_us, record
            Asset and stamp of ``n`` rows, and which of the records brought them, each shape ``(n,)``.
        record_ms
            Kafka's time of the records [ms]; -1, or before 2010: it is not known, and their rows are not checked.
        """
        none = np.zeros(0, np.int64)
        if not len(time_us) or not len(record_ms):
            return none
        first_ms = min(int(record_ms.min()), _LATEST_MS)
        if first_ms >= _FIRST_MS and int(time_us.max()) <= first_ms * 1000 + self._least_ahead_us:
            return none  # almost always
        known_ms = np.where(record_ms >= _FIRST_MS, np.minimum(record_ms, _LATEST_MS), _LATEST_MS)
        latest_us: IntArray = known_ms[record] * 1000
        return latest_us + self._ahead_us[slot]
