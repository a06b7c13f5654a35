"""A CSV file as an asset of its own: its rows go through the measurements topic like everybody's.

1. the whole file is read and checked, its messages are spooled to a temporary file: a bad file sends nothing
2. the upload's spec, its rows and its end are appended, each acked before the next: memory stays bounded
3. the caller gets the task id; the task's state is read from the table like any asset's (queries)

A finished upload is forgotten after a retention time (:class:`UploadRetention`).
"""

from __future__ import annotations

import asyncio
import logging
import struct
import tempfile
import uuid
from collections.abc import Sequence
from typing import IO, BinaryIO

from schemas.asset import AssetSpec
from schemas.control import EndOfUpload, SpecControl
from stream_app.usecases.errors import InvalidError, UnavailableError
from stream_app.usecases.lookup import Lookup
from stream_app.usecases.ports import MeasurementLog, RowReader
from stream_app.usecases.tasks import UPLOAD_PREFIX

log = logging.getLogger(__name__)

#: Bytes that are read from the spool and appended at a time.
CHUNK_BYTES = 4 << 20

#: Files that are parsed at a time; parsing is CPU work in a thread and would starve the loop.
CONCURRENT_PARSES = 2

_LENGTH = struct.Struct(">I")


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

    async def accept(self, file: BinaryIO, nominal_capacity_ah: float) -> str:
        """Append a whole file and return the task id; all is acked by the broker then.

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
        spec = AssetSpec(nominal_capacity_ah=nominal_capacity_ah, windows=self._windows)
        with tempfile.TemporaryFile() as spool:
            async with self._parsing:
                rows = await asyncio.to_thread(self._spool, file, asset_id, spool)
            try:
                await self._append(asset_id, [_json(SpecControl(asset_id=asset_id, spec=spec))])
                while chunk := await asyncio.to_thread(_next_chunk, spool):
                    await self._append(asset_id, chunk)
                await self._append(asset_id, [_json(EndOfUpload(asset_id=asset_id, rows=rows))])
            except UnavailableError as error:
                await self._mark_failed(asset_id, rows, error)
                raise
        return task_id

    def _spool(self, file: BinaryIO, asset_id: str, spool: IO[bytes]) -> int:
        rows = 0
        for message in self._rows.csv(file, asset_id):
            spool.write(_LENGTH.pack(len(message.value)))
            spool.write(message.value)
            rows += message.rows
        if rows == 0:
            raise InvalidError("no_rows", "the file has a header and no rows: there is nothing to compute")
        spool.seek(0)
        return rows

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


def _next_chunk(spool: IO[bytes]) -> list[bytes]:
    chunk: list[bytes] = []
    size = 0
    while size < CHUNK_BYTES and (length := spool.read(_LENGTH.size)):
        chunk.append(spool.read(_LENGTH.unpack(length)[0]))
        size += len(chunk[-1])
    return chunk
