"""The workers of the group."""

from __future__ import annotations

from fastapi import APIRouter

from schemas.system import SystemAnswer
from stream_app.infra.http.deps import Hop, ReadyRoute, ServicesDep
from stream_app.infra.http.problems import describe
from stream_app.usecases.system import System

router = APIRouter(tags=["system"], route_class=ReadyRoute, responses=describe(422, 503))


@router.get("/api/v1/system", response_model=SystemAnswer)
async def get_system(services: ServicesDep, hop: Hop) -> SystemAnswer:
    """List the workers, the partitions that each has, and how far behind they are."""
    system = System(services.lookup)
    return system.here() if hop else await system.everywhere()
