"""Rows, specs and deletions that come over HTTP: appended to the partition in which the asset's rows live."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from schemas.asset import AssetSpec, is_upload, window_size_s
from schemas.control import Forget, SpecControl
from schemas.lookup import SpecAnswer
from stream_app.usecases.errors import InvalidError, NotFoundError
from stream_app.usecases.lookup import Local, Lookup
from stream_app.usecases.ports import MeasurementLog, RowReader

#: Assets whose place is looked up, or whose rows are appended, at a time.
_CONCURRENT_ASSETS = 16


@dataclass(frozen=True, slots=True)
class _Place:
    partition: int
    rows: int
    spec: AssetSpec


class Posting:
    """Appends what is posted.

    Parameters
    ----------
    lookup
        Finds the partition of an asset: the order of an asset's rows and controls hangs on their sharing one.
    rows
        Reads and checks posted rows.
    windows
        Names of the window sizes of an asset whose spec names none.
    at_home
        Whether rows are taken in the partition alone that the default partitioner chooses.
    """

    def __init__(
        self,
        lookup: Lookup,
        measurements: MeasurementLog,
        rows: RowReader,
        windows: Sequence[str],
        *,
        at_home: bool = False,
    ) -> None:
        self._lookup = lookup
        self._windows = tuple(windows)
        self._measurements = measurements
        self._rows = rows
        self._at_home = at_home

    async def measurements(self, body: bytes) -> int:
        """Append posted rows, all or, if one of them is wrong, none; returns how many, all acked by the broker.

        Raises
        ------
        InvalidError
            A row is wrong; nothing was sent.
        UnavailableError
            The broker did not take all of them, or where an asset lives cannot be told now.
        """
        self._lookup.require_ready()
        messages = await asyncio.to_thread(self._rows.json, body)
        limit = asyncio.Semaphore(_CONCURRENT_ASSETS)

        async def place(asset_id: str) -> int:
            async with limit:
                return (await self._place(asset_id)).partition

        async def append(asset_id: str, partition: int) -> None:
            async with limit:
                values = [message.value for message in messages[asset_id]]
                await self._measurements.append(asset_id.encode(), values, partition)

        partitions = await asyncio.gather(*(place(asset_id) for asset_id in messages))
        await asyncio.gather(*(append(asset_id, p) for asset_id, p in zip(messages, partitions, strict=True)))
        return sum(message.rows for of_asset in messages.values() for message in of_asset)

    async def spec(self, asset_id: str, spec: AssetSpec) -> tuple[int, int]:
        """Append a spec; returns partition and offset: it holds for the rows after that.

        Raises
        ------
        InvalidError
            The spec changes the window sizes of an asset that has rows; the asset is an upload.
        UnavailableError
            The broker did not take it, or where the asset lives cannot be told now.
        """
        self._lookup.require_ready()
        if is_upload(asset_id):
            detail = f"{asset_id} is an upload, read by the spec it came with: upload the file again with another one"
            raise InvalidError("reserved_asset", detail, column="asset_id")
        place = await self._place(asset_id)
        now = place.spec.windows or self._windows
        if (
            place.rows
            and spec.windows is not None
            and [*map(window_size_s, spec.windows)] != [*map(window_size_s, now)]
        ):
            detail = (
                f"asset {asset_id!r} has rows in windows of {', '.join(now)}, and these cannot change: leave `windows` "
                "out, or send the rows to another asset id"
            )
            raise InvalidError("windows_fixed", detail, column="windows")
        control = SpecControl(asset_id=asset_id, spec=spec).model_dump_json(exclude_none=True).encode()
        return await self._measurements.append(asset_id.encode(), [control], place.partition)

    async def forget(self, asset_id: str) -> list[tuple[int, int]]:
        """Append a ``Forget`` record in each partition that has the asset; its state and windows go with it.

        Returns partition and offset of each, by partition.

        Raises
        ------
        NotFoundError
            No worker has the asset.
        UnavailableError
            The broker did not take it, or where the asset lives cannot be told now.
        """
        self._lookup.require_ready()
        places, missing = await self._lookup.places.everywhere([asset_id])
        if missing:
            raise self._lookup.unanswered(missing)
        if not places[asset_id]:
            raise self._lookup.unknown(asset_id)
        control = Forget(asset_id=asset_id).model_dump_json().encode()
        return [
            await self._measurements.append(asset_id.encode(), [control], partition)
            for partition in sorted(places[asset_id])
        ]

    async def _place(self, asset_id: str) -> _Place:
        home = self._measurements.partition_of(asset_id.encode())
        try:
            found = await self._find(asset_id)
        except NotFoundError:
            return _Place(home, 0, AssetSpec())
        return replace(found, partition=home) if self._at_home else found

    async def _find(self, asset_id: str) -> _Place:
        found = await self._lookup.find(asset_id, f"assets/{quote(asset_id, safe='')}/spec")
        if isinstance(found, Local):
            return _Place(found.partition, found.summary.rows, found.summary.spec)
        answer = SpecAnswer.model_validate_json(found.body)
        return _Place(answer.meta.partition, answer.meta.rows, answer.spec)
