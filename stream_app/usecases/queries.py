"""The query side: reads the tables, writes nothing.

Every method returns an answer of this worker, or a :class:`PeerAnswer` to be passed on as it is; it raises
NotFoundError only when that is certain, and UnavailableError while it cannot be told. ``hop`` marks a question of
another worker: it is answered from this worker's tables alone.
"""

from __future__ import annotations

import asyncio
import heapq
import uuid
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from pydantic import ValidationError

from schemas.asset import AssetSpec, window_size_name, window_size_s
from schemas.lookup import AnswerMeta, AssetItem, AssetMeta, AssetPage
from schemas.metrics import MetricsUpdate
from schemas.task import TaskData, TaskProgress, TaskState, TaskStatus
from stream_app.domain.snapshot import Marker
from stream_app.usecases.asset_views import AssetSummary
from stream_app.usecases.errors import InvalidError, NotFoundError, UnavailableError
from stream_app.usecases.lookup import Local, Lookup
from stream_app.usecases.ports import MARKER_KEY, PeerAnswer

#: An upload is an asset of this name followed by its task id.
UPLOAD_PREFIX = "upload-"

#: How many unknown tasks are remembered with the offset that settles whether they exist.
_REMEMBERED_TASKS = 10_000

#: How long an answer waits for the asker's own writes: less than what another worker is given to answer.
_READ_YOUR_WRITES_S = 1.5
_READ_YOUR_WRITES_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class AssetFound:
    """One asset of this worker: its summary, lifetime first among its updates, then the open windows."""

    summary: AssetSummary
    updates: Sequence[MetricsUpdate]
    meta: AssetMeta


@dataclass(frozen=True, slots=True)
class WindowsFound:
    """Windows of one size, ascending by start; ``next_cursor`` leads to older ones."""

    asset_id: str
    size: str
    windows: Sequence[MetricsUpdate]
    next_cursor: str | None
    meta: AssetMeta


class Queries:
    """Look-ups of assets, windows, tasks and the catalogue.

    Parameters
    ----------
    lookup
        Finds where an asset lives.
    windows
        Names of the window sizes of an asset whose spec names none.
    """

    def __init__(self, lookup: Lookup, windows: Sequence[str]) -> None:
        self._lookup = lookup
        self._tables, self._cluster = lookup.tables, lookup.cluster
        self._presenter = lookup.presenter
        self._windows = windows
        self._settled_at: OrderedDict[str, int] = OrderedDict()

    async def asset(
        self, asset_id: str, *, min_offset: int | None = None, hop: bool = False
    ) -> AssetFound | PeerAnswer:
        """One asset with its lifetime and open windows; waits a moment for ``min_offset`` to be included."""
        found = await self._find(asset_id, f"assets/{quote(asset_id, safe='')}", min_offset, hop=hop)
        if isinstance(found, PeerAnswer):
            return found
        return AssetFound(found.summary, self._presenter.asset(asset_id, found.value), self._lookup.meta(found))

    async def spec(
        self, asset_id: str, *, min_offset: int | None = None, hop: bool = False
    ) -> tuple[AssetSpec, AssetMeta] | PeerAnswer:
        """Return the spec in force; waits a moment for ``min_offset`` to be included."""
        found = await self._find(asset_id, f"assets/{quote(asset_id, safe='')}/spec", min_offset, hop=hop)
        return found if isinstance(found, PeerAnswer) else (found.summary.spec, self._lookup.meta(found))

    async def _find(self, asset_id: str, path: str, min_offset: int | None, *, hop: bool) -> Local | PeerAnswer:
        """Find an asset; with ``min_offset`` as its partition is once that source offset is included."""
        if min_offset is None:
            return await self._lookup.find(asset_id, path, hop=hop)
        deadline = asyncio.get_running_loop().time() + _READ_YOUR_WRITES_S
        while True:
            late = asyncio.get_running_loop().time() >= deadline
            try:
                found = await self._lookup.find(asset_id, path, {"min_offset": str(min_offset)}, hop=hop)
            except NotFoundError:
                if hop or late:  # of another worker only the one that has the asset waits
                    raise
            else:
                if isinstance(found, PeerAnswer) or self._position(found.partition) > min_offset:
                    return found
                if late:
                    detail = f"offset {min_offset} of partition {found.partition} is not processed yet: ask again"
                    raise UnavailableError("not_processed_yet", detail)
            await asyncio.sleep(_READ_YOUR_WRITES_POLL_S)

    def _position(self, partition: int) -> int:
        """Next source offset that the tables do not include."""
        marker = self._tables.asset(partition, MARKER_KEY)
        return 0 if marker is None else Marker.load(marker).position

    async def windows(
        self, asset_id: str, size: str, *, limit: int, cursor: str | None = None, hop: bool = False
    ) -> WindowsFound | PeerAnswer:
        """Return the newest ``limit`` closed windows before ``cursor``; without a cursor the open window too."""
        try:
            size_s = window_size_s(size)
        except ValueError as error:
            raise InvalidError("bad_window_size", str(error), column="size") from None
        path = f"assets/{quote(asset_id, safe='')}/windows/{size}"
        params = {"limit": str(limit)} | ({} if cursor is None else {"cursor": cursor})
        found = await self._lookup.find(asset_id, path, params, hop=hop)
        if isinstance(found, PeerAnswer):
            return found
        closed, next_cursor = await self._closed(found, asset_id, size_s, limit, cursor)
        opened: list[MetricsUpdate] = []
        if cursor is None:
            name = window_size_name(size_s)
            opened = [u for u in self._presenter.asset(asset_id, found.value)[1:] if u.window.size == name]
        sizes = found.summary.spec.windows or tuple(self._windows)
        if not closed and not opened and size_s not in map(window_size_s, sizes):
            detail = f"asset {asset_id!r} has no {size} windows, but {', '.join(sizes)}"
            raise NotFoundError("unknown_window_size", detail)
        return WindowsFound(asset_id, size, [*closed, *opened], next_cursor, self._lookup.meta(found))

    async def _closed(
        self, local: Local, asset_id: str, size_s: int, limit: int, cursor: str | None
    ) -> tuple[list[MetricsUpdate], str | None]:
        # Keys are the prefix and the start of the window, so the part behind the prefix is the cursor.
        prefix = self._presenter.window_prefix(asset_id, size_s)
        values = self._tables.windows(local.partition, prefix)
        keys = list(values)
        end = len(keys) if cursor is None else bisect_left(keys, prefix + cursor.encode())
        begin = max(0, end - limit)
        updates = []
        for key in keys[begin:end]:
            updates.append(self._presenter.window(key, values[key]))
            await asyncio.sleep(0)  # each takes a ms or two: let others have the loop
        return updates, keys[begin][len(prefix) :].decode() if begin else None

    async def assets(self, *, prefix: str = "", cursor: str = "", limit: int, hop: bool = False) -> AssetPage:
        """Assets of all workers whose id begins with ``prefix`` and follows ``cursor``, ascending."""
        self._lookup.require_ready()
        missing = set(range(self._cluster.partition_count()))
        pages = [await self._assets_here(prefix, cursor, limit)]
        missing -= set(pages[0].partitions)
        if hop:
            return pages[0]
        if missing:
            params = {"prefix": prefix, "cursor": cursor, "limit": str(limit)}
            for answer in await self._lookup.ask_all("assets", params):
                try:
                    page = AssetPage.model_validate_json(answer.body)
                except ValidationError:
                    continue
                pages.append(page)
                missing -= set(page.partitions)
            if missing:
                raise self._lookup.unanswered(missing)
        return self._merged(pages, limit)

    async def _assets_here(self, prefix: str, cursor: str, limit: int) -> AssetPage:
        partitions = sorted(self._tables.partitions())
        first, after = prefix.encode(), cursor.encode()
        keys: set[bytes] = set()
        for partition in partitions:
            fitting = (k for k in self._tables.asset_keys(partition) if k > after and k.startswith(first))
            keys.update(heapq.nsmallest(limit + 1, fitting))
        # Read at one moment, worked out with pauses: summaries of a long page would hold the loop up.
        page = [(key.decode(), self._lookup.stored(key)) for key in heapq.nsmallest(limit, keys)]
        items = []
        for asset_id, stored in page:
            partition, summary = max(
                ((partition, self._presenter.summary(asset_id, value)) for partition, value in stored),
                key=lambda found: found[1].rows,
            )
            items.append(
                AssetItem(asset_id=asset_id, partition=partition, rows=summary.rows, last_time=summary.last_time)
            )
            await asyncio.sleep(0)
        lags = [self._cluster.lag(partition) for partition in partitions]
        lag = None if None in lags else sum(lag for lag in lags if lag is not None)
        return AssetPage(
            assets=items,
            next_cursor=items[-1].asset_id if len(keys) > limit else None,
            partitions=partitions,
            meta=AnswerMeta(owner=self._lookup.url, seq=None, lag=lag, stale=lag != 0),
        )

    def _merged(self, pages: Sequence[AssetPage], limit: int) -> AssetPage:
        best: dict[str, AssetItem] = {}
        for item in (item for page in pages for item in page.assets):
            if item.asset_id not in best or best[item.asset_id].rows < item.rows:
                best[item.asset_id] = item
        ids = sorted(best)[:limit]
        more = len(best) > limit or any(page.next_cursor for page in pages)
        lags = [page.meta.lag for page in pages]
        lag = None if None in lags else sum(lag for lag in lags if lag is not None)
        return AssetPage(
            assets=[best[asset_id] for asset_id in ids],
            next_cursor=ids[-1] if more else None,
            partitions=sorted({p for page in pages for p in page.partitions}),
            meta=AnswerMeta(owner=self._lookup.url, seq=None, lag=lag, stale=lag != 0),
        )

    async def task(self, task_id: str, *, hop: bool = False) -> TaskStatus | PeerAnswer:
        """State of an upload. Uploads live in the partition that their key's murmur2 hash names."""
        unknown = NotFoundError("unknown_task", f"there is no task {task_id!r}: it never was, or it has been forgotten")
        try:
            task_id = str(uuid.UUID(task_id))
        except ValueError:
            raise unknown from None
        self._lookup.require_ready()
        partition = self._lookup.log.partition_of((UPLOAD_PREFIX + task_id).encode())
        if not self._owns(partition):
            return await self._task_there(task_id, partition, hop)
        if (status := self._task_here(task_id, partition)) is not None:
            return status
        # Whatever was accepted before this question stands below the end of the log now. Once the table has come that
        # far without it, the task does not exist.
        if task_id not in self._settled_at:
            self._settled_at[task_id] = await self._lookup.log.end_offset(partition)
            if len(self._settled_at) > _REMEMBERED_TASKS:
                self._settled_at.popitem(last=False)
            if not self._owns(partition):
                raise self._lookup.unanswered({partition})
            if (status := self._task_here(task_id, partition)) is not None:
                return status
        if self._position(partition) < self._settled_at[task_id]:
            return TaskStatus(task_id=task_id, state="PENDING")
        raise unknown

    def _owns(self, partition: int) -> bool:
        return partition in set(self._tables.partitions())

    async def _task_there(self, task_id: str, partition: int, hop: bool) -> PeerAnswer:
        owner = self._cluster.owner(partition)
        if not hop and owner is not None and owner in self._cluster.peers():
            answer = await self._lookup.ask(owner, f"metrics/{task_id}")
            if answer is not None:
                return answer
        raise self._lookup.unanswered({partition})

    def _task_here(self, task_id: str, partition: int) -> TaskStatus | None:
        asset_id = UPLOAD_PREFIX + task_id
        value = self._tables.asset(partition, asset_id.encode())
        if value is None:
            return None
        summary = self._presenter.summary(asset_id, value)
        state: TaskState = "STARTED"
        data, error = None, None
        if summary.ended is not None:
            error = summary.ended.error
            state = "SUCCESS" if error is None else "FAILURE"
        if state == "SUCCESS":
            metrics = self._presenter.asset(asset_id, value)[0].metrics
            data = TaskData.model_validate(
                {
                    "rte": metrics["rte_v1"].value,
                    "c_rate": metrics["c_rate_v1"].value,
                    "total_data_points": metrics["total_data_points"].value,
                    "metrics": metrics,
                }
            )
        progress = TaskProgress(
            rows_sent=None if summary.ended is None else summary.ended.rows,
            rows_applied=summary.rows,
            rows_rejected=summary.rows_rejected,
        )
        return TaskStatus(task_id=task_id, state=state, data=data, progress=progress, error=error)
