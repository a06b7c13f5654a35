"""What became of an upload: a task is the asset that its rows make up.

An upload lives in the partition that the murmur2 hash of its key names, so one worker knows all of it. ``hop`` marks a
question of another worker, as in :mod:`stream_app.usecases.queries`.
"""

from __future__ import annotations

import json
import uuid
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final

from schemas.file import too_many_left_out
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
    warnings
        What there was to say about the file.
    parts
        Of a file with several assets: their tasks, by the file's names of the assets; a worker's answer where it lives
        with another one.
    """

    task_id: str
    state: TaskState
    readings: Readings | None = None
    progress: TaskProgress | None = None
    error: str | None = None
    warnings: Sequence[str] = ()
    parts: Mapping[str, Task | PeerAnswer] = field(default_factory=dict)


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
            return await self._whole(task)
        # What was accepted before this question stands below the end of the log now. Once the table has come that far
        # without it, the task does not exist.
        if task_id not in self._settled_at:
            self._settled_at[task_id] = await self._lookup.log.end_offset(partition)
            if len(self._settled_at) > _REMEMBERED_TASKS:
                self._settled_at.popitem(last=False)
            if not self._owns(partition):
                raise self._lookup.unanswered({partition})
            if (task := self._here(task_id, partition)) is not None:
                return await self._whole(task)
        if self._lookup.position(partition) < self._settled_at[task_id]:
            return Task(task_id, "PENDING")
        raise unknown

    async def _whole(self, task: Task) -> Task:
        """The task, with those of the file's other assets, if it has any."""
        if len(task.parts) < 2:
            return task
        names = list(task.parts)
        others = [await self.task(part_id(task.task_id, name)) for name in names[1:]]
        parts = dict(zip(names, [replace(task, parts={}), *others], strict=True))
        outcomes = [(part.state, part.error) if isinstance(part, Task) else outcome_of(part) for part in parts.values()]
        states = {state for state, _ in outcomes}
        state: TaskState = "FAILURE" if "FAILURE" in states else "SUCCESS" if states == {"SUCCESS"} else "STARTED"
        error = next((error for _, error in outcomes if error is not None), None)
        return replace(task, state=state, error=error, readings=None, progress=None, parts=parts)

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
            state = "SUCCESS" if _error_of(summary) is None else "FAILURE"
        task = Task(
            task_id=task_id,
            state=state,
            readings=view.readings,
            progress=TaskProgress(
                rows_sent=None if ended is None else ended.rows,
                rows_applied=summary.rows,
                rows_rejected=summary.rows_rejected,
            ),
            error=_error_of(summary),
        )
        if ended is None:
            return task
        return replace(task, warnings=ended.warnings, parts=dict.fromkeys(ended.assets, task))


def part_id(task_id: str, asset: str) -> str:
    """Task of an asset beside the first, in a file of several."""
    return str(uuid.uuid5(uuid.UUID(task_id), asset))


def outcome_of(answer: PeerAnswer) -> tuple[TaskState, str | None]:
    """State of the task in another worker's answer, and why it has failed.

    Raises
    ------
    NotFoundError
        There is no such task: it has been forgotten.
    """
    content = json.loads(answer.body)
    if answer.status == HTTPStatus.NOT_FOUND:
        raise NotFoundError("unknown_task", content.get("detail", "there is no such task"))
    return content.get("state", "STARTED"), content.get("error")


def _has_succeeded(summary: AssetSummary) -> bool:
    return summary.ended is not None and _error_of(summary) is None


def _error_of(summary: AssetSummary) -> str | None:
    """Why an upload has failed."""
    ended = summary.ended
    if ended is None or ended.error is not None:
        return None if ended is None else ended.error
    left_out = summary.rows_rejected
    if ended.allow_rejected or not too_many_left_out(left_out, summary.rows + left_out):
        return None
    share = left_out / (summary.rows + left_out)
    return (
        f"{left_out} of {summary.rows + left_out} rows were left out ({share:.1%}), since they came too late or their "
        "times are not plausible: allow_rejected in the spec accepts that"
    )
