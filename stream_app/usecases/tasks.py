"""What became of an upload: a task is the asset that its rows make up.

An upload lives in the partition that the murmur2 hash of its key names, so one worker knows all of it. ``hop`` marks a
question of another worker, as in :mod:`stream_app.usecases.queries`.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from schemas.task import TaskState
from stream_app.domain.views import Readings
from stream_app.usecases.asset_views import AssetSummary
from stream_app.usecases.errors import NotFoundError
from stream_app.usecases.lookup import Lookup
from stream_app.usecases.ports import PeerAnswer

#: An upload is an asset of this name followed by its task id.
UPLOAD_PREFIX: Final = "upload-"

#: How many unknown tasks are remembered with the offset that settles whether they exist.
_REMEMBERED_TASKS: Final = 10_000


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """How far an upload is, in rows; ``rows_sent`` is None until its end is known."""

    rows_sent: int | None
    rows_applied: int
    rows_rejected: int


@dataclass(frozen=True, slots=True)
class Task:
    """State of one upload.

    Parameters
    ----------
    readings
        Metrics of the whole upload (the first window) once the task has succeeded.
    progress
        None while nothing of the upload is in the table.
    error
        Why the task failed.
    """

    task_id: str
    state: TaskState
    readings: Readings | None = None
    progress: TaskProgress | None = None
    error: str | None = None


class Tasks:
    """Look-ups of tasks; ``lookup`` knows the tables, the log and the other workers."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._settled_at: OrderedDict[str, int] = OrderedDict()

    async def task(self, task_id: str, *, hop: bool = False) -> Task | PeerAnswer:
        """Find the state of an upload.

        Raises
        ------
        NotFoundError
            There is no such task.
        UnavailableError
            The worker that would know does not answer.
        """
        unknown = NotFoundError("unknown_task", f"there is no task {task_id!r}: it never was, or it has been forgotten")
        try:
            task_id = str(uuid.UUID(task_id))
        except ValueError:
            raise unknown from None
        self._lookup.require_ready()
        partition = self._lookup.log.partition_of((UPLOAD_PREFIX + task_id).encode())
        if not self._owns(partition):
            return await self._there(task_id, partition, hop)
        if (task := self._here(task_id, partition)) is not None:
            return task
        # What was accepted before this question stands below the end of the log now. Once the table has come that far
        # without it, the task does not exist.
        if task_id not in self._settled_at:
            self._settled_at[task_id] = await self._lookup.log.end_offset(partition)
            if len(self._settled_at) > _REMEMBERED_TASKS:
                self._settled_at.popitem(last=False)
            if not self._owns(partition):
                raise self._lookup.unanswered({partition})
            if (task := self._here(task_id, partition)) is not None:
                return task
        if self._lookup.position(partition) < self._settled_at[task_id]:
            return Task(task_id, "PENDING")
        raise unknown

    def _owns(self, partition: int) -> bool:
        return partition in set(self._lookup.tables.partitions())

    async def _there(self, task_id: str, partition: int, hop: bool) -> PeerAnswer:
        cluster = self._lookup.cluster
        owner = cluster.owner(partition)
        if not hop and owner is not None and owner in cluster.peers():
            answer = await self._lookup.ask(owner, f"metrics/{task_id}")
            if answer is not None:
                return answer
        raise self._lookup.unanswered({partition})

    def _here(self, task_id: str, partition: int) -> Task | None:
        asset_id = UPLOAD_PREFIX + task_id
        value = self._lookup.tables.asset(partition, asset_id.encode())
        if value is None:
            return None
        view = self._lookup.views.asset(asset_id, value, wanted=_has_succeeded)
        summary, ended = view.summary, view.summary.ended
        state: TaskState = "STARTED"
        if ended is not None:
            state = "SUCCESS" if ended.error is None else "FAILURE"
        return Task(
            task_id=task_id,
            state=state,
            readings=view.readings,
            progress=TaskProgress(
                rows_sent=None if ended is None else ended.rows,
                rows_applied=summary.rows,
                rows_rejected=summary.rows_rejected,
            ),
            error=None if ended is None else ended.error,
        )


def _has_succeeded(summary: AssetSummary) -> bool:
    return summary.ended is not None and summary.ended.error is None
