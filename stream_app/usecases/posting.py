"""Rows, specs and deletions that come over HTTP: appended to the partition in which the asset's rows live."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import quote

from pydantic import ValidationError

from schemas.asset import AssetSpec, is_upload, window_size_s
from schemas.control import Forget, SpecControl
from schemas.lookup import SpecAnswer
from stream_app.usecases.errors import ChangedError, InvalidError, NotFoundError
from stream_app.usecases.lookup import Local, Lookup
from stream_app.usecases.ports import MeasurementLog, PostedKind, RowReader
from stream_app.usecases.receipts import Receipts
from stream_app.usecases.rights import current_rights
from stream_app.usecases.spec_change import SpecWritten, reset_fields, spec_tag

#: Assets that are looked up in the tables before others have the event loop: a few ms.
_LOOKED_UP_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Written:
    """Where an asset's rows stand: at most at this offset of the partition."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Posted:
    """Rows that are in Kafka, and by asset where."""

    rows: int
    written: dict[str, Written]


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
    receipts
        Of rows that had a key.
    at_home
        Whether rows are taken in the partition alone that the default partitioner chooses.
    """

    def __init__(
        self,
        lookup: Lookup,
        measurements: MeasurementLog,
        rows: RowReader,
        windows: Sequence[str],
        receipts: Receipts,
        *,
        at_home: bool = False,
    ) -> None:
        self._lookup, self._receipts = lookup, receipts
        self._windows = tuple(windows)
        self._measurements = measurements
        self._rows = rows
        self._at_home = at_home

    async def measurements(
        self, body: bytes, key: str | None = None, *, kind: PostedKind = "json", asset_id: str | None = None
    ) -> Posted:
        """Append posted rows, all or, if one of them is wrong, none; all are acked by the broker.

        Parameters
        ----------
        asset_id
            Of rows in a table that does not name it.
        key
            The same body with the same key is written once.

        Raises
        ------
        ConflictError
            Another body had the key, or writing this one was broken off.
        InvalidError
            A row is wrong; nothing was sent.
        NotFoundError
            An asset does not exist for the asker.
        UnavailableError
            The broker did not take all of them, or where an asset lives cannot be told now.
        """
        self._lookup.require_ready()
        messages = await asyncio.to_thread(self._rows.posted, body, kind, asset_id, self._specs())
        rights = current_rights()
        for name in messages:
            if not rights.sees(name):
                raise NotFoundError("unknown_asset", f"no row of asset {name!r} has been processed; check the id")
        places = await self._places(list(messages))
        by_partition: dict[int, list[tuple[bytes, bytes]]] = {}
        for name, of_asset in messages.items():
            records = by_partition.setdefault(places[name], [])
            records += ((name.encode(), message.value) for message in of_asset)
        append = partial(self._append, by_partition)
        last = await (append() if key is None else self._receipts.ends(body + (asset_id or "").encode(), key, append))
        return Posted(
            rows=sum(message.rows for of_asset in messages.values() for message in of_asset),
            written={name: Written(p, last[p]) for name, p in places.items() if p in last},
        )

    def _specs(self) -> Callable[[str], AssetSpec]:
        """Looks up specs for a thread that reads rows; a spec that the asker may not see is the default one."""
        loop = asyncio.get_running_loop()

        async def found(asset_id: str) -> AssetSpec:
            return (await self._place(asset_id)).spec if current_rights().sees(asset_id) else AssetSpec()

        return lambda asset_id: asyncio.run_coroutine_threadsafe(found(asset_id), loop).result()

    async def _append(self, by_partition: Mapping[int, Sequence[tuple[bytes, bytes]]]) -> dict[int, int]:
        """Append records to their partitions; returns the offset of the last of each."""
        ends = await asyncio.gather(*(self._measurements.append_to(p, records) for p, records in by_partition.items()))
        return dict(zip(by_partition, ends, strict=True))

    async def _places(self, asset_ids: Sequence[str]) -> dict[str, int]:
        """Partition of each asset: where its rows are, asked of the others for all of them at once."""
        home = {asset_id: self._measurements.partition_of(asset_id.encode()) for asset_id in asset_ids}
        if self._at_home:
            return home
        places, unsure = dict[str, int](), list[str]()
        # Another worker may have rows of an asset of which this one knows a spec alone.
        is_all_here = len(set(self._lookup.tables.partitions())) == self._lookup.cluster.partition_count()
        for number, asset_id in enumerate(asset_ids):
            if number % _LOOKED_UP_AT_ONCE == 0:
                await asyncio.sleep(0)
            here = self._lookup.places.here(asset_id)
            if len(here) == 1 and (is_all_here or self._lookup.progress(asset_id, here[0])):
                places[asset_id] = here[0]
            else:
                unsure.append(asset_id)
        found, missing = await self._lookup.places.everywhere(unsure)
        if unsure and missing:
            raise self._lookup.unanswered(missing)
        for asset_id in unsure:
            match sorted(found[asset_id]):
                case []:
                    places[asset_id] = home[asset_id]
                case [only]:
                    places[asset_id] = only
                case _:  # several partitioners: the one with most rows
                    places[asset_id] = (await self._place(asset_id)).partition
        return places

    async def spec(self, asset_id: str, spec: AssetSpec, *, if_match: str | None = None) -> SpecWritten:
        """Append a spec, which holds for the rows after it.

        Parameters
        ----------
        if_match
            The spec that is in force has to have one of these tags (:func:`spec_tag`), as in the header If-Match.

        Raises
        ------
        ChangedError
            It has another one.
        InvalidError
            The spec changes the window sizes of an asset that has rows; the asset is an upload.
        UnavailableError
            The broker did not take it, or where the asset lives cannot be told now.
        """
        self._require_writable(asset_id)
        return await self._put(asset_id, await self._matching(asset_id, if_match), spec)

    async def patch_spec(
        self, asset_id: str, changes: Mapping[str, object], *, if_match: str | None = None
    ) -> SpecWritten:
        """Change some fields of a spec and leave the others; a field that is null gets its default.

        Raises
        ------
        ChangedError, InvalidError, UnavailableError
            As :meth:`spec`; a field is wrong.
        """
        self._require_writable(asset_id)
        place = await self._matching(asset_id, if_match)
        fields = {**place.spec.model_dump(mode="json", exclude_unset=True), **changes}
        try:
            spec = AssetSpec.model_validate({name: value for name, value in fields.items() if value is not None})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = str(first["loc"][0]) if first["loc"] else None
            raise InvalidError("bad_request_field", f"{field}: {first['msg']}", column=field) from None
        return await self._put(asset_id, place, spec)

    def _require_writable(self, asset_id: str) -> None:
        self._lookup.require_ready()
        if is_upload(asset_id):
            detail = f"{asset_id} is an upload, read by the spec it came with: upload the file again with another one"
            raise InvalidError("reserved_asset", detail, column="asset_id")

    async def _matching(self, asset_id: str, if_match: str | None) -> _Place:
        place = await self._place(asset_id)
        if if_match is not None and if_match.strip() != "*":
            tags = {tag.strip() for tag in if_match.split(",")}
            if (tag := spec_tag(place.spec)) not in tags:
                raise ChangedError("changed_meanwhile", f"the spec in force has the ETag {tag}, not {if_match}")
        return place

    async def _put(self, asset_id: str, place: _Place, spec: AssetSpec) -> SpecWritten:
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
        partition, offset = await self._measurements.append(asset_id.encode(), [control], place.partition)
        return SpecWritten(partition, offset, reset_fields(place.spec, spec))

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
