"""Files that this worker is reading, or has read a while ago: how far it is with each."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Literal

Phase = Literal["waiting", "checking", "sending", "sent", "failed"]
#: Of workers that take the same key the one with the lowest claim has it: a count, as of Lamport's clocks, and chance.
Claim = tuple[int, str]

#: Uploads that are over and still told of: their tasks are in the tables by then.
_MOST_OVER: Final = 1000


@dataclass(frozen=True, slots=True)
class ReadingProgress:
    """How far the reading of a file is, as :class:`schemas.task.TaskProgress` describes."""

    phase: Phase
    percent: float
    bytes_read: int
    bytes: int
    rows_read: int | None
    rows_published: int
    digest: str | None = None
    claim: Claim | None = None


@dataclass(eq=False, slots=True)
class RunningUpload:
    """A file on its way into the log.

    Parameters
    ----------
    file
        The file, which is closed when it is over.
    size
        Of the file [bytes].
    rows
        Rows in it; None until all of it has been read.
    claim
        While it is not sure that this worker alone has taken its key; there is no such task yet. None: it is sure.
    """

    task_id: str
    file: BinaryIO
    size: int
    phase: Phase = "waiting"
    rows: int | None = None
    published: int = 0
    told: tuple[str, ...] = ()
    digest: str | None = None
    claim: Claim | None = None
    #: Whether nobody waits for the outcome: it is told by the task alone.
    is_detached: bool = False
    #: Why it was cancelled; "": it was not.
    cancelled: str = ""
    announced: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    task: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is read or sent any more."""
        return self.phase in ("sent", "failed")

    def progress(self) -> ReadingProgress:
        """How far it is: a file is read twice, to check it and to send it."""
        at = self.size if self.is_over else self._position()
        share = at / self.size if self.size else 1.0
        if self.phase == "sent":
            percent = 100.0
        elif self.phase == "sending":
            percent = 50 + 50 * (self.published / self.rows if self.rows else share)
        else:
            percent = 50 * share if self.phase == "checking" else 0.0
        return ReadingProgress(
            self.phase, round(percent, 1), at, self.size, self.rows, self.published, self.digest, self.claim
        )

    def _position(self) -> int:
        """How many bytes have been read in this pass."""
        if self.phase == "waiting":
            return 0
        try:
            return min(os.lseek(self.file.fileno(), 0, os.SEEK_CUR), self.size)
        except (OSError, ValueError):  # it is no file of the system, or closed
            return 0


class RunningUploads:
    """The uploads of this worker by task, those of a file's further assets too."""

    def __init__(self) -> None:
        self._by_task: OrderedDict[str, RunningUpload] = OrderedDict()
        self._newest_claim = 0

    def __iter__(self) -> Iterator[RunningUpload]:
        return iter(dict.fromkeys(self._by_task.values()))

    def get(self, task_id: str) -> RunningUpload | None:
        """The upload of a task; None: this worker does not read it."""
        found = self._by_task.get(task_id)
        return None if found is None or found.claim is not None else found

    def asked_for(self, task_id: str, claim: int = 0) -> RunningUpload | None:
        """The upload of a task, also while its key is being taken; ``claim``: another worker takes it."""
        self._newest_claim = max(self._newest_claim, claim)
        return self._by_task.get(task_id)

    def new_claim(self) -> Claim:
        """A claim above all that this worker has been asked about."""
        self._newest_claim += 1
        return self._newest_claim, uuid.uuid4().hex

    def add(self, task_id: str, upload: RunningUpload) -> None:
        """Note that an upload makes up a task."""
        self._by_task[task_id] = upload
        while len(self._by_task) > _MOST_OVER:
            over = next((name for name, each in self._by_task.items() if each.is_over), None)
            if over is None:
                break
            del self._by_task[over]

    def drop(self, task_id: str) -> None:
        """Forget an upload that is over: the log tells how it ended."""
        upload = self._by_task.get(task_id)
        if upload is not None and upload.is_over:
            self.remove(upload)

    def remove(self, upload: RunningUpload) -> None:
        """Forget an upload that never became a task."""
        for task_id in [name for name, each in self._by_task.items() if each is upload]:
            del self._by_task[task_id]

    @property
    def under_way(self) -> int:
        """Uploads that are not over."""
        return sum(not upload.is_over for upload in self)
