"""How many assets a partition has, and how many of them were new in each of the last minutes."""

from __future__ import annotations

from typing import NamedTuple


class AssetCounts(NamedTuple):
    """Counts as of a position: assets in all, and new ones by minute (since 1970), oldest first."""

    in_all: int
    new: tuple[tuple[int, int], ...]
