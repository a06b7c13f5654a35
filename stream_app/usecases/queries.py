"""Look-ups of assets and their windows: reads the tables, writes nothing.

Every method returns an answer of this worker, or a :class:`PeerAnswer` to be passed on as it is; it raises
NotFoundError only when that is certain, and UnavailableError while it cannot be told. ``hop`` marks a question of
another worker: it is answered from this worker's tables alone.
"""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from schemas.asset import AssetSpec
from stream_app.domain.views import Readings
from stream_app.usecases import window_keys
from stream_app.usecases.asset_views import AssetView
from stream_app.usecases.errors import InvalidError, NotFoundError, UnavailableError
from stream_app.usecases.lookup import AssetFreshness, Local, Lookup, given
from stream_app.usecases.ports import PeerAnswer
from stream_app.usecases.rejected_rows import AssetRejects
from stream_app.usecases.spans import KeptWindows, SpanRead, span_of
from stream_app.usecases.window_sizes import asked_size_s, require_size

#: How long an answer waits for the asker's own writes: less than what another worker is given to answer.
_READ_YOUR_WRITES_S = 1.5
_READ_YOUR_WRITES_POLL_S = 0.02

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: As in the keys of windows.
_WINDOW_CURSOR: Final = re.compile("[0-9]{20}")

#: Windows that are read before others have the event loop: a few ms.
_WINDOWS_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Windows that begin at ``start`` or later and before ``end``; None: whenever.

    Raises
    ------
    InvalidError
        No time is between the two.
    """

    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise InvalidError("bad_time_range", "`from` is not before `to`: no window is between them", column="from")

    def keys(self, prefix: bytes, keys: Sequence[bytes]) -> tuple[int, int]:
        """Where the keys of these windows begin and end in sorted ones."""
        begin = 0 if self.start is None else bisect_left(keys, window_keys.window_key(prefix, _us(self.start)))
        end = len(keys) if self.end is None else bisect_left(keys, window_keys.window_key(prefix, _us(self.end)))
        return begin, end

    def has(self, start_us: int) -> bool:
        """Whether a window begins in it."""
        return (self.start is None or start_us >= _us(self.start)) and (self.end is None or start_us < _us(self.end))

    def params(self) -> dict[str, str]:
        """As parameters of a question."""
        named = (("from", self.start), ("to", self.end))
        return {name: moment.isoformat() for name, moment in named if moment is not None}


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class AssetFound:
    """One asset of this worker; ``span`` was asked for if it is not None."""

    view: AssetView
    rejected: AssetRejects | None
    meta: AssetFreshness
    span: SpanRead | None


@dataclass(frozen=True, slots=True)
class SpecFound:
    """The spec in force of one asset of this worker."""

    asset_id: str
    spec: AssetSpec
    meta: AssetFreshness


@dataclass(frozen=True, slots=True)
class WindowsFound:
    """Windows of one size; ``next_cursor`` leads to older ones.

    Parameters
    ----------
    size, size_us
        The size as it was asked for, and in microseconds.
    closed
        Closed windows, some at a time, ascending by start.
    view
        The asset, on the newest page, which ends with its open window if there is one; None on older pages.
    """

    asset_id: str
    size: str
    size_us: int
    closed: Sequence[Readings]
    view: AssetView | None
    next_cursor: str | None
    meta: AssetFreshness
    time: TimeRange

    def open_windows(self) -> list[bool]:
        """Which of the view's windows stand at the end of the page."""
        readings = None if self.view is None else self.view.readings
        if readings is None:
            return []
        windows = readings.windows
        each = zip(windows.size_us.tolist(), windows.start_us.tolist(), strict=True)
        return [size_us == self.size_us and self.time.has(start_us) for size_us, start_us in each]


_ALL_TIME: Final = TimeRange()


class Queries:
    """Look-ups of assets and windows.

    Parameters
    ----------
    lookup
        Finds where an asset lives.
    windows
        Names of the window sizes of an asset whose spec names none.
    kept_windows
        Closed windows that the tables keep.
    """

    def __init__(self, lookup: Lookup, windows: Sequence[str], kept_windows: KeptWindows) -> None:
        self._lookup = lookup
        self._tables, self._cluster, self._views = lookup.tables, lookup.cluster, lookup.views
        self._windows, self._kept_windows = windows, kept_windows

    async def asset(
        self,
        asset_id: str,
        *,
        span: str | None = None,
        metrics: str | None = None,
        min_offset: int | None = None,
        hop: bool = False,
    ) -> AssetFound | PeerAnswer:
        """One asset with its lifetime and open windows; waits a moment for ``min_offset`` to be included.

        ``metrics`` is passed on to the worker that answers: which ones the answer shows.

        InvalidError: of the windows that the asset has and the tables keep, none make the ``span``.
        """
        path, params = f"assets/{quote(asset_id, safe='')}", given(span=span, metrics=metrics)
        found = await self._find(asset_id, path, params, min_offset, hop=hop, with_metrics=True)
        if isinstance(found, PeerAnswer):
            return found
        read = None if span is None else self._span(found, asset_id, span)
        return AssetFound(found.view, self._lookup.rejected(found), self._lookup.freshness(found), read)

    def _span(self, local: Local, asset_id: str, size: str) -> SpanRead | None:
        span = span_of(size, local.summary.spec.windows or self._windows, self._kept_windows)
        value = self._tables.asset(local.partition, asset_id.encode())
        stored = self._tables.windows(local.partition, window_keys.size_prefix(asset_id, span.pane_s))
        return None if value is None else self._views.span(asset_id, value, span, stored)

    async def spec(self, asset_id: str, *, min_offset: int | None = None, hop: bool = False) -> SpecFound | PeerAnswer:
        """Return the spec in force; waits a moment for ``min_offset`` to be included."""
        path = f"assets/{quote(asset_id, safe='')}/spec"
        found = await self._find(asset_id, path, {}, min_offset, hop=hop, with_metrics=False)
        if isinstance(found, PeerAnswer):
            return found
        return SpecFound(asset_id, found.summary.spec, self._lookup.freshness(found))

    async def _find(
        self, asset_id: str, path: str, asked: dict[str, str], least: int | None, *, hop: bool, with_metrics: bool
    ) -> Local | PeerAnswer:
        """Find an asset; with ``least`` as its partition is once that source offset is included."""
        if least is None:
            return await self._lookup.find(asset_id, path, asked, hop=hop, with_metrics=with_metrics)
        params = {**asked, "min_offset": str(least)}
        deadline = asyncio.get_running_loop().time() + _READ_YOUR_WRITES_S
        while True:
            late = asyncio.get_running_loop().time() >= deadline
            try:
                found = await self._lookup.find(asset_id, path, params, hop=hop, with_metrics=with_metrics)
            except NotFoundError:
                if hop or late:  # of another worker only the one that has the asset waits
                    raise
            else:
                if isinstance(found, PeerAnswer) or self._lookup.position(found.partition) > least:
                    return found
                if await self._lookup.log.end_offset(found.partition) <= least:
                    detail = f"nothing is written at offset {least} of partition {found.partition} yet"
                    raise InvalidError("offset_beyond_end", detail, column="min_offset")
                if late:
                    detail = f"offset {least} of partition {found.partition} is not processed yet: ask again"
                    raise UnavailableError("not_processed_yet", detail)
            await asyncio.sleep(_READ_YOUR_WRITES_POLL_S)

    async def windows(
        self,
        asset_id: str,
        size: str,
        *,
        limit: int,
        cursor: str | None = None,
        time: TimeRange = _ALL_TIME,
        metrics: str | None = None,
        hop: bool = False,
    ) -> WindowsFound | PeerAnswer:
        """Return the newest ``limit`` closed windows before ``cursor``; without a cursor the open window too.

        ``metrics`` is passed on, as by :meth:`asset`.
        """
        size_s = asked_size_s(size)
        if cursor is not None and _WINDOW_CURSOR.fullmatch(cursor) is None:
            raise InvalidError("bad_cursor", "the cursor is none of these pages: use next_cursor", column="cursor")
        path = f"assets/{quote(asset_id, safe='')}/windows/{size}"
        params = {"limit": str(limit)} | given(cursor=cursor, metrics=metrics) | time.params()
        found = await self._lookup.find(asset_id, path, params, hop=hop, with_metrics=cursor is None)
        if isinstance(found, PeerAnswer):
            return found
        closed, next_cursor = await self._closed(found, asset_id, size_s, limit, cursor, time)
        page = WindowsFound(
            asset_id=asset_id,
            size=size,
            size_us=size_s * 1_000_000,
            closed=closed,
            view=found.view if cursor is None else None,
            next_cursor=next_cursor,
            meta=self._lookup.freshness(found),
            time=time,
        )
        if not closed and not any(page.open_windows()):
            require_size(asset_id, size, found.summary.spec.windows or self._windows)
        return page

    async def _closed(
        self, local: Local, asset_id: str, size_s: int, limit: int, cursor: str | None, time: TimeRange
    ) -> tuple[list[Readings], str | None]:
        # Keys are the prefix and the start of the window, so the part behind the prefix is the cursor.
        prefix = window_keys.size_prefix(asset_id, size_s)
        values = self._tables.windows(local.partition, prefix)
        keys = list(values)
        first, end = time.keys(prefix, keys)
        if cursor is not None:
            end = max(first, min(end, bisect_left(keys, prefix + cursor.encode())))
        begin = max(first, end - limit)
        parts = []
        for at in range(begin, end, _WINDOWS_AT_ONCE):
            stored = [(key, values[key]) for key in keys[at : min(at + _WINDOWS_AT_ONCE, end)]]
            parts.append(self._views.windows(asset_id, size_s, stored))
            await asyncio.sleep(0)
        return parts, keys[begin][len(prefix) :].decode() if begin > first else None
