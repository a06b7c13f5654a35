"""Look-ups of assets and their windows; their specs; deletion."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from schemas.asset import AssetSpec
from schemas.lookup import AssetAnswer, AssetPage, Deleted, SpecAccepted, SpecAnswer, WindowsAnswer
from stream_app.infra.http import answers
from stream_app.infra.http.deps import AssetPath, Hop, Limit, ReadyRoute, ServicesDep
from stream_app.infra.http.problems import describe
from stream_app.usecases.ports import PeerAnswer

MinOffset = Annotated[
    int | None,
    Query(ge=0, description="Wait (1.5 s at most, then 503) until this offset of its partition is included"),
]

router = APIRouter(prefix="/api/v1/assets", tags=["assets"], route_class=ReadyRoute, responses=describe(422, 503))


@router.get("", response_model=AssetPage)
async def list_assets(
    services: ServicesDep,
    hop: Hop,
    prefix: Annotated[str, Query(description="Only ids that begin so", examples=["bess-"])] = "",
    cursor: Annotated[str, Query(description="`next_cursor` of the page before")] = "",
    limit: Limit = 100,
) -> Response:
    """List the assets of all workers by id. An upload is an asset too, named `upload-` and its task id."""
    return answers.json(await services.queries.assets(prefix=prefix, cursor=cursor, limit=limit, hop=hop))


@router.get("/{asset_id}", response_model=AssetAnswer, responses=describe(404))
async def get_asset(asset_id: AssetPath, services: ServicesDep, hop: Hop, min_offset: MinOffset = None) -> Response:
    """Return an asset's lifetime and open windows. Any worker answers; it asks the one that has the asset."""
    found = await services.queries.asset(asset_id, min_offset=min_offset, hop=hop)
    return answers.relay(found) if isinstance(found, PeerAnswer) else answers.asset(found)


@router.delete("/{asset_id}", status_code=202, response_model=Deleted, responses=describe(404))
async def delete_asset(asset_id: AssetPath, services: ServicesDep) -> Deleted:
    """Delete an asset's state and windows: the record stands among its rows, and rows after it begin anew.

    An asset with rows in several partitions, since its producers use different partitioners, is deleted in each.
    """
    (partition, offset), *others = await services.posting.forget(asset_id)
    return Deleted(asset_id=asset_id, partition=partition, offset=offset, also_in=[place for place, _ in others])


@router.get("/{asset_id}/windows/{size}", response_model=WindowsAnswer, responses=describe(404))
async def list_windows(
    *,
    asset_id: AssetPath,
    size: Annotated[str, Path(description="Window size", examples=["15m"])],
    services: ServicesDep,
    hop: Hop,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
    limit: Limit = 100,
) -> Response:
    """List an asset's windows of one size, oldest first: the newest closed ones and the open one.

    `next_cursor` leads to older windows.
    """
    found = await services.queries.windows(asset_id, size, limit=limit, cursor=cursor, hop=hop)
    return answers.relay(found) if isinstance(found, PeerAnswer) else await answers.windows(found)


@router.get("/{asset_id}/spec", response_model=SpecAnswer, responses=describe(404))
async def get_spec(asset_id: AssetPath, services: ServicesDep, hop: Hop, min_offset: MinOffset = None) -> Response:
    """Return the asset's nameplate and reading rules in force."""
    found = await services.queries.spec(asset_id, min_offset=min_offset, hop=hop)
    return answers.relay(found) if isinstance(found, PeerAnswer) else answers.spec(found)


@router.put("/{asset_id}/spec", status_code=202, response_model=SpecAccepted)
async def put_spec(asset_id: AssetPath, spec: AssetSpec, services: ServicesDep) -> SpecAccepted:
    """Replace the asset's spec, from here on: the record stands among the asset's rows and is ordered with them.

    The spec goes to the partition where the asset's rows live. Of an asset without rows that is the one that Kafka's
    default partitioner (murmur2) chooses; where producers use another one, put the spec after their first row.
    """
    partition, offset = await services.posting.spec(asset_id, spec)
    return SpecAccepted(asset_id=asset_id, partition=partition, offset=offset)
