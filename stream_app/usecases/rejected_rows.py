"""Which rows a worker refuses, counted while it runs: for the answers of assets, probes and the log.

The dead letters are the record; this is the sign that somebody should read them. So nothing of it is stored, and both
what is kept per asset and how far back the share reaches are bounded.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from schemas.rejected import RejectCode

#: Assets whose refusals are counted; beyond it, the one that was refused longest ago is left out.
_MOST_ASSETS: Final = 10_000
_MINUTE_S: Final = 60.0
#: The share of refused rows is of so many minutes.
RECENT_MINUTES: Final = 5


@dataclass(frozen=True, slots=True)
class Refused:
    """Rows of one asset that a fetch had and that were refused with one code.

    Parameters
    ----------
    asset_id
        Asset that the key names; None where it names none.
    rows
        How many; a message that is refused as a whole counts as one.
    reason
        Of the first of them.
    applied_before
        Rows of the asset that the state includes.
    """

    asset_id: str | None
    code: RejectCode
    rows: int
    reason: str
    applied_before: int


@dataclass(slots=True)
class AssetRejects:
    """Refused rows of an asset since ``since_s`` (on the clock); ``applied_before`` rows had been applied then."""

    since_s: float
    applied_before: int
    by_code: Counter[RejectCode] = field(default_factory=Counter)
    reason: str = ""

    @property
    def rows(self) -> int:
        """How many."""
        return self.by_code.total()

    def share(self, applied: int) -> float:
        """Refused rows among all since then, given how many rows are applied by now."""
        return self.rows / (self.rows + max(0, applied - self.applied_before))


@dataclass(slots=True)
class _Minute:
    begin_s: float
    applied: int = 0
    rejects: Counter[tuple[int, RejectCode]] = field(default_factory=Counter)


@dataclass(slots=True)
class Untold:
    """Refused rows of one partition and code that the log does not have yet, and the last of them."""

    rows: int = 0
    last: Refused | None = None
    told_at_s: float = float("-inf")


class RejectedRows:
    """Refused rows of the partitions that a worker has.

    Parameters
    ----------
    clock
        Seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._assets: OrderedDict[tuple[int, str], AssetRejects] = OrderedDict()
        self._minutes: deque[_Minute] = deque(maxlen=RECENT_MINUTES)
        self._untold: dict[tuple[int, RejectCode], Untold] = {}

    def take(self, partition: int, applied: int, refused: Iterable[Refused]) -> None:
        """Count what became of the rows of a fetch."""
        now_s = self._clock()
        minute = self._minute(now_s)
        minute.applied += applied
        for each in refused:
            minute.rejects[partition, each.code] += each.rows
            untold = self._untold.setdefault((partition, each.code), Untold())
            untold.rows, untold.last = untold.rows + each.rows, each
            if each.asset_id is not None:
                asset = self._asset(partition, each.asset_id, now_s, each.applied_before)
                asset.by_code[each.code] += each.rows
                asset.reason = each.reason

    def _minute(self, now_s: float) -> _Minute:
        if not self._minutes or now_s - self._minutes[-1].begin_s >= _MINUTE_S:
            self._minutes.append(_Minute(now_s))
        return self._minutes[-1]

    def _asset(self, partition: int, asset_id: str, now_s: float, applied: int) -> AssetRejects:
        key = partition, asset_id
        if key not in self._assets:
            self._assets[key] = AssetRejects(now_s, applied)
            if len(self._assets) > _MOST_ASSETS:
                self._assets.popitem(last=False)
        self._assets.move_to_end(key)
        return self._assets[key]

    def of(self, partition: int, asset_id: str) -> AssetRejects | None:
        """Refused rows of an asset; None if there are none."""
        return self._assets.get((partition, asset_id))

    def release(self, kept: Iterable[int]) -> None:
        """Forget the assets of all partitions but these: others count on."""
        kept = set(kept)
        for key in [key for key in self._assets if key[0] not in kept]:
            del self._assets[key]

    def recently(self) -> str:
        """Share of refused rows in the last minutes, as a sentence; empty if nothing was refused."""
        from_s = self._clock() - RECENT_MINUTES * _MINUTE_S
        minutes = [minute for minute in self._minutes if minute.begin_s >= from_s]
        rejects = sum((minute.rejects for minute in minutes), Counter[tuple[int, RejectCode]]())
        if not rejects:
            return ""
        refused = rejects.total()
        of_rows = refused + sum(minute.applied for minute in minutes)
        parts = (f"{code} {rows} in partition {partition}" for (partition, code), rows in rejects.most_common(5))
        return (
            f"{refused} of {of_rows} rows ({refused / of_rows:.0%}) were rejected in the last {RECENT_MINUTES} min: "
            f"{', '.join(parts)}; the dead letters have them and the reasons"
        )

    def due(self, every_s: float) -> list[tuple[int, RejectCode, int, Refused]]:
        """Partition, code, rows and the last refusal of what the log is to say now: each at most once in a time."""
        now_s, due = self._clock(), []
        for (partition, code), untold in self._untold.items():
            if untold.last is not None and now_s - untold.told_at_s >= every_s:
                due.append((partition, code, untold.rows, untold.last))
                untold.rows, untold.last, untold.told_at_s = 0, None, now_s
        return due
