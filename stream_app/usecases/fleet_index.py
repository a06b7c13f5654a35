"""What lists of a fleet are ordered and counted by: columns of this worker's assets, which follow the tables.

To read a state takes some 25 us, so the columns are made when the worker starts, and then only new and changed states
are read: new ones soon, changed ones soon while somebody asks and with a hundredth of the time while nobody does. Of
many changes some are read at a time, with pauses, so that the order may be somewhat behind; the assets that are then
shown are read anew. Whoever asks waits for a moment until the columns are up to date.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
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
from stream_app.usecases.id_order import UNRANKED, IdOrder
from stream_app.usecases.ports import Tables

#: States that are read in one go: some ms.
_AT_ONCE: Final = 100
#: How many times as long as that the event loop is left to others: while somebody asks or assets are unread; while
#: somebody waits for the first reading of all; and while known assets alone have changed and nobody asks.
_REST_PER_WORK: Final = 3.0
_FIRST_REST_PER_WORK: Final = 0.5
_UNASKED_REST_PER_WORK: Final = 100.0
#: For so long after a question somebody is taken to be asking.
_ASKED_S: Final = 10.0
#: How often changes are looked for while nobody asks.
_LOOK_S: Final = 1.0
#: How long a question waits for the columns to be up to date, and for them to be there at all: less than a worker is
#: given to answer another.
_WAIT_S: Final = 0.25
_FIRST_WAIT_S: Final = 1.2

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
    """A partition: slots by asset, until when its changes are known [ns], and the assets that are to be read.

    Those that have no slot yet are ``new``; they are read before those that have changed.
    """

    slots: dict[bytes, int] = field(default_factory=dict)
    until_ns: int = 0
    new: dict[bytes, None] = field(default_factory=dict)
    changed: dict[bytes, None] = field(default_factory=dict)

    def note(self, keys: Iterable[bytes]) -> None:
        """Have these assets read."""
        for key in keys:
            (self.changed if key in self.slots else self.new)[key] = None

    def take(self, count: int) -> list[bytes]:
        """So many of the assets that are to be read; they are no longer."""
        keys = list(islice(chain(self.new, self.changed), count))
        for key in keys:
            self.new.pop(key, None)
            self.changed.pop(key, None)
        return keys

    @property
    def behind(self) -> int:
        """Assets that are to be read."""
        return len(self.new) + len(self.changed)


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
        self._caught_up, self._asked = asyncio.Event(), asyncio.Event()
        self._asked_s = float("-inf")
        self._columns: Columns | None = None
        self.ids: list[str] = []  # by slot
        self._lowered: pa.StringArray | None = None  # the same in lower case
        self._parts: dict[int, _Part] = {}
        self._free: list[int] = []
        self.order = IdOrder()
        self._is_complete = False

    @property
    def metric_at(self) -> Mapping[str, int]:
        """Columns of the metrics that are one number; known once these are compiled."""
        if self._metric_at is None:
            self._metric_at = {name: at for at, name in enumerate(self._reader.metrics)}
        return self._metric_at

    @property
    def columns(self) -> Columns:
        """The columns."""
        if self._columns is None:
            self._columns = Columns.empty(len(self.metric_at))
        return self._columns

    @property
    def behind(self) -> int:
        """States that are new or have changed and are not read yet."""
        return sum(part.behind for part in self._parts.values())

    async def run(self) -> None:
        """Follow the tables while nobody asks, until cancelled."""
        while True:
            if self._tables.partitions():  # there are none while partitions move, and most stay
                self._note_changes()
                if (reading := self._reading()) is not None:
                    await asyncio.wait([reading])
            await asyncio.sleep(_LOOK_S)

    async def follow(self) -> None:
        """See to it that the columns are up to date if that takes no longer than a moment.

        Raises
        ------
        UnavailableError
            The worker has just started, and the fleet is so large that its first reading takes longer.
        """
        self._asked_s = self._clock()
        self._asked.set()
        self._note_changes()
        if self._reading() is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_WAIT_S if self._is_complete else _FIRST_WAIT_S):
                    await self._caught_up.wait()
        self._is_complete = self._is_complete or not self.behind
        if not self._is_complete:
            detail = f"the list is being made: {self.behind} of its assets are still to be read; ask again"
            raise UnavailableError("not_ready", detail, retry_after_s=1)

    async def close(self) -> None:
        """Read no further."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

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
                part.note(part.slots)
            part.note(changed.keys)

    def _reading(self) -> asyncio.Task[None] | None:
        """The task that brings the columns up to date; None: they are."""
        if not (self.behind or self.order.is_behind):
            return None
        self._caught_up.clear()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._read_on(), name="fleet-index")
        return self._task

    async def _read_on(self) -> None:
        while self.behind or self.order.is_behind:
            for number, part in list(self._parts.items()):
                while part.behind and self._parts.get(number) is part:
                    began_s = time.thread_time()
                    self._read(number, part, part.take(_AT_ONCE))
                    await self._rest(time.thread_time() - began_s)
            await self.order.rank(self.columns.rank)
        self._is_complete = True
        self._caught_up.set()

    async def _rest(self, work_s: float) -> None:
        """Leave the event loop to others, after so much work."""
        if self._clock() - self._asked_s < _ASKED_S:
            await asyncio.sleep(work_s * (_REST_PER_WORK if self._is_complete else _FIRST_REST_PER_WORK))
        elif any(part.new for part in self._parts.values()):
            await asyncio.sleep(work_s * _REST_PER_WORK)
        else:
            self._asked.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(work_s * _UNASKED_REST_PER_WORK):
                    await self._asked.wait()

    def _read(self, number: int, part: _Part, keys: Sequence[bytes]) -> None:
        stored = [(key, self._tables.asset(number, key)) for key in keys]
        self._drop([part.slots.pop(key) for key, value in stored if value is None and key in part.slots])
        there = [(key, value) for key, value in stored if value is not None]
        if not there:
            return
        try:
            rows = self._reader.read([key.decode() for key, _ in there], [value for _, value in there])
        except DomainError:
            if len(there) > 1:  # the others are all right
                for key, _ in there:
                    self._read(number, part, [key])
            return
        slots = np.array([self._slot(number, part, key) for key, _ in there], np.int64)
        received = [self._tables.received_ns(number, key) for key, _ in there]
        self.columns.received_us[slots] = [NEVER if ns is None else ns // 1000 for ns in received]
        self._put(slots, rows)

    def _put(self, slots: IntArray, rows: FleetRows) -> None:
        columns = self.columns
        for name in _COPIED:
            getattr(columns, name)[slots] = getattr(rows, name)
        columns.metrics[slots] = np.nan
        has = rows.at >= 0
        columns.metrics[slots[has]] = self._reader.numbers(rows.lifetimes)[rows.at[has]]

    def _slot(self, number: int, part: _Part, key: bytes) -> int:
        slot = part.slots.get(key)
        if slot is not None:
            return slot
        asset_id = key.decode()
        if self._free:
            slot = self._free.pop()
            self.ids[slot] = asset_id
        else:
            slot = len(self.ids)
            self.ids.append(asset_id)
            if slot >= len(self.columns.there):
                self.columns.grow(max(64, slot + slot // 4))
        self._lowered = None
        part.slots[key] = slot
        self.columns.there[slot], self.columns.partition[slot] = True, number
        self.columns.rank[slot] = UNRANKED
        self.order.add(asset_id, slot)
        return slot

    def _drop(self, slots: Iterable[int]) -> None:
        for slot in slots:
            self.columns.there[slot] = False
            self._free.append(slot)
            self.order.remove(self.ids[slot], slot)
