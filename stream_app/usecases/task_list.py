"""All uploads, and what is done about one of them: cancelled, deleted."""

from __future__ import annotations

import asyncio
import heapq
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from schemas.asset import is_upload
from schemas.control import Forget
from schemas.task import TaskState
from stream_app.usecases.lookup import Lookup
from stream_app.usecases.ports import MeasurementLog, PeerAnswer
from stream_app.usecases.running_uploads import ReadingProgress, RunningUploads
from stream_app.usecases.tasks import UPLOAD_PREFIX, Task, Tasks, error_of, id_of, part_id
from stream_app.usecases.uploads import Uploads

_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class ListedTask:
    """One upload of a list, as :class:`schemas.task.TaskItem` describes."""

    task_id: str
    state: TaskState
    rows_applied: int
    rows_rejected: int
    ended: str | None
    error: str | None = None
    reading: ReadingProgress | None = None


@dataclass(frozen=True, slots=True)
class TaskList:
    """Uploads by task id, ascending, and the partitions that they are of."""

    tasks: list[ListedTask]
    next_cursor: str | None
    partitions: list[int]


class TaskLists:
    """Lists the uploads of all workers, and cancels and deletes them wherever they are."""

    def __init__(
        self, lookup: Lookup, tasks: Tasks, uploads: Uploads, running: RunningUploads, measurements: MeasurementLog
    ) -> None:
        self._lookup, self._tasks, self._uploads, self._running = lookup, tasks, uploads, running
        self._measurements = measurements

    async def page(self, *, cursor: str = "", limit: int, hop: bool = False) -> TaskList:
        """Uploads of all workers after ``cursor``; with ``hop`` those of this one.

        Raises
        ------
        UnavailableError
            Some partition could not be asked about.
        """
        lookup = self._lookup
        lookup.require_ready()
        pages = [await self._here(cursor, limit)]
        missing = set(range(lookup.cluster.partition_count())) - set(pages[0].partitions)
        if hop:
            return pages[0]
        for answer in await lookup.ask_all("metrics", {"cursor": cursor, "limit": str(limit)}):
            try:
                pages.append(msgspec.json.decode(answer.body, type=TaskList))
            except msgspec.MsgspecError:
                continue  # a problem, or a worker of an older release
            missing -= set(pages[-1].partitions)
        if missing:
            raise lookup.unanswered(missing)
        found: dict[str, ListedTask] = {}
        for task in (task for page in pages for task in page.tasks):
            # The worker that reads the file and the one that has its rows may be two.
            found[task.task_id] = _together(found[task.task_id], task) if task.task_id in found else task
        ids = sorted(found)
        has_more = len(ids) > limit or any(page.next_cursor for page in pages)
        return TaskList(
            [found[task_id] for task_id in ids[:limit]],
            ids[:limit][-1] if has_more else None,
            sorted({partition for page in pages for partition in page.partitions}),
        )

    async def _here(self, cursor: str, limit: int) -> TaskList:
        tables = self._lookup.tables
        partitions = sorted(tables.partitions())
        after = (UPLOAD_PREFIX + cursor).encode()
        found: dict[str, int | None] = {
            upload.task_id: None for upload in self._running if upload.announced and upload.task_id > cursor
        }
        for partition in partitions:
            keys = tables.asset_keys(partition, prefix=UPLOAD_PREFIX.encode(), after=after, limit=limit + 1)
            names = [key.decode() for key in keys]
            found |= {name.removeprefix(UPLOAD_PREFIX): partition for name in names if is_upload(name)}
        ids = heapq.nsmallest(limit, found)
        tasks = list[ListedTask]()
        for number, task_id in enumerate(ids):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            if (listed := self._listed(task_id, found[task_id])) is not None:
                tasks.append(listed)
        return TaskList(tasks, ids[-1] if len(found) > limit else None, partitions)

    def _listed(self, task_id: str, partition: int | None) -> ListedTask | None:
        """An upload; None: it is a receipt."""
        running = self._running.get(task_id)
        reading = None if running is None else running.progress()
        asset_id = UPLOAD_PREFIX + task_id
        value = None if partition is None else self._lookup.tables.asset(partition, asset_id.encode())
        if value is None:
            return ListedTask(task_id, "PENDING", 0, 0, None, None, reading)
        summary = self._lookup.views.summary(asset_id, value)
        if summary.ended is None:
            return ListedTask(task_id, "STARTED", summary.rows, summary.rows_rejected, None, None, reading)
        if summary.ended.rows == 0 and summary.ended.digest is not None:
            return None
        error = error_of(summary)
        ended = datetime.fromtimestamp((summary.ended_timestamp_ms or 0) / 1000, UTC)
        return ListedTask(
            task_id,
            "SUCCESS" if error is None else "FAILURE",
            summary.rows,
            summary.rows_rejected,
            f"{ended:%Y-%m-%dT%H:%M:%SZ}",
            error,
        )

    async def cancel(self, task_id: str) -> None:
        """Stop reading the file of a task, at whichever worker; a task that is over stays as it is.

        Raises
        ------
        NotFoundError, UnavailableError
            As :meth:`stream_app.usecases.tasks.Tasks.task`.
        """
        task_id = id_of(await self._tasks.task(task_id))
        if not await self._uploads.cancel(task_id):
            await self._lookup.ask_all(f"uploads/{task_id}", {"cancel": "true"})

    async def delete(self, task_id: str) -> None:
        """Cancel a task and forget it with all its assets.

        Raises
        ------
        NotFoundError, UnavailableError
            As :meth:`cancel`; the broker did not take it.
        """
        found = await self._tasks.task(task_id)
        await self.cancel(task_id)
        task_id = id_of(found)
        names = _names_of(found)[1:]
        for each in (*(part_id(task_id, name) for name in names), task_id):
            asset_id = UPLOAD_PREFIX + each
            await self._measurements.append(asset_id.encode(), [Forget(asset_id=asset_id).model_dump_json().encode()])
        self._running.drop(task_id)


def _names_of(found: Task | PeerAnswer) -> Sequence[str]:
    if isinstance(found, Task):
        return list(found.parts)
    assets = json.loads(found.body).get("assets") or []
    return [asset["asset_id"] for asset in assets]


def _together(one: ListedTask, other: ListedTask) -> ListedTask:
    """What two workers know of a task: how far its file is read, and what is in the tables."""
    known, reading = (one, other) if other.state == "PENDING" else (other, one)
    if known.reading is not None or known.ended is not None:
        return known
    return ListedTask(
        known.task_id, known.state, known.rows_applied, known.rows_rejected, known.ended, known.error, reading.reading
    )
