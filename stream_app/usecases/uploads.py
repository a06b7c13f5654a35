"""A file as an asset of its own: its rows go through the measurements topic like everybody's.

1. the whole file is read and checked: a bad file sends nothing
2. the upload's spec, its rows and its end are appended, each acked before the next: the file is read again meanwhile,
   which takes less than another copy of it would
3. the caller gets the task id; the task's state is read from the table like any asset's (queries)

A finished upload is forgotten after a retention time (:class:`UploadRetention`).
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, TypeVar

from schemas.asset import UNLIMITED_AHEAD_S
from schemas.control import EndOfUpload, SpecControl
from schemas.file import FileSpec
from stream_app.usecases.errors import InvalidError, UnavailableError
from stream_app.usecases.lookup import Lookup
from stream_app.usecases.ports import MeasurementLog, RowMessage, RowReader
from stream_app.usecases.tasks import UPLOAD_PREFIX

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

#: Bytes of messages that are appended at a time.
CHUNK_BYTES = 4 << 20

#: Files that are parsed at a time; parsing is CPU work in a thread and would starve the loop.
CONCURRENT_PARSES = 2


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
    """

    def __init__(self, lookup: Lookup, measurements: MeasurementLog, rows: RowReader, windows: Sequence[str]) -> None:
        self._lookup = lookup
        self._measurements = measurements
        self._rows = rows
        self._windows = tuple(windows)
        self._parsing = asyncio.Semaphore(CONCURRENT_PARSES)

    async def accept(self, file: BinaryIO, file_spec: FileSpec) -> Accepted:
        """Append a whole file; all is acked by the broker then.

        Raises
        ------
        InvalidError
            The file is no table of measurements; nothing was sent.
        UnavailableError
            The broker did not take all of it; what it took is marked as failed, if it can be.
        """
        self._lookup.require_ready()
        task_id = str(uuid.uuid4())
        asset_id = UPLOAD_PREFIX + task_id
        # When a file is sent says nothing of the time of its rows.
        spec = file_spec.of_asset().model_copy(update={"max_ahead_s": UNLIMITED_AHEAD_S})
        if spec.windows is None:
            spec = spec.model_copy(update={"windows": self._windows})
        checked = await self._in_thread(partial(self._rows.check, spec=file_spec), file)
        rows, messages = checked.rows, checked.messages(asset_id)
        if rows == 0:
            raise InvalidError("no_rows", "the file has a header and no rows: there is nothing to compute")
        try:
            await self._append(asset_id, [_json(SpecControl(asset_id=asset_id, spec=spec))])
            while chunk := await self._in_thread(_next_chunk, messages):
                await self._append(asset_id, chunk)
            await self._append(asset_id, [_json(EndOfUpload(asset_id=asset_id, rows=rows))])
        except UnavailableError as error:
            await self._mark_failed(asset_id, rows, error)
            raise
        return Accepted(task_id, tuple(checked.told))

    async def _in_thread(self, read: Callable[[T], R], source: T) -> R:
        async with self._parsing:
            return await asyncio.to_thread(read, source)

    async def _append(self, asset_id: str, values: Sequence[bytes]) -> None:
        await self._measurements.append(asset_id.encode(), values)

    async def _mark_failed(self, asset_id: str, rows: int, error: UnavailableError) -> None:
        end = EndOfUpload(asset_id=asset_id, rows=rows, error=f"sending broke off: {error.detail}")
        try:
            await self._append(asset_id, [_json(end)])
        except UnavailableError:
            log.warning("upload %s broke off and could not be marked so; it is forgotten in time", asset_id)


def _json(control: SpecControl | EndOfUpload) -> bytes:
    return control.model_dump_json(exclude_none=True).encode()


def _next_chunk(messages: Iterator[RowMessage]) -> list[bytes]:
    chunk: list[bytes] = []
    size = 0
    for message in messages:
        chunk.append(message.value)
        size += len(message.value)
        if size >= CHUNK_BYTES:
            break
    return chunk
