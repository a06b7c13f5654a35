"""Receipts of posted rows that had an ``Idempotency-Key``: the same rows under the same key are written once.

A receipt is an upload without rows: its spec is appended before the rows, its end, which tells where they stand, after
them. If a worker is killed between the two nobody can tell whether the rows are there: the key is refused from then on.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from schemas.asset import AssetSpec
from schemas.control import EndOfUpload, SpecControl
from stream_app.usecases.errors import ConflictError, UnavailableError
from stream_app.usecases.keyed_requests import KeyedRequests, id_of_key
from stream_app.usecases.ports import MeasurementLog
from stream_app.usecases.running_uploads import RunningUpload, RunningUploads
from stream_app.usecases.tasks import UPLOAD_PREFIX

_BROKEN_OFF: Final = "it was broken off: some of its rows may count"


class Receipt:
    """A receipt that is being written; ``ends`` is the offset of the last row in each partition."""

    def __init__(self) -> None:
        self.ends: dict[int, int] = {}


class Receipts:
    """Keeps receipts of posted rows."""

    def __init__(self, measurements: MeasurementLog, running: RunningUploads, keyed: KeyedRequests) -> None:
        self._measurements, self._running, self._keyed = measurements, running, keyed

    async def ends(self, body: bytes, key: str) -> dict[int, int] | None:
        """Offsets of the last rows by partition, if the body was written before; None: it was not.

        Raises
        ------
        ConflictError
            Another body had the key, or writing was broken off.
        UnavailableError
            It is being written, or it cannot be told now.
        """
        request_id = id_of_key("measurements", key)
        before = await self._keyed.before(request_id, _digest(body))
        if before is None and self._running.get(request_id) is None:
            return None
        if before is None or before.state == "STARTED":
            raise UnavailableError("not_processed_yet", "these rows are being written: send them again to be told")
        if before.state == "FAILURE":
            detail = f"the request with this Idempotency-Key failed: {_BROKEN_OFF}; look, then use another key"
            raise ConflictError("outcome_unknown", detail)
        places = (place.split(":") for told in before.told for place in told.split(","))
        return {int(partition): int(offset) for partition, offset in places}

    @asynccontextmanager
    async def written(self, body: bytes, key: str) -> AsyncGenerator[Receipt]:
        """Write a receipt around the writing of rows; begins at once after :meth:`ends` has told that there is none."""
        request_id, digest = id_of_key("measurements", key), _digest(body)
        asset_id = UPLOAD_PREFIX + request_id
        upload = RunningUpload(request_id, io.BytesIO(), len(body), phase="sending", digest=digest)
        self._running.add(request_id, upload)
        receipt, error = Receipt(), _BROKEN_OFF
        try:
            await self._append(asset_id, SpecControl(asset_id=asset_id, spec=AssetSpec()))
            yield receipt
            error = ""
        finally:
            told = (",".join(f"{partition}:{offset}" for partition, offset in sorted(receipt.ends.items())),)
            end = EndOfUpload(asset_id=asset_id, rows=0, digest=digest, error=error or None, warnings=told)
            try:
                await self._append(asset_id, end)
            finally:
                self._running.remove(upload)

    async def _append(self, asset_id: str, control: SpecControl | EndOfUpload) -> None:
        await self._measurements.append(asset_id.encode(), [control.model_dump_json(exclude_none=True).encode()])


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
