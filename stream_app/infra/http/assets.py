"""Look-ups of assets and their windows; their specs; deletion."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Path, Query
from fastapi.openapi.models import Example
from pydantic import AwareDatetime
from starlette.responses import Response

from schemas.asset import AssetSpec
from schemas.lookup import AssetAnswer, Deleted, SpecAccepted, SpecAnswer, TemperaturesAnswer, WindowsAnswer
from stream_app.infra.http import answers
from stream_app.infra.http.deps import AssetPath, Hop, Limit, ReadyRoute, ServicesDep
from stream_app.infra.http.metric_choice import Chosen, chosen
from stream_app.infra.http.problems import describe
from stream_app.infra.http.spans import Span
from stream_app.usecases.ports import PeerAnswer
from stream_app.usecases.queries import TimeRange

MinOffset = Annotated[
    int | None,
    Query(
        ge=0, lt=1 << 63, description="Wait (1.5 s at most, then 503) until this offset of its partition is included"
    ),
]

IfMatch = Annotated[str | None, Header(description="ETag of the spec that this replaces; another one is 412")]

_SPECS: dict[str, Example] = {"nameplate": {"summary": "A pack's capacity", "value": {"nominal_capacity_ah": 94.0}}}

router = APIRouter(prefix="/api/v1/assets", tags=["assets"], route_class=ReadyRoute, responses=describe(422, 503))


@router.get("/{asset_id}", response_model=AssetAnswer, responses=describe(404))
async def get_asset(
    asset_id: AssetPath,
    services: ServicesDep,
    hop: Hop,
    span: Span = None,
    metrics: Chosen = None,
    min_offset: MinOffset = None,
) -> Response:
    """Return an asset's lifetime and open windows. Any worker answers; it asks the one that has the asset."""
    names = chosen(metrics, services.catalogue)
    found = await services.queries.asset(asset_id, span=span, metrics=metrics, min_offset=min_offset, hop=hop)
    return answers.relay(found) if isinstance(found, PeerAnswer) else answers.asset(found, names)


@router.delete("/{asset_id}", status_code=202, response_model=Deleted, responses=describe(403, 404))
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
    start: Annotated[
        AwareDatetime | None,
        Query(alias="from", description="Windows that begin then or later", examples=["2026-03-01T00:00:00Z"]),
    ] = None,
    end: Annotated[
        AwareDatetime | None,
        Query(alias="to", description="Windows that begin before", examples=["2026-06-01T00:00:00Z"]),
    ] = None,
    metrics: Chosen = None,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
    limit: Limit = 100,
) -> Response:
    """List an asset's windows of one size, oldest first: the newest closed ones and the open one.

    `next_cursor` leads to older windows. With `from` and `to` those of a time, as far as they are kept here; the
    history has older ones.
    """
    names, time = chosen(metrics, services.catalogue), TimeRange(start, end)
    found = await services.queries.windows(
        asset_id, size, limit=limit, cursor=cursor, time=time, metrics=metrics, hop=hop
    )
    return answers.relay(found) if isinstance(found, PeerAnswer) else await answers.windows(found, names)


@router.get("/{asset_id}/temperatures", response_model=TemperaturesAnswer, responses=describe(404))
async def get_temperatures(
    asset_id: AssetPath,
    services: ServicesDep,
    hop: Hop,
    size: Annotated[str, Query(description="Size of the windows", examples=["15m"])] = "1h",
    metrics: Chosen = None,
) -> Response:
    """Return the asset by its temperature: windows whose mean temperature is within the same 5 K, as one.

    Efficiency, capacity, resistance and the time by state of charge of each bin, from the closed windows that are kept
    (`STREAM_KEEP_WINDOWS`) and the open one. Windows merge as a rolling look-up does, with sigma and coverage.
    """
    names = chosen(metrics, services.catalogue)
    found = await services.temperatures.by_temperature(asset_id, size, metrics=metrics, hop=hop)
    return answers.relay(found) if isinstance(found, PeerAnswer) else answers.temperatures(found, names)


@router.get("/{asset_id}/spec", response_model=SpecAnswer, responses=describe(404))
async def get_spec(asset_id: AssetPath, services: ServicesDep, hop: Hop, min_offset: MinOffset = None) -> Response:
    """Return the asset's nameplate and reading rules in force."""
    found = await services.queries.spec(asset_id, min_offset=min_offset, hop=hop)
    return answers.relay(found) if isinstance(found, PeerAnswer) else answers.spec(found)


@router.put(
    "/{asset_id}/spec", status_code=202, response_model=SpecAccepted, responses=describe(403, 408, 412, 413, 415)
)
async def put_spec(
    asset_id: AssetPath,
    spec: Annotated[AssetSpec, Body(openapi_examples=_SPECS)],
    services: ServicesDep,
    if_match: IfMatch = None,
) -> SpecAccepted:
    """Replace the whole spec, from here on: the record stands among the asset's rows and is ordered with them.

    Fields that are left out get their defaults, and `reset` names those that had another value; PATCH leaves them as
    they are.

    The spec goes to the partition where the asset's rows live. Of an asset without rows that is the one that Kafka's
    default partitioner (murmur2) chooses; where producers use another one, put the spec after their first row.
    """
    put = await services.posting.spec(asset_id, spec, if_match=if_match)
    return SpecAccepted(asset_id=asset_id, **asdict(put))


@router.patch(
    "/{asset_id}/spec", status_code=202, response_model=SpecAccepted, responses=describe(403, 408, 412, 413, 415)
)
async def patch_spec(
    asset_id: AssetPath,
    changes: Annotated[dict[str, Any], Body(openapi_examples=_SPECS)],
    services: ServicesDep,
    if_match: IfMatch = None,
) -> SpecAccepted:
    """Change fields of the spec and leave the others; null gives a field its default.

    It is read, changed and put: with If-Match (the ETag of GET) a change that came between is told, 412. Of two that
    are sent at the same moment the later one holds.
    """
    put = await services.posting.patch_spec(asset_id, changes, if_match=if_match)
    return SpecAccepted(asset_id=asset_id, **asdict(put))
