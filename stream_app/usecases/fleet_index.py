"""What lists of a fleet are ordered and counted by: columns of this worker's assets, kept while somebody looks.

To read a state takes some 50 us, so the columns are kept from one question to the next, and only the states that have
changed since are read. Of many changes some are read at a time, with pauses, so that the order may be somewhat behind;
the assets that are then shown are read anew. Whoever asks waits for a moment until the columns are up to date.
"""

from __future__ import annotations

import asyncio
import sys
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stream_app.columns.arrays import BoolArray, IntArray
from stream_app.domain.errors import DomainError
from stream_app.domain.lines import NEVER
from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.fleet_columns import Columns
from stream_app.usecases.fleet_reading import FleetReader, FleetRows
from stream_app.usecases.ports import Tables

#: States that are read in one go (some ms), and how many times as long the event loop is left to others after that.
_AT_ONCE: Final = 100
_REST_PER_WORK: Final = 3.0
#: The first reading of a fleet is waited for, and takes half of the time.
_FIRST_REST_PER_WORK: Final = 1.0
#: So many new assets take their places in the order one by one; of more it is made anew, so many at a time.
_RANKED_SINGLY: Final = 50
_RANKED_AT_ONCE: Final = 10_000
#: How long a question waits for the columns to be up to date, and for them to be there at all: less than a worker is
#: given to answer another.
_WAIT_S: Final = 0.25
_FIRST_WAIT_S: Final = 1.2
#: After so long without a question the columns are dropped.
_KEPT_S: Final = 600.0


#: Rank of an asset that is not in the order yet.
_LAST: Final = 1 << 40
_COPIED: Final = (
    "rows",
    "rejected",
    "last_us",
    "silent_after_s",
    "is_upload",
    "doing",
    "soc_percent",
    "power_w",
    "day_us",
    "day_in_kwh",
    "day_out_kwh",
)


@dataclass(slots=True)
class _Part:
    """A partition: slots by asset, until when its changes are known [ns], and those that are to be read."""

    slots: dict[str, int] = field(default_factory=dict)
    until_ns: int = 0
    waiting: dict[bytes, None] = field(default_factory=dict)


class FleetIndex:
    """Columns of all assets of this worker.

    Parameters
    ----------
    clock
        Seconds, monotonic.
    """

    def __init__(self, tables: Tables, reader: FleetReader, clock: Callable[[], float] = time.monotonic) -> None:
        self._tables, self._reader, self._clock = tables, reader, clock
        self._metric_at: dict[str, int] | None = None
        self._task: asyncio.Task[None] | None = None
        self._caught_up = asyncio.Event()
        self._asked_s = float("-inf")

    @property
    def metric_at(self) -> Mapping[str, int]:
        """Columns of the metrics that are one number; known once these are compiled."""
        if self._metric_at is None:
            self._metric_at = {name: at for at, name in enumerate(self._reader.metrics)}
        return self._metric_at

    def _clear(self) -> None:
        self.columns = Columns.empty(len(self.metric_at))
        self.ids: list[str] = []  # by slot
        self._lowered: pa.StringArray | None = None  # the same in lower case
        self._parts: dict[int, _Part] = {}
        self._free: list[int] = []
        self._order: list[tuple[str, int]] = []
        self._new: dict[tuple[str, int], None] = {}  # not in the order yet
        self._gone: dict[tuple[str, int], None] = {}  # still in it
        self._is_complete = False

    @property
    def behind(self) -> int:
        """States that have changed and are not read yet."""
        return sum(len(part.waiting) for part in self._parts.values())

    async def follow(self) -> None:
        """See to it that the columns are there, and up to date if that takes no longer than a moment.

        Raises
        ------
        UnavailableError
            The fleet is so large that its first reading takes longer.
        """
        now_s = self._clock()
        if now_s - self._asked_s > _KEPT_S and (self._task is None or self._task.done()):
            self._clear()
        self._asked_s = now_s
        self._note_changes()
        if self.behind or self._new or self._gone:
            self._caught_up.clear()
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._read_on(), name="fleet-index")
            try:
                async with asyncio.timeout(_WAIT_S if self._is_complete else _FIRST_WAIT_S):
                    await self._caught_up.wait()
            except TimeoutError:
                pass
        self._is_complete = self._is_complete or not self.behind
        if not self._is_complete:
            detail = f"the list is being made: {self.behind} of its assets are still to be read; ask again"
            raise UnavailableError("not_ready", detail)

    async def close(self) -> None:
        """Read no further."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def rank_of_prefix(self, prefix: str) -> tuple[int, int]:
        """Ranks of the assets that begin with a prefix: the first, and the one after the last."""
        return self.rank_before(prefix), self.rank_before(prefix + chr(sys.maxunicode))

    def rank_after(self, asset_id: str) -> int:
        """Least rank of the assets that follow an id."""
        return bisect_right(self._order, (asset_id, len(self.ids)))

    def rank_before(self, asset_id: str) -> int:
        """Rank of the first asset that is not before an id."""
        return bisect_left(self._order, (asset_id, -1))

    def holds(self, text: str) -> BoolArray:
        """Whether the ids of slots have this in them, in any case."""
        if self._lowered is None:
            self._lowered = pa.array([asset_id.lower() for asset_id in self.ids], pa.string())
        found: BoolArray = pc.match_substring(self._lowered, text.lower()).to_numpy(zero_copy_only=False)
        return found

    def _note_changes(self) -> None:
        owned = set(self._tables.partitions())
        for number in self._parts.keys() - owned:
            self._drop(self._parts.pop(number).slots.values())
        for number in sorted(owned):
            part = self._parts.setdefault(number, _Part())
            changed = self._tables.changed(number, part.until_ns)
            part.until_ns = changed.until_ns
            if changed.whole:
                part.waiting = dict.fromkeys(name.encode() for name in part.slots)
            part.waiting |= dict.fromkeys(changed.keys)

    async def _read_on(self) -> None:
        while self.behind or self._new or self._gone:
            for number, part in list(self._parts.items()):
                while part.waiting and self._parts.get(number) is part:
                    began_s = time.thread_time()
                    self._read(number, part)
                    rest = _REST_PER_WORK if self._is_complete else _FIRST_REST_PER_WORK
                    await asyncio.sleep(rest * (time.thread_time() - began_s))
            await self._rank()
        self._caught_up.set()

    def _read(self, number: int, part: _Part) -> None:
        keys = [key for key, _ in zip(part.waiting, range(_AT_ONCE), strict=False)]
        for key in keys:
            del part.waiting[key]
        stored = [(key, self._tables.asset(number, key)) for key in keys]
        gone = [key.decode() for key, value in stored if value is None]
        self._drop([part.slots.pop(name) for name in gone if name in part.slots])
        there = [(key, value) for key, value in stored if value is not None]
        if not there:
            return
        try:
            rows = self._reader.read([key.decode() for key, _ in there], [value for _, value in there])
        except DomainError:
            if len(there) > 1:  # the others are all right
                for key, _ in there:
                    self._read(number, _Part(part.slots, 0, {key: None}))
            return
        slots = np.array([self._slot(number, part, key.decode()) for key, _ in there], np.int64)
        received = [self._tables.received_ns(number, key) for key, _ in there]
        self.columns.received_us[slots] = [NEVER if ns is None else ns // 1000 for ns in received]
        self._put(slots, rows)

    def _put(self, slots: IntArray, rows: FleetRows) -> None:
        columns = self.columns
        for name in _COPIED:
            getattr(columns, name)[slots] = getattr(rows, name)
        columns.metrics[slots] = np.nan
        has = rows.at >= 0
        for name, values in rows.lifetimes.by_metric.items():
            at = self.metric_at.get(name)
            if at is not None:
                columns.metrics[slots[has], at] = values.value[rows.at[has]]

    def _slot(self, number: int, part: _Part, asset_id: str) -> int:
        slot = part.slots.get(asset_id)
        if slot is not None:
            return slot
        if self._free:
            slot = self._free.pop()
            self.ids[slot] = asset_id
        else:
            slot = len(self.ids)
            self.ids.append(asset_id)
            if slot >= len(self.columns.there):
                self.columns.grow(max(64, 2 * slot))
        self._lowered = None
        part.slots[asset_id] = slot
        self.columns.there[slot], self.columns.partition[slot] = True, number
        self.columns.rank[slot] = _LAST
        self._new[asset_id, slot] = None
        return slot

    def _drop(self, slots: Iterable[int]) -> None:
        for slot in slots:
            self.columns.there[slot] = False
            self._free.append(slot)
            place = (self.ids[slot], slot)
            if place in self._new:
                del self._new[place]
            else:
                self._gone[place] = None

    async def _rank(self) -> None:
        """Bring the order up to date; nothing is added meanwhile."""
        gone, new, order, rank = self._gone, self._new, self._order, self.columns.rank
        self._gone, self._new = {}, {}
        if len(gone) + len(new) <= _RANKED_SINGLY:
            for place in gone:
                at = bisect_left(order, place)
                del order[at]
                rank[rank > at] -= 1
            for place in new:
                at = bisect_left(order, place)
                order.insert(at, place)
                rank[rank >= at] += 1
                rank[place[1]] = at
            return
        if gone:
            order[:] = [place for place in order if place not in gone]
            await asyncio.sleep(0)
        order += new
        order.sort()  # what is in order costs next to nothing
        for low in range(0, len(order), _RANKED_AT_ONCE):
            await asyncio.sleep(0)
            some = [slot for _, slot in order[low : low + _RANKED_AT_ONCE]]
            rank[some] = np.arange(low, low + len(some))
