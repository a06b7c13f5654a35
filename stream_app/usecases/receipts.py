"""Receipts of posted rows that had an ``Idempotency-Key``: the same rows under the same key are written once.

A receipt is an upload without rows: its spec is appended before the rows, its end, which tells where they stand, after
them. If a worker is killed between the two nobody can tell whether the rows are there: the key is refused from then on.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Awaitable, Callable
from typing import Final

from schemas.asset import AssetSpec
from schemas.control import EndOfUpload, SpecControl
from stream_app.usecases.errors import ConflictError, UnavailableError
from stream_app.usecases.keyed_requests import KeyedRequests, id_of_key
from stream_app.usecases.ports import MeasurementLog
from stream_app.usecases.running_uploads import RunningUpload, RunningUploads
from stream_app.usecases.tasks import UPLOAD_PREFIX

_BROKEN_OFF: Final = "it was broken off: some of its rows may count"


class Receipts:
    """Keeps receipts of posted rows."""

    def __init__(self, measurements: MeasurementLog, keyed: KeyedRequests, running: RunningUploads) -> None:
        self._measurements, self._keyed, self._running = measurements, keyed, running

    async def ends(self, body: bytes, key: str, write: Callable[[], Awaitable[dict[int, int]]]) -> dict[int, int]:
        """Offsets of the last rows by partition: of the body that was written before, or else of ``write``.

        Raises
        ------
        ConflictError
            Another body had the key, or writing was broken off.
        UnavailableError
            It is being written, or it cannot be told now; the broker does not take it.
        """
        request_id = id_of_key("measurements", key)
        digest = hashlib.sha256(body).hexdigest()
        upload = RunningUpload(request_id, io.BytesIO(), len(body), phase="sending", digest=digest)
        before = await self._keyed.take(upload)
        if before is None:
            return await self._written(upload, write)
        if before.state == "STARTED":
            raise UnavailableError("not_processed_yet", "these rows are being written: send them again to be told")
        if before.state == "FAILURE":
            detail = f"the request with this Idempotency-Key failed: {_BROKEN_OFF}; look, then use another key"
            raise ConflictError("outcome_unknown", detail)
        places = (place.split(":") for told in before.told for place in told.split(","))
        return {int(partition): int(offset) for partition, offset in places}

    async def _written(self, upload: RunningUpload, write: Callable[[], Awaitable[dict[int, int]]]) -> dict[int, int]:
        """Write a receipt around the writing of rows."""
        asset_id = UPLOAD_PREFIX + upload.task_id
        ends: dict[int, int] = {}
        error: str | None = _BROKEN_OFF
        try:
            await self._append(asset_id, SpecControl(asset_id=asset_id, spec=AssetSpec()))
            ends = await write()
            error = None
        finally:
            told = (",".join(f"{partition}:{offset}" for partition, offset in sorted(ends.items())),)
            end = EndOfUpload(asset_id=asset_id, rows=0, digest=upload.digest, error=error, warnings=told)
            try:
                await self._append(asset_id, end)
            finally:
                self._running.remove(upload)
        return ends

    async def _append(self, asset_id: str, control: SpecControl | EndOfUpload) -> None:
        await self._measurements.append(asset_id.encode(), [control.model_dump_json(exclude_none=True).encode()])
