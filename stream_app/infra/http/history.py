"""The past, from the history store: a metric of one asset over time, and of all assets at one time."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from starlette.responses import Response

from schemas.history import FleetAnswer, HistoryAnswer
from stream_app.infra.http import answers
from stream_app.infra.http.deps import AssetPath, ServicesDep, StrictRoute
from stream_app.infra.http.problems import describe
from stream_app.usecases.history_queries import MOST_STEPS
from stream_app.usecases.rights import current_rights

# The store is asked, not the worker's state: these answer while the worker recovers.
router = APIRouter(prefix="/api/v1", tags=["history"], route_class=StrictRoute, responses=describe(422, 501, 503))

MetricName = Annotated[
    str,
    Query(
        max_length=100,
        description="Metric; of a list one number, such as `soc_dwell_s.3`, counted from 0",
        examples=["soc_mean_percent"],
    ),
]


@router.get("/assets/{asset_id}/history", response_model=HistoryAnswer, responses=describe(404))
async def asset_history(
    *,
    asset_id: AssetPath,
    services: ServicesDep,
    metric: MetricName,
    size: Annotated[str, Query(max_length=10, description="Window size", examples=["15m"])] = "15m",
    start: Annotated[
        AwareDatetime | None,
        Query(
            alias="from",
            description="ISO 8601 with offset; without it 1,000 windows",
            examples=["2026-03-01T00:00:00Z"],
        ),
    ] = None,
    end: Annotated[
        AwareDatetime | None,
        Query(alias="to", description="Exclusive; without it to the newest window", examples=["2026-06-01T00:00:00Z"]),
    ] = None,
    points: Annotated[
        int | None,
        Query(ge=1, le=MOST_STEPS, description="At most so many steps: windows are put together", examples=[500]),
    ] = None,
) -> Response:
    """Return a metric of an asset over time, on an even grid; null where there is no value.

    `undefined` tells how many windows of the time are there and have no value, and why. With `points` a step is the
    mean of several windows, with the lowest and the highest of them.
    """
    found = await services.history.series(asset_id, metric, size, start=start, end=end, points=points)
    content = {field.name: getattr(found, field.name) for field in fields(found)}
    return answers.json(content | {"start": _iso(found.start), "end": _iso(found.end)})


@router.get("/fleet", response_model=FleetAnswer)
async def fleet(
    *,
    services: ServicesDep,
    metric: MetricName,
    at: Annotated[
        AwareDatetime | None,
        Query(description="A time in the window; without it each asset's newest", examples=["2026-03-01T12:00:00Z"]),
    ] = None,
    size: Annotated[str, Query(max_length=10, description="Window size, or `lifetime`", examples=["1d"])] = "15m",
    order: Annotated[Literal["desc", "asc"], Query(description="Largest or smallest value first")] = "desc",
    limit: Annotated[int, Query(ge=1, le=1000, description="Assets at most")] = 20,
) -> Response:
    """Return the assets with the largest or smallest values of a metric, and how many have a value at all."""
    found = await services.history.fleet(metric, size, current_rights(), at=at, descending=order == "desc", limit=limit)
    ranked: list[dict[str, Any]] = [
        {"asset_id": each.asset_id, "value": each.value, "start": _iso(each.start), "final": each.final}
        for each in found.ranking.assets
    ]
    return answers.json(
        {
            "metric": found.metric,
            "unit": found.unit,
            "size": found.size,
            "at": None if found.at is None else _iso(found.at),
            "assets": ranked,
            "defined": found.ranking.defined,
            "undefined": found.ranking.undefined,
        }
    )


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
