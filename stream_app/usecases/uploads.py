"""A file as an asset of its own: its rows go through the measurements topic like everybody's.

1. the whole file is read and checked: a bad file sends nothing
2. the upload's spec, its rows and its end are appended, each acked before the next; a large file is read again
   meanwhile, which takes less than another copy of it would. Of a file with several assets, each one is an upload with
   a task of its own, and the end of the first, which comes last, names them all
3. the caller gets the task id; the task's state is read from the table like any asset's (queries)

A finished upload is forgotten after a retention time (:class:`UploadRetention`).
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, TypeVar

from schemas.asset import UNLIMITED_AHEAD_S
from schemas.control import EndOfUpload, SpecControl
from schemas.diagnosis import Diagnosis
from schemas.file import FileSpec
from stream_app.usecases.errors import InvalidError, UnavailableError
from stream_app.usecases.lookup import Lookup
from stream_app.usecases.ports import MeasurementLog, RowMessage, RowReader
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
        # When a file is sent says nothing of the time of its rows.
        spec = file_spec.of_asset().model_copy(update={"max_ahead_s": UNLIMITED_AHEAD_S})
        if spec.windows is None:
            spec = spec.model_copy(update={"windows": self._windows})
        checked = await self._in_thread(partial(self._rows.check, spec=file_spec), file)
        if checked.rows == 0:
            raise InvalidError("no_rows", "the file has a header and no rows: there is nothing to compute")
        told, assets = tuple(checked.told), tuple(checked.assets)
        asset_ids = [UPLOAD_PREFIX + part_id(task_id, name) for name in assets[1:]]
        asset_ids.insert(0, UPLOAD_PREFIX + task_id)
        rows = Counter(dict.fromkeys(asset_ids, 0))
        try:
            for asset_id in asset_ids:
                await self._append(asset_id, [_json(SpecControl(asset_id=asset_id, spec=spec))])
            messages = checked.messages(asset_ids)
            while chunk := await self._in_thread(_next_chunk, messages):
                for asset_id, some in chunk.items():
                    rows[asset_id] += sum(message.rows for message in some)
                    await self._append(asset_id, [message.value for message in some])
            end = EndOfUpload(asset_id=asset_ids[0], rows=0, allow_rejected=file_spec.allow_rejected)
            for asset_id in asset_ids[1:]:
                part = end.model_copy(update={"asset_id": asset_id, "rows": rows[asset_id]})
                await self._append(asset_id, [_json(part)])
            whole = {"rows": rows[asset_ids[0]], "assets": assets, "warnings": _shortened(told)}
            await self._append(asset_ids[0], [_json(end.model_copy(update=whole))])
        except UnavailableError as error:
            for asset_id in reversed(asset_ids):
                await self._mark_failed(asset_id, rows[asset_id], error)
            raise
        return Accepted(task_id, told)

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

    async def _mark_failed(self, asset_id: str, rows: int, error: UnavailableError) -> None:
        end = EndOfUpload(asset_id=asset_id, rows=rows, error=f"sending broke off: {error.detail}")
        try:
            await self._append(asset_id, [_json(end)])
        except UnavailableError:
            log.warning("upload %s broke off and could not be marked so; it is forgotten in time", asset_id)


def _json(control: SpecControl | EndOfUpload) -> bytes:
    return control.model_dump_json(exclude_none=True).encode()


def _next_chunk(messages: Iterator[tuple[str, RowMessage]]) -> dict[str, list[RowMessage]]:
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
