"""Lists of a fleet's assets: each worker gives its page, and whoever was asked merges them."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import isnan
from typing import Final

import msgspec
import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.domain.lines import NEVER
from stream_app.domain.metrics._base import MetricValues
from stream_app.usecases.asset_page import AssetList, ListedAsset, ListedMetric
from stream_app.usecases.errors import InvalidError
from stream_app.usecases.fleet_index import FleetIndex
from stream_app.usecases.fleet_order import (
    SORTS,
    Activity,
    Wanted,
    chosen,
    is_silent,
    written_cursor,
)
from stream_app.usecases.fleet_reading import CHARGING, DISCHARGING, IDLE, FleetReader, FleetRows
from stream_app.usecases.lookup import Freshness, Lookup
from stream_app.wire.encode.updates import iso_times

#: Metrics that each item has: round-trip efficiency, health, and how much of the time is known.
EFFICIENCY: Final = "rte_level"
HEALTH: Final = "soh_capacity"
COVERAGE: Final = "coverage"

#: States that are read before others have the event loop: some ms.
_AT_ONCE: Final = 100
#: In this time a question to the others is written: to read own states first would hold it up for longer [s].
_QUESTION_S: Final = 0.001
_ANY: Final = Wanted()
_DOING: Final[dict[int, Activity]] = {CHARGING: "charging", DISCHARGING: "discharging", IDLE: "idle"}


class AssetLists:
    """Lists assets of all workers.

    Parameters
    ----------
    index
        Columns of this worker's assets.
    now_us
        The clock: us since 1970 UTC.
    """

    def __init__(self, lookup: Lookup, reader: FleetReader, index: FleetIndex, now_us: Callable[[], int]) -> None:
        self._lookup, self._reader, self._index, self._now_us = lookup, reader, index, now_us
        self._tables, self._cluster = lookup.tables, lookup.cluster

    async def page(self, wanted: Wanted, *, hop: bool = False) -> AssetList:
        """A page of the assets of all workers; with ``hop`` of this one.

        Raises
        ------
        InvalidError
            The order, a metric or the cursor is none.
        UnavailableError
            Some partition could not be asked about, or this worker's list is still being made.
        """
        self._lookup.require_ready()
        self._require_known(wanted)
        if hop:
            return await self._here(wanted)
        partitions = set(range(self._cluster.partition_count()))
        is_all_here = partitions.issubset(self._tables.partitions())
        # The others make their pages while this worker makes its own.
        asking = None if is_all_here else asyncio.create_task(self._of_others(wanted))
        try:
            if asking is not None:
                await asyncio.sleep(_QUESTION_S)
            pages = [await self._here(wanted)]
            pages += [] if asking is None else await asking
        finally:
            if asking is not None:
                asking.cancel()
        if missing := partitions.difference(*(page.partitions for page in pages)):
            raise self._lookup.unanswered(missing)
        return pages[0] if asking is None else self._merged(pages, wanted)

    async def _here(self, wanted: Wanted) -> AssetList:
        return await (self._plain(wanted) if wanted.is_plain else self._ordered(wanted))

    async def _of_others(self, wanted: Wanted) -> list[AssetList]:
        pages = []
        for answer in await self._lookup.ask_all("assets", wanted.params()):
            with suppress(msgspec.MsgspecError):  # a problem, or not a worker of this program
                pages.append(msgspec.json.decode(answer.body, type=AssetList))
        return pages

    def _require_known(self, wanted: Wanted) -> None:
        known = self._index.metric_at
        if wanted.sort not in SORTS and wanted.sort not in known:
            detail = f"{wanted.sort!r} orders nothing: sort by {', '.join(SORTS)}, or a metric that is one number"
            raise InvalidError("bad_request_field", detail, column="sort")
        for name in wanted.metrics:
            if name not in known:
                detail = f"{name!r} is no metric that is one number: /api/v1/catalogue lists the metrics"
                raise InvalidError("bad_request_field", detail, column="metrics")

    async def _plain(self, wanted: Wanted) -> AssetList:
        """Assets by id, as the tables have them."""
        first, after = wanted.prefix.encode(), wanted.cursor.encode()
        partitions = sorted(self._tables.partitions())
        found: dict[bytes, list[int]] = {}
        for partition in partitions:
            for key in self._tables.asset_keys(partition, prefix=first, after=after, limit=wanted.limit + 1):
                found.setdefault(key, []).append(partition)
        page = heapq.nsmallest(wanted.limit, found)
        places = [(partition, key.decode()) for key in page for partition in found[key]]
        assets = _best(await self.read(places, wanted))
        cursor = page[-1].decode() if len(found) > wanted.limit else None
        return AssetList(assets, cursor, partitions, self._meta(partitions), values=[None] * len(assets))

    async def _ordered(self, wanted: Wanted) -> AssetList:
        """Assets as the columns order them; what is shown of them is read anew."""
        index = self._index
        await index.follow()
        partitions = sorted(self._tables.partitions())
        slots, values, has_more = chosen(index, wanted, self._now_us())
        places = [(int(index.columns.partition[slot]), index.ids[slot]) for slot in slots.tolist()]
        deciding = dict(zip(places, values, strict=True))
        cursor = written_cursor(wanted, values[-1], places[-1][1]) if has_more else None
        assets = _best(await self.read(places, wanted))
        if wanted.state is not None:  # it may do something else meanwhile
            assets = [asset for asset in assets if asset.state == wanted.state]
        values = [deciding[asset.partition, asset.asset_id] for asset in assets]
        return AssetList(assets, cursor, partitions, self._meta(partitions), index.behind, values)

    async def read(self, places: Sequence[tuple[int, str]], wanted: Wanted = _ANY) -> list[ListedAsset]:
        """Assets of places that have them, as they are now; read with pauses."""
        assets = list[ListedAsset]()
        for low in range(0, len(places), _AT_ONCE):
            stored = [
                (partition, asset_id, value)
                for partition, asset_id in places[low : low + _AT_ONCE]
                if (value := self._tables.asset(partition, asset_id.encode())) is not None
            ]
            # The same id in two partitions makes two readings.
            for some in _apart(stored):
                rows = self._reader.read([name for _, name, _ in some], [value for _, _, value in some])
                assets += self._listed([(partition, name) for partition, name, _ in some], rows, wanted)
            await asyncio.sleep(0)
        order = {place: at for at, place in enumerate(places)}
        return sorted(assets, key=lambda asset: order[asset.partition, asset.asset_id])

    def _listed(self, places: Sequence[tuple[int, str]], rows: FleetRows, wanted: Wanted) -> list[ListedAsset]:
        now_us = self._now_us()
        received = [self._tables.received_ns(partition, name.encode()) for partition, name in places]
        received_us = np.array([NEVER if ns is None else ns // 1000 for ns in received], np.int64)
        silent = is_silent(received_us, rows.last_us, rows.silent_after_s * 1e6, now_us)
        last_time, received_time = _times(rows.last_us), _times(received_us)
        units = {columns.name: columns.unit for columns in rows.lifetimes.layout.metrics}
        shown_names = dict.fromkeys(wanted.metrics)
        if wanted.sort in self._index.metric_at:
            shown_names[wanted.sort] = None
        # As lists: to take numbers out of arrays one by one takes longer than all the rest.
        names = [EFFICIENCY, HEALTH, COVERAGE, *shown_names]
        told = {name: _metrics(values, units[name]) for name, values in rows.lifetimes.of(names).items()}

        def metric(name: str, at: int) -> ListedMetric | None:
            if name not in told:
                return None
            return ListedMetric(None, units[name], "no_rows") if at < 0 else told[name][at]

        soc_percent, power_w = _numbers(rows.soc_percent), _numbers(rows.power_w)
        listed = []
        for i, (partition, name) in enumerate(places):
            at, doing = int(rows.at[i]), _DOING.get(int(rows.doing[i]), "unknown")
            state: Activity = "upload" if rows.is_upload[i] else "silent" if silent[i] else doing
            listed.append(
                ListedAsset(
                    asset_id=name,
                    partition=partition,
                    rows=int(rows.rows[i]),
                    last_time=last_time[i],
                    rows_rejected=int(rows.rejected[i]),
                    received_time=received_time[i],
                    state=state,
                    soc_percent=soc_percent[i],
                    power_w=power_w[i],
                    efficiency=metric(EFFICIENCY, at),
                    soh=metric(HEALTH, at),
                    coverage=metric(COVERAGE, at),
                    metrics={each: shown for each in shown_names if (shown := metric(each, at)) is not None},
                )
            )
        return listed

    def _meta(self, partitions: Sequence[int]) -> Freshness:
        return self._lookup.freshness_of_all([self._cluster.lag(partition) for partition in partitions])

    def _merged(self, pages: Sequence[AssetList], wanted: Wanted) -> AssetList:
        found = [
            (asset, value)
            for page in pages
            for asset, value in zip(page.assets, page.values or [None] * len(page.assets), strict=False)
        ]
        # An asset in two partitions is listed where it has most rows.
        kept = {asset.asset_id: (asset, value) for asset, value in sorted(found, key=lambda each: each[0].rows)}
        falls = wanted.order == "desc"
        ordered = sorted(kept.values(), key=lambda each: each[0].asset_id, reverse=falls and wanted.sort == "asset")
        if wanted.sort != "asset":
            ordered.sort(key=lambda each: (each[1] is None, (each[1] or 0.0) * (-1 if falls else 1)))
        ordered = ordered[: wanted.limit]
        has_more = len(kept) > wanted.limit or any(page.next_cursor for page in pages)
        cursor = written_cursor(wanted, ordered[-1][1], ordered[-1][0].asset_id) if has_more and ordered else None
        return AssetList(
            assets=[asset for asset, _ in ordered],
            next_cursor=cursor,
            partitions=sorted({p for page in pages for p in page.partitions}),
            meta=self._lookup.freshness_of_all([page.meta.lag for page in pages]),
            behind=sum(page.behind for page in pages),
            values=[value for _, value in ordered],
        )


def _apart(stored: Sequence[tuple[int, str, bytes]]) -> list[list[tuple[int, str, bytes]]]:
    """The same in parts in which each id is once."""
    parts: list[dict[str, tuple[int, str, bytes]]] = []
    for each in stored:
        part = next((part for part in parts if each[1] not in part), None)
        if part is None:
            parts.append(part := {})
        part[each[1]] = each
    return [list(part.values()) for part in parts]


def _best(assets: Sequence[ListedAsset]) -> list[ListedAsset]:
    """Of an asset in several partitions the one with most rows."""
    best: dict[str, ListedAsset] = {}
    for asset in assets:
        if asset.asset_id not in best or best[asset.asset_id].rows < asset.rows:
            best[asset.asset_id] = asset
    return list(best.values())


def _metrics(values: MetricValues, unit: str) -> list[ListedMetric]:
    sigmas = [None] * len(values.value) if values.sigma is None else _numbers(values.sigma)
    return [
        ListedMetric(value, unit, reason or None, sigma)
        for value, reason, sigma in zip(_numbers(values.value), values.reason, sigmas, strict=True)
    ]


def _numbers(values: FloatArray) -> list[float | None]:
    """Numbers; None where one is not known."""
    return [None if isnan(value) else value for value in values.tolist()]


def _times(stamps_us: IntArray) -> list[str | None]:
    """Stamps as text; None where there is none."""
    known = stamps_us != NEVER
    times = iter(iso_times(stamps_us[known]))
    return [next(times) if there else None for there in known.tolist()]
