"""The order of assets' ids: each has a rank, which follows as assets come and go."""

from __future__ import annotations

import asyncio
import sys
from bisect import bisect_left, bisect_right
from typing import Final

import numpy as np

from stream_app.columns.arrays import IntArray

#: Rank of an asset that is not in the order yet.
UNRANKED: Final = 1 << 40
#: So many new assets take their places one by one; of more the order is made anew, so many at a time.
_RANKED_SINGLY: Final = 50
_RANKED_AT_ONCE: Final = 10_000


class IdOrder:
    """Ids with their slots; the same id may have several."""

    def __init__(self) -> None:
        self._order: list[tuple[str, int]] = []
        self._new: dict[tuple[str, int], None] = {}  # not in the order yet
        self._gone: dict[tuple[str, int], None] = {}  # still in it

    @property
    def is_behind(self) -> bool:
        """Whether assets have come or gone since the ranks were given."""
        return bool(self._new or self._gone)

    def add(self, asset_id: str, slot: int) -> None:
        """An asset has come."""
        self._new[asset_id, slot] = None

    def remove(self, asset_id: str, slot: int) -> None:
        """An asset has gone."""
        place = (asset_id, slot)
        if place in self._new:
            del self._new[place]
        else:
            self._gone[place] = None

    def with_prefix(self, prefix: str) -> tuple[int, int]:
        """Ranks of the assets that begin with a prefix: the first, and the one after the last."""
        return self.before(prefix), self.before(prefix + chr(sys.maxunicode))

    def after(self, asset_id: str) -> int:
        """Least rank of the assets that follow an id."""
        return bisect_right(self._order, (asset_id, UNRANKED))

    def before(self, asset_id: str) -> int:
        """Rank of the first asset that is not before an id."""
        return bisect_left(self._order, (asset_id, -1))

    async def rank(self, ranks: IntArray) -> None:
        """Bring the ranks by slot up to date; nothing is added meanwhile."""
        gone, new, order = self._gone, self._new, self._order
        self._gone, self._new = {}, {}
        if len(gone) + len(new) <= _RANKED_SINGLY:
            for place in gone:
                at = bisect_left(order, place)
                del order[at]
                ranks[ranks > at] -= 1
            for place in new:
                at = bisect_left(order, place)
                order.insert(at, place)
                ranks[ranks >= at] += 1
                ranks[place[1]] = at
            return
        if gone:
            order[:] = [place for place in order if place not in gone]
            await asyncio.sleep(0)
        order += new
        order.sort()  # what is in order costs next to nothing
        for low in range(0, len(order), _RANKED_AT_ONCE):
            await asyncio.sleep(0)
            some = [slot for _, slot in order[low : low + _RANKED_AT_ONCE]]
            ranks[some] = np.arange(low, low + len(some))
