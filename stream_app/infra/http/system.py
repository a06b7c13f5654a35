"""The workers of the group."""

from __future__ import annotations

from fastapi import APIRouter

from schemas.system import HistoryAnswer, SystemAnswer
from stream_app.infra.http.deps import Hop, ReadyRoute, ServicesDep
from stream_app.infra.http.problems import describe

router = APIRouter(tags=["system"], route_class=ReadyRoute, responses=describe(422, 503))


@router.get("/api/v1/system", response_model=SystemAnswer)
async def get_system(services: ServicesDep, hop: Hop) -> SystemAnswer:
    """List the workers, the partitions that each has, and how far behind they are."""
    return services.system.here() if hop else await services.system.everywhere()


@router.get("/api/v1/system/history", response_model=HistoryAnswer)
async def get_history(services: ServicesDep, hop: Hop) -> HistoryAnswer:
    """Tell rates and lags of the last hour, by worker and partition, in steps of ten seconds."""
    return services.system.history_here() if hop else await services.system.history()
