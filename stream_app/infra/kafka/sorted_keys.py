"""Keys in order, found by how they begin."""

from __future__ import annotations

from bisect import bisect_left, bisect_right


class SortedKeys:
    """Different keys, which are sorted when they are asked for: many come at once."""

    def __init__(self) -> None:
        self._sorted: list[bytes] = []
        self._new: list[bytes] = []  # not among the sorted ones yet

    def add(self, key: bytes) -> None:
        """Add a key that is not there."""
        self._new.append(key)

    def __len__(self) -> int:
        return len(self._sorted) + len(self._new)

    def remove(self, key: bytes) -> None:
        """Remove a key that is there."""
        keys = self._all()
        del keys[bisect_left(keys, key)]

    def some(self, prefix: bytes, after: bytes, limit: int | None) -> list[bytes]:
        """Keys that begin with ``prefix`` and follow ``after``, ascending, no more than ``limit``."""
        keys, size = self._all(), len(prefix)
        begin = max(bisect_left(keys, prefix), bisect_right(keys, after))
        end = bisect_right(keys, prefix, begin, key=lambda key: key[:size])
        return keys[begin : end if limit is None else min(end, begin + limit)]

    def _all(self) -> list[bytes]:
        if self._new:
            self._sorted += self._new
            self._sorted.sort()  # what is in order costs next to nothing
            self._new = []
        return self._sorted
