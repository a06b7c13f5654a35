"""What the history needs from outside: the metrics topic, and a store of windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from stream_app.wire.update import UpdateHead
from stream_app.wire.update_cells import UpdateCells


class UpdateRecord(NamedTuple):
    """A record of the metrics topic."""

    partition: int
    offset: int
    value: bytes | None


class WindowRow(NamedTuple):
    """An update for the store.

    Parameters
    ----------
    in_windows
        Whether it goes to the history; a lifetime has none.
    in_latest
        Whether it may be the newest of its asset and size.
    """

    head: UpdateHead
    cells: UpdateCells
    in_windows: bool
    in_latest: bool


class RowsRefusedError(Exception):
    """The store can never take one of these rows at least; nothing of them was written."""


class UpdateSource(Protocol):
    """The metrics topic, read as a member of a group. All methods raise UnavailableError while Kafka is away."""

    async def read(self, timeout_s: float) -> Sequence[UpdateRecord]:
        """Return what has come, as soon as something has; nothing after ``timeout_s``."""
        ...

    async def commit(self, positions: Mapping[int, int]) -> None:
        """Tell the group the next offset of each partition; of those that are another's by now nothing is told."""
        ...


class WindowStore(Protocol):
    """Where windows are kept. All methods raise UnavailableError while it is away."""

    async def prepare(self) -> None:
        """Connect, and bring the tables to this release's form."""
        ...

    async def write(self, rows: Sequence[WindowRow]) -> None:
        """Merge rows, of which none repeats a window, all or none: of a window the higher ``seq`` stays.

        Raises
        ------
        RowsRefusedError
            It can never take one of them.
        """
        ...

    async def drop_before(self, time: datetime) -> Sequence[str]:
        """Drop months that end at or before ``time``; returns their names."""
        ...


class HistoryFigures(Protocol):
    """What monitoring is told of the process."""

    def read(self, updates: int) -> None:
        """So many updates were read."""
        ...

    def written(self, rows: int, seconds: float) -> None:
        """A batch was committed."""
        ...

    def left_out(self, why: Literal["poison", "expired"]) -> None:
        """An update was left out."""
        ...

    def phase(self, phase: str, detail: str) -> None:
        """What the process does now; ``consuming`` is as it should be."""
        ...


class Column(NamedTuple):
    """Where a number stands: a metric, and of a list which of its numbers, from 0."""

    metric: str
    place: int | None


class Points(NamedTuple):
    """Defined values of a metric, ascending by time.

    ``at[i]`` counts steps from the first one; ``values`` are means of each step, ``lows`` and ``highs`` its extremes.
    """

    at: Sequence[int]
    values: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]


class Ranked(NamedTuple):
    """An asset's value."""

    asset_id: str
    value: float
    start: datetime
    final: bool


class Ranking(NamedTuple):
    """Assets by value, and how many have one, and have none."""

    assets: Sequence[Ranked]
    defined: int
    undefined: int


class HistoryReads(Protocol):
    """Questions to the store. All methods raise UnavailableError while it is away."""

    async def newest(self, asset_id: str) -> Mapping[str, datetime]:
        """Start of the newest window of each size that an asset has; empty: the asset is not known."""
        ...

    async def points(
        self, asset_id: str, size: str, column: Column, start: datetime, end: datetime, step_s: int
    ) -> Points:
        """Values of windows that begin from ``start`` on and before ``end``."""
        ...

    async def reasons(self, asset_id: str, size: str, metric: str, start: datetime, end: datetime) -> Mapping[str, int]:
        """Windows in which the metric is null, counted by the reason."""
        ...

    async def ranking(
        self, size: str, column: Column, start: datetime | None, prefix: str, *, descending: bool, limit: int
    ) -> Ranking:
        """Assets whose ids begin so, by the value in the window of that start; without one in their newest window."""
        ...
