"""What has changed in a fleet: the states of assets since a place in each partition, the oldest first.

A place is a ``seq``: whatever worker has the partition can tell which states are newer. Beside it stands until when
the changes of the worker that told it are known, so that it need not look through all its assets again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from stream_app.domain.snapshot import Marker, header
from stream_app.usecases.asset_lists import AssetLists
from stream_app.usecases.asset_page import ListedAsset
from stream_app.usecases.lookup import Lookup
from stream_app.usecases.ports import MARKER_KEY
from stream_app.usecases.rights import Rights, current_rights

#: Assets of a worker that one answer tells of: some ms. Those that change more often are told as they are then.
_AT_ONCE: Final = 100
#: An answer is shared for so long; streams look at the same moments.
_SHARED_S: Final = 0.25
#: Keys that are looked at before others have the event loop.
_KEYS_AT_ONCE: Final = 2_000
#: No asset id has it.
_SEPARATOR: Final = "/"


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a partition's changes are known: all states up to ``seq``; at ``worker`` those until ``until_ns``."""

    seq: int
    worker: str = ""
    until_ns: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """An asset as it is now; None: it was deleted. ``seq`` is its place in the partition."""

    partition: int
    seq: int
    asset_id: str
    asset: ListedAsset | None


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Changes:
    """Changes of some partitions, and how far they are known then; those who asked share it."""

    marks: dict[int, Mark]
    changes: list[Change] = field(default_factory=list)


@dataclass(slots=True)
class _Answer:
    """What those who ask the same question at the same time are told."""

    asked_s: float
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    changes: Changes | None = None


class FleetChanges:
    """Tells what has changed, at all workers."""

    def __init__(self, lookup: Lookup, lists: AssetLists) -> None:
        self._lookup, self._lists = lookup, lists
        self._answers: dict[tuple[str, tuple[str, ...], Rights], _Answer] = {}

    async def since(self, marks: Mapping[int, Mark], asset_ids: Collection[str] = ()) -> Changes:
        """Changes since the marks, of all assets that exist for the asker or of those that are named.

        Of a partition without a mark only the named assets are told, and where it is now. Of one that no worker
        answers for the mark stays as it is. A hundred who look at the same page cost one answer.

        Raises
        ------
        UnavailableError
            This worker is not ready.
        """
        self._lookup.require_ready()
        now_s = asyncio.get_running_loop().time()
        self._answers = {asked: old for asked, old in self._answers.items() if now_s - old.asked_s < _SHARED_S}
        answer = self._answers.setdefault((written_marks(marks), tuple(asset_ids), current_rights()), _Answer(now_s))
        async with answer.lock:
            if answer.changes is None:
                answer.changes = await self._since(marks, asset_ids)
        return answer.changes

    async def _since(self, marks: Mapping[int, Mark], asset_ids: Collection[str]) -> Changes:
        lookup = self._lookup
        found = [await self.here(marks, asset_ids)]
        if peers := lookup.cluster.peers():
            params = {"since": written_marks(marks), "ids": _SEPARATOR.join(asset_ids)}
            answers = await asyncio.gather(*(lookup.ask(peer, "changes", params) for peer in peers))
            for answer in answers:
                try:
                    found.append(msgspec.json.decode(b"" if answer is None else answer.body, type=Changes))
                except msgspec.MsgspecError:
                    continue  # it could not tell, or is of an older release
        together = dict(marks)
        for each in found:
            together.update(each.marks)
        return Changes(together, [change for each in found for change in each.changes])

    async def here(self, marks: Mapping[int, Mark], asset_ids: Collection[str] = ()) -> Changes:
        """The same of this worker's partitions alone."""
        found, told = Changes({}), list[tuple[int, int, str]]()
        for partition in sorted(self._lookup.tables.partitions()):
            mark, changed = await self._of(partition, marks.get(partition), asset_ids)
            found.marks[partition] = mark
            told += [(partition, *each) for each in changed]
        places = [(partition, asset_id) for partition, _, asset_id in told]
        assets = {(each.partition, each.asset_id): each for each in await self._lists.read(places)}
        found.changes.extend(
            Change(partition, seq, asset_id, assets.get((partition, asset_id))) for partition, seq, asset_id in told
        )
        return found

    async def _of(
        self, partition: int, mark: Mark | None, asset_ids: Collection[str]
    ) -> tuple[Mark, list[tuple[int, str]]]:
        """Changes of a partition by seq and asset, ascending, and how far they are known with these."""
        tables, url, rights = self._lookup.tables, self._lookup.url, current_rights()
        since_ns = mark.until_ns if mark is not None and mark.worker == url else 0
        changed = tables.changed(partition, since_ns)
        keys: Sequence[bytes] = changed.keys
        if mark is None:
            keys = [asset_id.encode() for asset_id in asset_ids]
        last = self._last(partition)
        known = -1 if mark is None else mark.seq
        found, wanted = list[tuple[int, str]](), set(asset_ids)
        for number, key in enumerate(keys):
            if number % _KEYS_AT_ONCE == _KEYS_AT_ONCE - 1:
                await asyncio.sleep(0)
            asset_id = key.decode()
            if not rights.sees(asset_id) or (wanted and asset_id not in wanted):
                continue
            value = tables.asset(partition, key)
            if value is not None and header(value) > known:
                found.append((header(value), asset_id))
            elif value is None and mark is not None and not changed.whole:
                found.append((known, asset_id))
        found.sort()
        if len(found) <= _AT_ONCE:
            return Mark(max(known, last), url, changed.until_ns), found
        # Assets whose rows came in one message have one seq: all of them or none.
        upto = found[_AT_ONCE - 1][0]
        return Mark(upto, url, since_ns), [each for each in found if each[0] <= upto]

    def _last(self, partition: int) -> int:
        """The highest seq that the tables include; -1: none."""
        value = self._lookup.tables.asset(partition, MARKER_KEY)
        if value is None:
            return -1
        marker = Marker.load(value)
        return marker.position + marker.shift - 1


def written_marks(marks: Mapping[int, Mark]) -> str:
    """Marks as text for another worker."""
    return msgspec.json.encode({str(partition): mark for partition, mark in marks.items()}).decode()


def read_marks(text: str) -> dict[int, Mark]:
    """The inverse of :func:`written_marks`. msgspec.MsgspecError: it is no such text."""
    return msgspec.json.decode(text, type=dict[int, Mark])


def read_ids(text: str) -> list[str]:
    """Ids of a question of another worker."""
    return text.split(_SEPARATOR) if text else []
