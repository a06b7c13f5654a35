"""Questions about the past, answered from the history store: an asset's metric over time, the fleet at one time."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from schemas.asset import window_size_s
from stream_app.domain.catalogue import Catalogue
from stream_app.usecases.errors import InvalidError, NotConfiguredError, NotFoundError
from stream_app.usecases.history_ports import Column, HistoryReads, Ranking
from stream_app.usecases.rights import Rights
from stream_app.usecases.window_sizes import asked_size_s

LIFETIME: Final = "lifetime"
#: Steps of an answer, and windows that are looked through for it.
MOST_STEPS: Final = 20_000
_MOST_WINDOWS: Final = 1_000_000
#: Windows of an answer that was asked for without a time.
_USUAL_WINDOWS: Final = 1_000
#: No row has a stamp beyond these.
_FIRST_YEAR, _LAST_YEAR = 1990, 2200
_COLUMN: Final = re.compile(r"([a-z][a-z0-9_]{0,62})(?:\.(0|[1-9][0-9]{0,2}))?")


@dataclass(frozen=True, slots=True)
class Series:
    """A metric of an asset over time, as :class:`schemas.history.HistoryAnswer` describes."""

    asset_id: str
    metric: str
    unit: str
    size: str
    start: datetime
    end: datetime
    step_s: int
    values: Sequence[float | None]
    low: Sequence[float | None] | None
    high: Sequence[float | None] | None
    undefined: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Fleet:
    """A metric of all assets, as :class:`schemas.history.FleetAnswer` describes."""

    metric: str
    unit: str
    size: str
    at: datetime | None
    ranking: Ranking


@dataclass(frozen=True, slots=True)
class KnownMetric:
    """What a question has to know of a metric: its unit, and how many numbers its list has; None: it is a number."""

    unit: str
    bins: int | None


def known_metrics(catalogue: Catalogue) -> dict[str, KnownMetric]:
    """Each metric of a catalogue by its name."""
    return {each.name: KnownMetric(each.unit, each.bins) for each in catalogue.reading_layout.metrics}


class HistoryQueries:
    """Questions about the past.

    Parameters
    ----------
    reads
        The store; None: none is configured, and every question raises NotConfiguredError.
    metrics
        Each metric by its name.
    """

    def __init__(self, reads: HistoryReads | None, metrics: Mapping[str, KnownMetric]) -> None:
        self._reads, self._metrics = reads, metrics

    @property
    def is_there(self) -> bool:
        """Whether a store is configured."""
        return self._reads is not None

    async def series(
        self,
        asset_id: str,
        metric: str,
        size: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        points: int | None = None,
    ) -> Series:
        """A metric of the windows of a time, on an even grid.

        Parameters
        ----------
        start, end
            The time, with an offset from UTC; without an end: to the newest window; without a start: 1,000 windows.
        points
            Put windows together so that there are no more steps than this.

        Raises
        ------
        NotFoundError
            The store does not know the asset, or no windows of this size of it.
        """
        reads = self._require()
        column, unit = self._column(metric)
        size_s = _size_s(size)
        newest = await reads.newest(asset_id)
        if not newest:
            # In the words that foreign assets get, so that nobody learns which ids there are.
            raise NotFoundError("unknown_asset", f"no row of asset {asset_id!r} has been processed; check the id")
        if size not in newest:
            known = ", ".join(sorted((each for each in newest if each != LIFETIME), key=window_size_s))
            raise NotFoundError(
                "unknown_window_size", f"the store has no {size} windows of asset {asset_id!r}: {known}"
            )
        last = newest[size] + timedelta(seconds=size_s)
        ends = last if end is None else _up(end, size_s)
        begins = ends - timedelta(seconds=_USUAL_WINDOWS * size_s) if start is None else _down(start, size_s)
        step_s = _step_s(begins, ends, size_s, points)
        found, undefined = await asyncio.gather(
            reads.points(asset_id, size, column, begins, ends, step_s),
            reads.reasons(asset_id, size, column.metric, begins, ends),
        )
        steps = math.ceil((ends - begins).total_seconds() / step_s)
        together = step_s > size_s
        return Series(
            asset_id=asset_id,
            metric=metric,
            unit=unit,
            size=size,
            start=begins,
            end=begins + timedelta(seconds=steps * step_s),
            step_s=step_s,
            values=_on_grid(found.at, found.values, steps),
            low=_on_grid(found.at, found.lows, steps) if together else None,
            high=_on_grid(found.at, found.highs, steps) if together else None,
            undefined=undefined,
        )

    async def fleet(
        self, metric: str, size: str, rights: Rights, *, at: datetime | None, descending: bool, limit: int
    ) -> Fleet:
        """All assets that exist for the asker, by the value in the window that ``at`` is in; None: in their newest."""
        reads = self._require()
        column, unit = self._column(metric)
        if size == LIFETIME:
            if at is not None:
                detail = "a lifetime has no history: leave at out, or ask for a window size such as 1d"
                raise InvalidError("bad_window_size", detail, column="size")
            start = None
        else:
            size_s = _size_s(size)
            start = None if at is None else _down(at, size_s)
        found = await reads.ranking(size, column, start, rights.prefix, descending=descending, limit=limit)
        return Fleet(metric, unit, size, start, found)

    def _require(self) -> HistoryReads:
        if self._reads is None:
            detail = (
                "this deployment has no history store: set STREAM_HISTORY__URL to a PostgreSQL database for the "
                "workers and run `stream-app history`; windows that workers keep are at "
                "/api/v1/assets/{id}/windows/{size}"
            )
            raise NotConfiguredError("no_history_store", detail)
        return self._reads

    def _column(self, name: str) -> tuple[Column, str]:
        """Where a metric stands, and its unit."""
        found = _COLUMN.fullmatch(name)
        metric = None if found is None else self._metrics.get(found[1])
        if found is None or metric is None:
            detail = f"{name[:100]!r} is no metric: /api/v1/catalogue lists them"
            raise InvalidError("unknown_metric", detail, column="metric")
        place = None if found[2] is None else int(found[2])
        if metric.bins is None and place is None:
            return Column(found[1], None), metric.unit
        if metric.bins is None:
            raise InvalidError("unknown_metric", f"{found[1]} is one number: ask for {found[1]}", column="metric")
        if place is None or place >= metric.bins:
            detail = f"{found[1]} is a list: ask for {found[1]}.0 to {found[1]}.{metric.bins - 1}"
            raise InvalidError("unknown_metric", detail, column="metric")
        return Column(found[1], place), metric.unit


def _size_s(size: str) -> int:
    if size == LIFETIME:
        detail = "a lifetime has no history: ask for a window size such as 15m"
        raise InvalidError("bad_window_size", detail, column="size")
    return asked_size_s(size)


def _down(time: datetime, size_s: int) -> datetime:
    """Begin of the window that a time is in."""
    _require_plausible(time)
    return datetime.fromtimestamp(math.floor(time.timestamp() / size_s) * size_s, UTC)


def _up(time: datetime, size_s: int) -> datetime:
    _require_plausible(time)
    return datetime.fromtimestamp(math.ceil(time.timestamp() / size_s) * size_s, UTC)


def _require_plausible(time: datetime) -> None:
    if not _FIRST_YEAR <= time.year <= _LAST_YEAR:
        detail = f"{time.isoformat()} is not from {_FIRST_YEAR} to {_LAST_YEAR}, and no row is of another time"
        raise InvalidError("bad_time_range", detail, column="from")


def _step_s(start: datetime, end: datetime, size_s: int, points: int | None) -> int:
    windows = round((end - start).total_seconds() / size_s)
    if windows <= 0:
        detail = f"there is no window from {start.isoformat()} to {end.isoformat()}: let `from` be before `to`"
        raise InvalidError("bad_time_range", detail, column="from")
    most = _MOST_WINDOWS if points is not None else MOST_STEPS
    if windows > most:
        cure = "a larger size" if points is not None else "points, or for a larger size"
        detail = f"the time has {windows} windows, and an answer {most} at most: ask for {cure}, or a shorter time"
        raise InvalidError("bad_time_range", detail, column="from")
    return size_s * (1 if points is None else math.ceil(windows / points))


def _on_grid(at: Sequence[int], values: Sequence[float], steps: int) -> list[float | None]:
    """Values at their steps, and null at all others."""
    grid: list[float | None] = [None] * steps
    for step, value in zip(at, values, strict=True):
        grid[step] = value
    return grid
