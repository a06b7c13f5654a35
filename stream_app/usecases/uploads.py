"""A file as an asset of its own: its rows go through the measurements topic like everybody's.

1. the whole file is read and checked: a bad file sends no row
2. the upload's spec, its rows and its end are appended, each acked before the next; a large file is read again
   meanwhile, which takes less than another copy of it would. Of a file with several assets, each one is an upload with
   a task of its own, and the end of the first, which comes last, names them all
3. the caller gets the task id; the task's state is read from the table like any asset's (queries)

Whoever uploads waits for the outcome for a moment only: of a file that takes longer the spec is appended, so that every
worker knows the task, and the outcome stands in the task. A finished upload is forgotten in time.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, TypeVar

from schemas.asset import UNLIMITED_AHEAD_S, AssetSpec
from schemas.control import ERROR_MAX_LENGTH, EndOfUpload, SpecControl
from schemas.diagnosis import Diagnosis
from schemas.file import FileSpec
from stream_app.usecases.errors import InvalidError, UnavailableError
from stream_app.usecases.keyed_requests import KeyedRequests, digest_of, id_of_key
from stream_app.usecases.lookup import Lookup
from stream_app.usecases.ports import CheckedFile, MeasurementLog, RowMessage, RowReader
from stream_app.usecases.running_uploads import RunningUpload, RunningUploads
from stream_app.usecases.tasks import UPLOAD_PREFIX, part_id

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

#: Bytes of messages that are appended at a time.
CHUNK_BYTES = 4 << 20

#: What the state of an upload keeps of what there is to say about its file.
_MOST_WARNINGS, _MOST_CHARACTERS = 30, 500

#: Files that are parsed at a time; parsing is CPU work in a thread and would starve the loop.
CONCURRENT_PARSES = 2
#: Files that wait or are read at a time.
MOST_UPLOADS = 64
#: How long whoever uploads waits for the outcome [s].
ANSWERED_WITHIN_S = 5.0

#: How long whoever cancels waits for the end [s]: less than a worker is given to answer another.
_ENDS_WITHIN_S = 1.5

_STOPPED = "the worker stopped while it read the file"


@dataclass(frozen=True, slots=True)
class Accepted:
    """An upload that was taken: its task, and what there is to say about the file, a line each."""

    task_id: str
    told: tuple[str, ...]


class Uploads:
    """Accepts files.

    Parameters
    ----------
    lookup
        Tells whether the worker is ready.
    rows
        Reads the files.
    windows
        Window sizes that an upload keeps.
    running
        The files that are being read.
    keyed
        Knows the files that had a key.
    """

    answered_within_s = ANSWERED_WITHIN_S

    def __init__(
        self,
        lookup: Lookup,
        measurements: MeasurementLog,
        rows: RowReader,
        windows: Sequence[str],
        running: RunningUploads,
        keyed: KeyedRequests,
    ) -> None:
        self._lookup = lookup
        self._measurements = measurements
        self._rows = rows
        self._windows = tuple(windows)
        self._running, self._keyed = running, keyed
        self._parsing = asyncio.Semaphore(CONCURRENT_PARSES)

    async def accept(self, file: BinaryIO, file_spec: FileSpec, *, size: int = 0, key: str | None = None) -> Accepted:
        """Append a whole file, which is closed then; if that takes longer than a moment, it goes on by itself.

        Parameters
        ----------
        size
            Of the file [bytes]; 0: it is not known.
        key
            The same file with the same key is the same task.

        Raises
        ------
        ConflictError
            Another file had the key.
        InvalidError
            The file is no table of measurements; nothing was sent.
        UnavailableError
            The broker did not take all of it; what it took is marked as failed, if it can be. Or very many files are
            being read.
        """
        try:
            self._lookup.require_ready()
            if self._running.under_way >= MOST_UPLOADS:
                raise UnavailableError("too_many_uploads", f"{MOST_UPLOADS} files are being read: send it later", 10)
            task_id = str(uuid.uuid4()) if key is None else id_of_key("upload", key)
            upload = RunningUpload(task_id, file, size)
            if key is None:
                self._running.add(upload.task_id, upload)
            else:
                upload.digest = await asyncio.to_thread(digest_of, file, file_spec.model_dump_json())
                if (before := await self._keyed.take(upload)) is not None:
                    file.close()
                    return Accepted(task_id, before.told)
        except BaseException:
            file.close()
            raise
        # When a file is sent says nothing of the time of its rows.
        spec = file_spec.of_asset().model_copy(update={"max_ahead_s": UNLIMITED_AHEAD_S})
        if spec.windows is None:
            spec = spec.model_copy(update={"windows": self._windows})
        upload.task = asyncio.create_task(self._run(upload, spec, file_spec), name=f"upload-{upload.task_id}")
        upload.task.add_done_callback(_look_at)
        await asyncio.wait({upload.task}, timeout=self.answered_within_s)
        try:
            if not upload.task.done():
                await self._announce(upload, spec)
                upload.is_detached = not upload.task.done()
            if not upload.is_detached:
                await upload.task
        except BaseException:
            upload.task.cancel()
            self._running.remove(upload)
            raise
        return Accepted(upload.task_id, upload.told)

    async def _run(self, upload: RunningUpload, spec: AssetSpec, file_spec: FileSpec) -> None:
        """Check and send a file; what fails is told by the task if nobody waits for it."""
        asset_ids = [UPLOAD_PREFIX + upload.task_id]
        rows: Counter[str] = Counter()
        try:
            checked = await self._check(upload, file_spec)
            assets = tuple(checked.assets)
            for name in assets[1:]:
                part = part_id(upload.task_id, name)
                asset_ids.append(UPLOAD_PREFIX + part)
                self._running.add(part, upload)
            upload.phase = "sending"
            await self._announce(upload, spec)
            for asset_id in asset_ids[1:]:
                await self._append(asset_id, [_json(SpecControl(asset_id=asset_id, spec=spec))])
            messages = checked.messages(asset_ids)
            while chunk := await self._in_thread(next_chunk, messages):
                for asset_id, some in chunk.items():
                    rows[asset_id] += sum(message.rows for message in some)
                    await self._append(asset_id, [message.value for message in some])
                upload.published = rows.total()
            end = EndOfUpload(asset_id=asset_ids[0], rows=0, allow_rejected=file_spec.allow_rejected)
            for asset_id in asset_ids[1:]:
                await self._append(asset_id, [_json(end.model_copy(update=_of(asset_id, rows)))])
            whole = {
                "rows": rows[asset_ids[0]],
                "digest": upload.digest,
                "assets": assets,
                "warnings": _shortened(upload.told),
            }
            await self._append(asset_ids[0], [_json(end.model_copy(update=whole))])
            upload.phase = "sent"
        except (Exception, asyncio.CancelledError) as error:
            await self._failed(upload, asset_ids, rows, error)
            if not upload.is_detached:
                raise
        finally:
            if upload.phase != "sent":
                upload.phase = "failed"
            upload.file.close()

    async def _check(self, upload: RunningUpload, file_spec: FileSpec) -> CheckedFile:
        async with self._parsing:
            upload.phase = "checking"
            checked = await asyncio.to_thread(partial(self._rows.check, spec=file_spec), upload.file)
        if checked.rows == 0:
            raise InvalidError("no_rows", "the file has a header and no rows: there is nothing to compute")
        upload.rows, upload.told = checked.rows, tuple(checked.told)
        return checked

    async def _announce(self, upload: RunningUpload, spec: AssetSpec) -> None:
        """Append the spec, once: every worker knows the task then."""
        async with upload.lock:
            if not upload.announced:
                upload.announced = True  # Kafka may take it, though it does not say so
                asset_id = UPLOAD_PREFIX + upload.task_id
                await self._append(asset_id, [_json(SpecControl(asset_id=asset_id, spec=spec))])

    async def cancel(self, task_id: str) -> bool:
        """Stop reading a file, and wait until its end is in the log; whether this worker was reading it."""
        upload = self._running.get(task_id)
        if upload is None or upload.task is None or upload.task.done():
            self._running.drop(task_id)
            return False
        upload.cancelled = f"it was cancelled after {upload.published} of its rows had been sent"
        upload.task.cancel()
        await asyncio.wait({upload.task}, timeout=_ENDS_WITHIN_S)
        return True

    async def close(self) -> None:
        """Stop reading; what is not sent wholly is marked as failed."""
        tasks = [upload.task for upload in self._running if upload.task is not None and not upload.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def diagnose(self, file: BinaryIO, file_spec: FileSpec, name: str) -> Diagnosis:
        """Say how a file is read and what is odd about it; nothing is sent.

        Raises
        ------
        InvalidError
            The file is no table of measurements.
        """
        return await self._in_thread(partial(self._rows.diagnose, spec=file_spec, name=name), file)

    async def _in_thread(self, read: Callable[[T], R], source: T) -> R:
        async with self._parsing:
            return await asyncio.to_thread(read, source)

    async def _append(self, asset_id: str, values: Sequence[bytes]) -> None:
        await self._measurements.append(asset_id.encode(), values)

    async def _failed(
        self, upload: RunningUpload, asset_ids: Sequence[str], rows: Counter[str], error: BaseException
    ) -> None:
        """Append why it failed as the end of each of its assets, the first one's last; if any of it was sent."""
        match error:
            case asyncio.CancelledError():
                reason = upload.cancelled or _STOPPED
            case UnavailableError():
                reason = f"sending broke off: {error.detail}"
            case InvalidError():
                reason = error.detail
            case _:
                log.error("upload %s failed", upload.task_id, exc_info=error)
                reason = f"something unexpected happened ({type(error).__name__}): the worker's log has it"
        for asset_id in reversed(asset_ids if upload.announced else ()):
            end = EndOfUpload(error=reason[:ERROR_MAX_LENGTH], digest=upload.digest, **_of(asset_id, rows))
            try:
                await self._append(asset_id, [_json(end)])
            except UnavailableError:
                log.warning("upload %s broke off and could not be marked so; it is forgotten in time", asset_id)


def _look_at(task: asyncio.Task[None]) -> None:
    """Take notice of how a task ended: who waited for it may have gone."""
    if not task.cancelled():
        task.exception()


def _of(asset_id: str, rows: Counter[str]) -> dict[str, Any]:
    return {"asset_id": asset_id, "rows": rows[asset_id]}


def _json(control: SpecControl | EndOfUpload) -> bytes:
    return control.model_dump_json(exclude_none=True).encode()


def next_chunk(messages: Iterator[tuple[str, RowMessage]]) -> dict[str, list[RowMessage]]:
    """Messages by asset."""
    chunk: dict[str, list[RowMessage]] = {}
    size = 0
    for asset_id, message in messages:
        chunk.setdefault(asset_id, []).append(message)
        size += len(message.value)
        if size >= CHUNK_BYTES:
            break
    return chunk


def _shortened(told: Sequence[str]) -> tuple[str, ...]:
    """What the state keeps of what was told: warnings above all, which come last."""
    return tuple(text[:_MOST_CHARACTERS] for text in told[-_MOST_WARNINGS:])
