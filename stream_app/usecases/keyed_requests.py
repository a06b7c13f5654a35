"""Requests with an ``Idempotency-Key``: the same one again counts once, at whichever worker, also after a restart.

What becomes of the request is kept as an upload is: under an id that follows from the key and from who sends it, in the
log and in the tables, until uploads are forgotten. Its end holds a digest of the body.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import BinaryIO, Final

from schemas.task import TaskState
from stream_app.usecases.errors import ConflictError, NotFoundError, UnavailableError
from stream_app.usecases.rights import current_rights
from stream_app.usecases.running_uploads import Claim, RunningUpload, RunningUploads
from stream_app.usecases.tasks import Task, Tasks, state_of

_NAMES: Final = uuid.UUID("7f8f4d5e-6b1c-4c57-9a53-2f0a6f2f3f55")
#: How long a request waits until it is certain whether there was one before it: the tables follow the log in about the
#: time between two checkpoints.
_PATIENCE_S: Final = 5.0
_POLL_S: Final = 0.05
_DIGEST_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Before:
    """What has become of the request that came before; ``told`` is what was noted of it."""

    state: TaskState
    told: tuple[str, ...]


class KeyedRequests:
    """Finds what became of a key, or takes it.

    Workers that get one new key at the same moment agree on who has it, as in Ricart and Agrawala's algorithm: each
    notes its claim, then asks the others; the lowest claim has the key, and the others wait for what becomes of it.
    """

    def __init__(self, tasks: Tasks, running: RunningUploads) -> None:
        self._tasks, self._running = tasks, running

    async def take(self, upload: RunningUpload) -> Before | None:
        """Take the key of an upload, which has its id and digest: it is running then, and no other worker has it.

        Returns what became of the request that came before instead, if there was one.

        Raises
        ------
        ConflictError
            It had another body.
        UnavailableError
            It cannot be told now.
        """
        loop = asyncio.get_running_loop()
        end_s = loop.time() + _PATIENCE_S
        while (here := self._running.asked_for(upload.task_id)) is not None:
            _require_same(here.digest, upload.digest)
            if here.claim is None:
                return Before("STARTED", ())
            await _pause(end_s)
        upload.claim = self._running.new_claim()
        self._running.add(upload.task_id, upload)
        is_taken = False
        try:
            before = await self._before(upload, upload.claim, end_s)
            is_taken = before is None
        finally:
            upload.claim = None
            if not is_taken:
                self._running.remove(upload)
        return before

    async def _before(self, upload: RunningUpload, claim: Claim, end_s: float) -> Before | None:
        while True:
            readings, is_certain = await self._tasks.readings_elsewhere(upload.task_id, claim[0])
            for reading in readings:
                _require_same(reading.digest, upload.digest)
            if any(reading.claim is None for reading in readings):
                return Before("STARTED", ())
            if not any(reading.claim < claim for reading in readings if reading.claim is not None):
                break
            await _pause(end_s)
        anew = True
        while True:
            try:
                found = await self._tasks.task(upload.task_id, anew=anew)
                state = state_of(found)
            except NotFoundError:
                if not is_certain:
                    raise UnavailableError("owner_unreachable", "a worker does not answer: ask again") from None
                return None
            if state != "PENDING":
                break
            anew = False
            await _pause(end_s)
        if isinstance(found, Task):
            known, told = found.digest, tuple(found.warnings)
        else:
            content = json.loads(found.body)
            known, told = content.get("digest"), tuple(content.get("warnings") or ())
        if known is not None:
            _require_same(known, upload.digest)
        return Before(state, told)


async def _pause(end_s: float) -> None:
    """Wait before asking again; UnavailableError when it is time to give up."""
    if asyncio.get_running_loop().time() >= end_s:
        detail = "whether there was a request with this key is not processed yet: send it again"
        raise UnavailableError("not_processed_yet", detail)
    await asyncio.sleep(_POLL_S)


def _require_same(known: str | None, digest: str | None) -> None:
    if known != digest:
        detail = "a request with this Idempotency-Key had another body: send this one under a key of its own"
        raise ConflictError("key_reused", detail)


def id_of_key(kind: str, key: str) -> str:
    """Id of a request: it follows from its kind, its key and who sends it."""
    return str(uuid.uuid5(_NAMES, "\n".join((kind, current_rights().subject, key))))


def digest_of(file: BinaryIO, more: str) -> str:
    """Digest of a file, which is read to its end and set back, and of what came with it."""
    digest = hashlib.sha256(more.encode())
    while piece := file.read(_DIGEST_BYTES):
        digest.update(piece)
    file.seek(0)
    return digest.hexdigest()
