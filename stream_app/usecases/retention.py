"""Forgets uploads some time after their end, and those that never ended after their last row."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

from schemas.asset import is_upload
from schemas.control import Forget
from stream_app.usecases.asset_views import AssetSummary, AssetViews
from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.ports import Cluster, MeasurementLog, Tables
from stream_app.usecases.tasks import UPLOAD_PREFIX

log = logging.getLogger(__name__)

_LONGEST_INTERVAL_S = 300.0


class UploadRetention:
    """Appends a ``Forget`` record for each upload of this worker whose time has come.

    It is a record among the upload's own, so a replay forgets at the same place. When an upload that never ended was
    last written is not in its state: the time counts from when this process saw its last change.

    Parameters
    ----------
    retention_s
        Time after the end of an upload.
    now_ms
        The clock: ms since 1970 UTC.
    """

    def __init__(
        self,
        *,
        tables: Tables,
        cluster: Cluster,
        measurements: MeasurementLog,
        views: AssetViews,
        retention_s: float,
        now_ms: Callable[[], int],
    ) -> None:
        self._tables, self._cluster, self._measurements = tables, cluster, measurements
        self._views = views
        self._retention_ms = retention_s * 1000
        self._now_ms = now_ms
        self._interval_s = min(_LONGEST_INTERVAL_S, retention_s / 4)
        self._unended: dict[str, tuple[int, int]] = {}  # asset id: seq, when it was first seen [ms]
        self._forgotten: set[str] = set()  # a Forget is in the log, not yet in the table

    async def run(self) -> None:
        """Sweep again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.sweep()
            except UnavailableError as error:
                log.warning("uploads are forgotten later: %s", error.detail)

    async def sweep(self) -> int:
        """Forget what is due; returns how many."""
        if self._cluster.status().phase != "ready":
            return 0
        uploads = list(self._uploads())
        seen = {asset_id for _, asset_id, _ in uploads}
        self._unended = {asset_id: since for asset_id, since in self._unended.items() if asset_id in seen}
        self._forgotten &= seen
        due = 0
        for partition, asset_id, value in uploads:
            await asyncio.sleep(0)  # there may be thousands: let others have the loop
            if asset_id in self._forgotten or not self._is_due(self._views.summary(asset_id, value)):
                continue
            due += 1
            forget = Forget(asset_id=asset_id).model_dump_json().encode()
            await self._measurements.append(asset_id.encode(), [forget], partition)
            self._forgotten.add(asset_id)
        return due

    def _uploads(self) -> Iterator[tuple[int, str, bytes]]:
        prefix = UPLOAD_PREFIX.encode()
        for partition in self._tables.partitions():
            for key in self._tables.asset_keys(partition, prefix=prefix):
                asset_id = key.decode()
                if is_upload(asset_id) and (value := self._tables.asset(partition, key)) is not None:
                    yield partition, asset_id, value

    def _is_due(self, summary: AssetSummary) -> bool:
        now_ms = self._now_ms()
        if summary.ended_timestamp_ms is not None:
            return now_ms - summary.ended_timestamp_ms >= self._retention_ms
        seq, since_ms = self._unended.get(summary.asset_id, (None, now_ms))
        if seq != summary.seq:
            since_ms = now_ms
        self._unended[summary.asset_id] = (summary.seq, since_ms)
        return now_ms - since_ms >= self._retention_ms
