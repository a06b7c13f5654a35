"""Closes the windows of assets that have gone silent, and forgets those that stay so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NamedTuple

from schemas.asset import is_upload
from schemas.control import CloseUntil, Forget
from stream_app.domain.errors import DomainError
from stream_app.domain.snapshot import header
from stream_app.usecases.asset_views import AssetViews
from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.ports import Cluster, MeasurementLog, Tables

log = logging.getLogger(__name__)

_LONGEST_INTERVAL_S: Final = 300.0
#: Assets between two turns of the event loop: a few ms. To read a state takes far longer than to see that it is due.
_ASSETS_AT_ONCE: Final = 5_000
_STATES_AT_ONCE: Final = 50
_NEVER_US: Final = (1 << 63) - 1


class _Seen(NamedTuple):
    """An asset as it was last looked at; the times are the clock's [us]."""

    seq: int
    since_us: int  # it has been as of this source offset at least since then
    look_at_us: int  # nothing is to be done before


class SilentAssets:
    """Appends a ``CloseUntil`` record for each silent asset of this worker whose open windows ended long ago.

    It is a record among the asset's own, so a replay closes at the same place. ``until_us`` is the end of the newest
    window that is due: it follows from the state alone, so a second record changes nothing, and a row of a window that
    is still open is not late. When an asset's last record came is not in its state: silence counts from when this
    process saw its last change in a partition that it has owned since.

    Parameters
    ----------
    idle_close_s
        How long an asset is silent, and how long ago its windows ended, when they are closed.
    ttl_s
        How long an asset is silent when it is forgotten; None: it is kept.
    now_us
        The clock: us since 1970 UTC.
    """

    def __init__(
        self,
        *,
        tables: Tables,
        cluster: Cluster,
        measurements: MeasurementLog,
        views: AssetViews,
        idle_close_s: float,
        ttl_s: float | None,
        now_us: Callable[[], int],
    ) -> None:
        self._tables, self._cluster, self._measurements, self._views = tables, cluster, measurements, views
        self._idle_us = round(idle_close_s * 1e6)
        self._ttl_us = None if ttl_s is None else round(ttl_s * 1e6)
        self._now_us = now_us
        self._interval_s = min(_LONGEST_INTERVAL_S, min(idle_close_s, ttl_s or idle_close_s) / 4)
        self._seen: dict[int, dict[bytes, _Seen]] = {}  # by partition and key

    async def run(self) -> None:
        """Sweep again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.sweep()
            except UnavailableError as error:
                log.warning("windows of silent assets are closed later: %s", error.detail)

    async def sweep(self) -> int:
        """Close and forget what is due; returns how many records were appended."""
        if self._cluster.status().phase != "ready":
            return 0
        owned = set(self._tables.partitions())
        self._seen = {partition: seen for partition, seen in self._seen.items() if partition in owned}
        return sum([await self._sweep(partition) for partition in sorted(owned)])

    async def _sweep(self, partition: int) -> int:
        before, seen = self._seen.get(partition, {}), dict[bytes, _Seen]()
        appended = states = 0
        for count, key in enumerate(self._tables.asset_keys(partition), 1):
            if count % _ASSETS_AT_ONCE == 0:
                await asyncio.sleep(0)  # look-ups take their turn
            if (value := self._tables.asset(partition, key)) is None:
                continue
            now_us, seq = self._now_us(), header(value)
            last = before.get(key)
            if last is None or last.seq != seq:
                since_us = now_us
                last = _Seen(seq, since_us, since_us + min(self._idle_us, self._ttl_us or self._idle_us))
            elif now_us >= last.look_at_us:
                states += 1
                if states % _STATES_AT_ONCE == 0:
                    await asyncio.sleep(0)
                control, look_at_us = self._due(key.decode(), value, last.since_us, now_us)
                if control is not None:
                    await self._measurements.append(key, [control.model_dump_json().encode()], partition)
                    appended += 1
                last = last._replace(look_at_us=look_at_us)
            seen[key] = last
        self._seen[partition] = seen
        return appended

    def _due(self, asset_id: str, value: bytes, since_us: int, now_us: int) -> tuple[CloseUntil | Forget | None, int]:
        """The record that a silent asset is to get, if any, and when to look at it again if nothing else comes."""
        forget_us = _NEVER_US
        if self._ttl_us is not None and not is_upload(asset_id):  # these have their own retention
            forget_us = since_us + self._ttl_us
            if now_us >= forget_us:
                return Forget(asset_id=asset_id), _NEVER_US
        try:
            ends_us = self._views.open_ends_us(asset_id, value)
        except DomainError as error:  # its next row ends the worker with the cure
            log.warning("windows of silent asset %r are not closed: %s", asset_id, error)
            return None, forget_us
        ended_us = [end_us for end_us in ends_us if end_us + self._idle_us <= now_us]
        if ended_us and now_us >= since_us + self._idle_us:
            return CloseUntil(asset_id=asset_id, until_us=ended_us[-1]), forget_us
        close_us = max(ends_us[0], since_us) + self._idle_us if ends_us else _NEVER_US
        return None, min(close_us, forget_us)
