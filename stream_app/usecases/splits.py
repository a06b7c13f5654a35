"""Finds assets with rows in several partitions: each place computes metrics of its part of the rows alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.places import Places
from stream_app.usecases.ports import Cluster, MeasurementLog, Tables

log = logging.getLogger(__name__)

_INTERVAL_S: Final = 2.0
_FIRST_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 3600.0
_TELL_S: Final = 3600.0
#: Assets of a partition that are looked up at other workers in one sweep: ten questions.
_LOOKED_UP_AT_ONCE: Final = 1_000
#: Assets between two turns of the event loop: some ms.
_ASSETS_AT_ONCE: Final = 200
_CURE: Final = (
    "its producers use different partitioners, so no place has all rows. Let all use murmur2 (librdkafka: "
    "partitioner=murmur2_random; Java, kafka-python and aiokafka have it by default), then delete the asset and send "
    "its rows again; STREAM_KAFKA__PARTITIONER=murmur2 refuses rows in other partitions"
)


@dataclass(slots=True)
class _Look:
    """When an asset is looked up next [s on the clock], and the pause after that."""

    at_s: float
    pause_s: float = _FIRST_PAUSE_S


@dataclass(slots=True)
class _Seen:
    """Assets of one partition."""

    keys: set[bytes] = field(default_factory=set)
    #: Those that the default partitioner would not put here: they may be elsewhere too, now or later.
    foreign: dict[bytes, _Look] = field(default_factory=dict)
    split: set[bytes] = field(default_factory=set)
    untold: int = 0
    told_at_s: float = float("-inf")


class SplitAssets:
    """Looks assets up that are in a partition which murmur2 of their key does not name.

    One that is in two partitions is in such a partition at least once, so its other place is found from there: at once,
    or, as that may come later, at one of the looks that follow with growing pauses. A fleet whose producers all use
    another partitioner has one place of each asset, and nothing is told.

    Parameters
    ----------
    on_split
        Called for each split asset that is found.
    source
        Name of the measurements topic.
    clock
        Seconds, monotonic.
    """

    def __init__(
        self,
        *,
        tables: Tables,
        cluster: Cluster,
        measurements: MeasurementLog,
        places: Places,
        on_split: Callable[[], None],
        source: str,
        clock: Callable[[], float],
    ) -> None:
        self._tables, self._cluster, self._measurements, self._places = tables, cluster, measurements, places
        self._on_split, self._source, self._clock = on_split, source, clock
        self._seen: dict[int, _Seen] = {}  # by partition

    async def run(self) -> None:
        """Sweep again and again, until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL_S)
            try:
                await self.sweep()
            except UnavailableError as error:
                log.warning("split assets are looked for later: %s", error.detail)

    async def sweep(self) -> None:
        """Look up what is new or due."""
        if self._cluster.status().phase != "ready":
            return
        owned = set(self._tables.partitions())
        self._seen = {partition: self._seen.get(partition) or _Seen() for partition in sorted(owned)}
        for partition, seen in self._seen.items():
            await self._take(partition, seen)
            await self._look(partition, seen)

    async def _take(self, partition: int, seen: _Seen) -> None:
        """Take down what came to a partition, and what went."""
        keys = self._tables.asset_keys(partition)
        new = [key for key in keys if key not in seen.keys]
        for count, key in enumerate(new, 1):
            if count % _ASSETS_AT_ONCE == 0:
                await asyncio.sleep(0)  # look-ups take their turn
            if self._measurements.partition_of(key) != partition:
                seen.foreign[key] = _Look(self._clock())
        seen.keys.update(new)
        if len(seen.keys) != len(keys):
            seen.keys.intersection_update(keys)
            seen.split &= seen.keys
            for key in seen.foreign.keys() - seen.keys:
                del seen.foreign[key]

    async def _look(self, partition: int, seen: _Seen) -> None:
        now_s = self._clock()
        due = [key for key, look in seen.foreign.items() if look.at_s <= now_s][:_LOOKED_UP_AT_ONCE]
        for low in range(0, len(due), _ASSETS_AT_ONCE):
            some = due[low : low + _ASSETS_AT_ONCE]
            places, missing = await self._places.everywhere([key.decode() for key in some], partition)
            for key in some:
                self._found(partition, seen, key, sorted(places[key.decode()] | {partition}), complete=not missing)
            await asyncio.sleep(0)

    def _found(self, partition: int, seen: _Seen, key: bytes, places: Sequence[int], *, complete: bool) -> None:
        """Take down where an asset is, as far as others have answered, and when it is looked up again."""
        if key not in seen.foreign:
            return  # the partition was given away meanwhile, or the asset forgotten
        look, asset_id = seen.foreign[key], key.decode()
        look.at_s = self._clock() + look.pause_s
        if complete:
            look.pause_s = min(2 * look.pause_s, _LONGEST_PAUSE_S)
            self._places.note(asset_id, set(places) - {partition})
        elif len(places) > 1:
            self._places.note(asset_id, set(places) - {partition})
        if len(places) == 1:
            if complete:
                seen.split.discard(key)
            return
        if key in seen.split:
            return
        seen.split.add(key)
        self._on_split()
        if self._clock() - seen.told_at_s < _TELL_S:
            seen.untold += 1
            return
        more = f" ({seen.untold} more of partition {partition} since the last warning)" if seen.untold else ""
        named = f"{', '.join(map(str, places[:-1]))} and {places[-1]}"
        log.warning("%s: asset %r has rows in partitions %s%s: %s", self._source, asset_id, named, more, _CURE)
        seen.untold, seen.told_at_s = 0, self._clock()
