"""In which partitions an asset has state: more than one, where its producers choose partitions differently."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from stream_app.usecases.ports import Cluster, PeerAnswer, Tables

#: No asset id has it.
SEPARATOR: Final = "/"
_IDS_PER_QUESTION: Final = 100
#: Of ids in a question: escaped they take up to three times as much, and a server's bound is 64 KiB.
_BYTES_PER_QUESTION: Final = 4_000
_MOST_NOTED: Final = 100_000
#: How long a place at another worker is told of: it is looked at again each hour.
_BELIEVED_S: Final = 2 * 3600.0

Ask = Callable[[str, str, Mapping[str, str]], Awaitable[PeerAnswer | None]]


@dataclass(frozen=True, slots=True)
class PlacesFound:
    """Partitions that were looked through, and of each asset those of them that have it."""

    partitions: list[int]
    places: dict[str, list[int]]


class Places:
    """Looks assets up in all partitions, and remembers which of them are at other workers too.

    Parameters
    ----------
    ask
        Asks another worker (URL, path, parameters); None: it could not tell.
    clock
        Seconds, monotonic.
    """

    def __init__(self, tables: Tables, cluster: Cluster, ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        self._tables, self._cluster, self._ask, self._clock = tables, cluster, ask, clock
        self._noted: dict[str, dict[int, float]] = {}  # by id: when a place at another worker was found

    def here(self, asset_id: str) -> list[int]:
        """Partitions of this worker that have an asset."""
        key = asset_id.encode()
        return [partition for partition in self._tables.partitions() if self._tables.asset(partition, key) is not None]

    def looked_through(self) -> frozenset[int]:
        """Partitions in which an asset that is not here is not.

        None, while Kafka does not count this worker in: others may have its partitions, with rows that came since.
        """
        return frozenset(self._tables.partitions()) if self._cluster.status().connected else frozenset()

    def note(self, asset_id: str, partitions: Collection[int]) -> None:
        """Remember that an asset has places at other workers."""
        if not partitions:
            self._noted.pop(asset_id, None)
            return
        self._noted[asset_id] = dict.fromkeys(partitions, self._clock())
        if len(self._noted) > _MOST_NOTED:
            del self._noted[next(iter(self._noted))]

    def also_in(self, asset_id: str, partition: int) -> tuple[int, ...]:
        """Partitions beside one that have an asset, as far as this worker has seen."""
        since_s = self._clock() - _BELIEVED_S
        there = {p for p, found_s in self._noted.get(asset_id, {}).items() if found_s >= since_s}
        elsewhere = there - set(self._tables.partitions())
        return tuple(sorted({*self.here(asset_id), *elsewhere} - {partition}))

    def answer(self, asset_ids: Sequence[str], partition: int | None) -> PlacesFound:
        """Answer another worker, which has the assets in ``partition``, from this worker's tables alone."""
        found = {asset_id: here for asset_id in asset_ids if (here := self.here(asset_id))}
        if partition is not None:
            for asset_id in found:
                self.note(asset_id, [partition])
        return PlacesFound(sorted(self.looked_through()), found)

    async def everywhere(
        self, asset_ids: Sequence[str], partition: int | None = None
    ) -> tuple[dict[str, set[int]], set[int]]:
        """Places of assets over all workers, and the partitions that nobody has answered for.

        Parameters
        ----------
        partition
            Where this worker has them, for the others to know.
        """
        places = {asset_id: set(self.here(asset_id)) for asset_id in asset_ids}
        missing = set(range(self._cluster.partition_count())) - self.looked_through()
        if not missing:
            return places, missing
        more = {} if partition is None else {"partition": str(partition)}
        answered: set[int] | None = None  # partitions for which each question was answered
        for some in _questions(asset_ids):
            params = {"ids": SEPARATOR.join(some)} | more
            answers = await asyncio.gather(*(self._ask(peer, "places", params) for peer in self._cluster.peers()))
            covered = set[int]()
            for answer in answers:
                found = _read(answer)
                if found is not None:
                    covered.update(found.partitions)
                    for asset_id in some:
                        places[asset_id].update(found.places.get(asset_id, ()))
            answered = covered if answered is None else answered & covered
        return places, missing - (answered or set())


def _questions(asset_ids: Sequence[str]) -> Iterator[list[str]]:
    """The ids, some at a time."""
    some, size = list[str](), 0
    for asset_id in asset_ids:
        if some and (len(some) == _IDS_PER_QUESTION or size + len(asset_id.encode()) > _BYTES_PER_QUESTION):
            yield some
            some, size = [], 0
        some.append(asset_id)
        size += len(asset_id.encode()) + 1
    if some:
        yield some


def _read(answer: PeerAnswer | None) -> PlacesFound | None:
    """Another worker's answer; None: it does not tell, or is of an older release."""
    if answer is None:
        return None
    try:
        return msgspec.json.decode(answer.body, type=PlacesFound)
    except msgspec.MsgspecError:
        return None
