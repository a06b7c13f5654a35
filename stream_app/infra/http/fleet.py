"""All assets: their list, and what they are together."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from schemas.asset import ASSET_ID_MAX_LENGTH, ASSET_ID_PATTERN
from schemas.fleet import AssetPage, FleetSummary
from stream_app.infra.http import answers
from stream_app.infra.http.deps import Hop, Limit, ReadyRoute, ServicesDep
from stream_app.infra.http.problems import describe
from stream_app.usecases.errors import InvalidError
from stream_app.usecases.fleet_order import Activity, Order, Wanted
from stream_app.usecases.rights import current_rights

_ASSET_ID: Final = re.compile(ASSET_ID_PATTERN)
#: What an asset id may begin with, or have in it.
_ID_PART: Final = r"^[^\s/\x00-\x1f\x7f]*$"
_MOST_METRICS: Final = 20
_CURSOR_MAX_LENGTH: Final = 4 * ASSET_ID_MAX_LENGTH + 400

router = APIRouter(tags=["assets"], route_class=ReadyRoute, responses=describe(422, 503))

IdPart = Annotated[str, Query(max_length=ASSET_ID_MAX_LENGTH, pattern=_ID_PART)]


@router.get("/api/v1/assets", response_model=AssetPage)
async def list_assets(
    *,
    services: ServicesDep,
    hop: Hop,
    prefix: Annotated[
        str, Query(max_length=200, pattern=_ID_PART, description="Only ids that begin so", examples=["bess-"])
    ] = "",
    q: Annotated[
        str, Query(max_length=200, pattern=_ID_PART, description="Only ids that have this in them, in any case")
    ] = "",
    state: Annotated[Activity | None, Query(description="Only assets that do this now")] = None,
    uploads: Annotated[bool, Query(description="Whether uploads are among them")] = True,
    sort: Annotated[
        str,
        Query(
            max_length=100,
            description="asset, rows, last_time, received_time, soc_percent, power_w, or a metric of the lifetime that "
            "is one number; undefined values come last in either order",
            examples=["soc_percent"],
        ),
    ] = "asset",
    order: Annotated[Order, Query(description="Ascending or descending; of equal ones always by id")] = "asc",
    metrics: Annotated[
        str,
        Query(
            max_length=2000,
            description=f"Metrics of the lifetime that each item shows, with commas between; {_MOST_METRICS} at most",
            examples=["energy_in_kwh,energy_out_kwh"],
        ),
    ] = "",
    cursor: Annotated[str, Query(description="`next_cursor` of the page before, in the same order")] = "",
    limit: Limit = 100,
) -> Response:
    """List the assets of all workers. An upload is an asset too, named `upload-` and its task id.

    In another order than by id each page is as of the moment when it is asked for: an asset whose value changes
    meanwhile may come twice, or not at all.
    """
    by_id = sort == "asset" and order == "asc"
    if len(cursor) > _CURSOR_MAX_LENGTH or (cursor and by_id and _ASSET_ID.fullmatch(cursor) is None):
        raise InvalidError(
            "bad_cursor", "the cursor is no asset id: use next_cursor of the page before", column="cursor"
        )
    rights = current_rights()
    narrowed = rights.narrowed(prefix)
    wanted = Wanted(
        prefix=narrowed or rights.prefix,
        search=q,
        state=state,
        uploads=uploads,
        sort=sort,
        order=order,
        cursor=cursor,
        limit=limit,
        metrics=_names(metrics),
    )
    found = await services.assets.page(wanted, hop=hop)
    content = {each.name: getattr(found, each.name) for each in fields(found)}
    if not hop:
        del content["values"]
    if narrowed is None:  # no asset that exists for the asker begins so
        content |= {"assets": [], "next_cursor": None}
    return answers.json(content)


def _names(metrics: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in metrics.split(",") if name.strip()))
    if len(names) > _MOST_METRICS:
        detail = f"an item shows {_MOST_METRICS} metrics at most, not {len(names)}: ask for fewer"
        raise InvalidError("bad_request_field", detail, column="metrics")
    return names


@router.get("/api/v1/fleet/summary", response_model=FleetSummary)
async def get_summary(services: ServicesDep, hop: Hop) -> Response:
    """Count the assets by what they do, and add up their power now and their energy today.

    A number that cannot be stood by is null, with the reason.
    """
    return answers.json(await services.fleet.summary(hop=hop))
