"""What became of an upload: a task is the asset that its rows make up.

An upload lives in the partition that the murmur2 hash of its key names, so one worker knows all of it. ``hop`` marks a
question of another worker, as in :mod:`stream_app.usecases.queries`.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from http import HTTPStatus
from typing import Final

import msgspec

from schemas.file import too_many_left_out
from schemas.task import TaskState
from stream_app.domain.views import Readings
from stream_app.usecases.asset_views import AssetSummary
from stream_app.usecases.errors import NotFoundError
from stream_app.usecases.lookup import Lookup
from stream_app.usecases.ports import PeerAnswer
from stream_app.usecases.running_uploads import ReadingProgress, RunningUploads

#: An upload is an asset of this name followed by its task id.
UPLOAD_PREFIX: Final = "upload-"

_UNKNOWN: Final = b'"unknown_task"'
_ID: Final = re.compile("[0-9a-f-]{36}")

#: How many unknown tasks are remembered with the offset that settles whether they exist.
_REMEMBERED_TASKS: Final = 10_000


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """How far an upload is, in rows; ``rows_sent`` is None until its end is known.

    ``reading`` is how far the file is read and sent; None where no worker reads it any more.
    """

    rows_sent: int | None
    rows_applied: int
    rows_rejected: int
    reading: ReadingProgress | None = None


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
    is_settled
        Whether all that is in the log of an upload is known; asked for only while it has not ended.
    digest
        Of what was sent, if it had an Idempotency-Key and has ended.
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
    is_settled: bool = True
    digest: str | None = None
    parts: Mapping[str, Task | PeerAnswer] = field(default_factory=dict)


class Tasks:
    """Look-ups of tasks; ``running`` are this worker's files."""

    def __init__(self, lookup: Lookup, running: RunningUploads) -> None:
        self._lookup, self._running = lookup, running
        self._settled_at: OrderedDict[str, int] = OrderedDict()

    async def task(self, task_id: str, *, hop: bool = False, anew: bool = False) -> Task | PeerAnswer:
        """Find the state of an upload, and while it is read how far that is.

        An upload that has no end, and that no worker reads, has failed: its worker was killed.

        Parameters
        ----------
        anew
            The task may have come since it was asked for last: what has settled then that there is none is forgotten.

        Raises
        ------
        NotFoundError
            There is no such task.
        UnavailableError
            The worker that would know does not answer.
        """
        try:
            found = await self._found(task_id, hop=hop, anew=anew)
        except NotFoundError:
            # Of a file under a known key the task is told before anything of it is in the log.
            if hop or not _ID.fullmatch(task_id):
                raise
            reading, _ = await self.reading(task_id)
            if reading is None or reading.phase == "failed":  # that it failed was in the log: it is forgotten
                raise
            return _with_reading(Task(task_id, "PENDING"), reading)
        if not isinstance(found, Task) and found.status != HTTPStatus.OK:
            return found
        is_over = (state := state_of(found)) in ("SUCCESS", "FAILURE")
        if is_over:
            self._running.drop(id_of(found))
        if hop or is_over:
            return found
        reading, is_certain = await self.reading(id_of(found))
        if reading is None and is_certain and state == "STARTED" and _is_settled(found):
            return _interrupted(found)
        return found if reading is None else _with_reading(found, reading)

    async def reading(self, task_id: str) -> tuple[ReadingProgress | None, bool]:
        """How far the file of a task is read, and whether all workers were asked if none reads it."""
        if (here := self._running.get(task_id)) is not None:
            return here.progress(), True
        found, is_certain = await self.readings_elsewhere(task_id)
        return next((reading for reading in found if reading.claim is None), None), is_certain

    async def readings_elsewhere(self, task_id: str, claim: int = 0) -> tuple[list[ReadingProgress], bool]:
        """What the others read of a task, or claim, and whether all were asked; ``claim``: this one takes its key."""
        peers = self._lookup.cluster.peers()
        answers = await self._lookup.ask_all(f"uploads/{task_id}", {"claim": str(claim)} if claim else {})
        found = [msgspec.json.decode(a.body, type=ReadingProgress) for a in answers if a.status == HTTPStatus.OK]
        # A worker of an older release does not know the question.
        unknown = sum(a.status == HTTPStatus.NOT_FOUND and _UNKNOWN in a.body for a in answers)
        return found, len(found) + unknown == len(peers)

    async def _found(self, task_id: str, *, hop: bool = False, anew: bool = False) -> Task | PeerAnswer:
        unknown = NotFoundError("unknown_task", f"there is no task {task_id!r}: it never was, or it has been forgotten")
        try:
            task_id = str(uuid.UUID(task_id))
        except ValueError:
            raise unknown from None
        self._lookup.require_ready()
        partition = self._lookup.log.partition_of((UPLOAD_PREFIX + task_id).encode())
        if not self._owns(partition):
            return await self._there(task_id, partition, hop, anew=anew)
        if anew:
            self._settled_at.pop(task_id, None)
        if (task := self._here(task_id, partition)) is not None:
            if task.state == "STARTED":
                end = await self._lookup.log.end_offset(partition)
                task = replace(task, is_settled=self._lookup.position(partition) >= end)
            return await self._whole(task)
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
        others = [await self._found(part_id(task.task_id, name)) for name in names[1:]]
        parts = dict(zip(names, [replace(task, parts={}), *others], strict=True))
        outcomes = [(part.state, part.error) if isinstance(part, Task) else outcome_of(part) for part in parts.values()]
        states = {state for state, _ in outcomes}
        state: TaskState = "FAILURE" if "FAILURE" in states else "SUCCESS" if states == {"SUCCESS"} else "STARTED"
        error = next((error for _, error in outcomes if error is not None), None)
        return replace(task, state=state, error=error, readings=None, progress=None, parts=parts)

    def _owns(self, partition: int) -> bool:
        return partition in set(self._lookup.tables.partitions())

    async def _there(self, task_id: str, partition: int, hop: bool, *, anew: bool) -> PeerAnswer:
        cluster = self._lookup.cluster
        owner = cluster.owner(partition)
        if not hop and owner is not None and owner in cluster.peers():
            answer = await self._lookup.ask(owner, f"metrics/{task_id}", {"anew": "true"} if anew else {})
            if answer is not None:
                outcome_of(answer)  # NotFoundError: there is none
                return answer
        raise self._lookup.unanswered({partition})

    def _here(self, task_id: str, partition: int) -> Task | None:
        asset_id = UPLOAD_PREFIX + task_id
        value = self._lookup.tables.asset(partition, asset_id.encode())
        if value is None:
            return None
        view = self._lookup.views.asset(asset_id, value, wanted=_has_succeeded)
        summary, ended = view.summary, view.summary.ended
        state: TaskState = "STARTED" if ended is None else "SUCCESS" if error_of(summary) is None else "FAILURE"
        task = Task(
            task_id=task_id,
            state=state,
            readings=view.readings,
            progress=TaskProgress(
                rows_sent=None if ended is None else ended.rows,
                rows_applied=summary.rows,
                rows_rejected=summary.rows_rejected,
            ),
            error=error_of(summary),
        )
        if ended is None:
            return task
        return replace(task, warnings=ended.warnings, digest=ended.digest, parts=dict.fromkeys(ended.assets, task))


def state_of(found: Task | PeerAnswer) -> TaskState:
    """State of a task. NotFoundError: another worker says that there is none."""
    return found.state if isinstance(found, Task) else outcome_of(found)[0]


def id_of(found: Task | PeerAnswer) -> str:
    """Id of a task."""
    return found.task_id if isinstance(found, Task) else str(json.loads(found.body)["task_id"])


def _is_settled(found: Task | PeerAnswer) -> bool:
    return found.is_settled if isinstance(found, Task) else bool(json.loads(found.body).get("is_settled"))


def _interrupted(found: Task | PeerAnswer) -> Task | PeerAnswer:
    """The task as one whose file nobody reads any more."""

    def error(rows: int) -> str:
        return f"its worker was killed; {rows} of its rows count: send the file again, under another key if it had one"

    if isinstance(found, Task):
        rows = 0 if found.progress is None else found.progress.rows_applied
        return replace(found, state="FAILURE", error=error(rows))
    content = json.loads(found.body)
    rows = (content.get("progress") or {}).get("rows_applied", 0)
    return replace(found, body=json.dumps(content | {"state": "FAILURE", "error": error(rows)}).encode())


def _with_reading(found: Task | PeerAnswer, reading: ReadingProgress) -> Task | PeerAnswer:
    """The task with how far its file is read."""
    if isinstance(found, Task):
        progress = found.progress or TaskProgress(None, 0, 0)
        return replace(found, progress=replace(progress, reading=reading))
    content = json.loads(found.body)
    progress_ = content.get("progress") or {"rows_sent": None, "rows_applied": 0, "rows_rejected": 0}
    return replace(found, body=json.dumps(content | {"progress": progress_ | {"reading": asdict(reading)}}).encode())


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
    return summary.ended is not None and error_of(summary) is None


def error_of(summary: AssetSummary) -> str | None:
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
