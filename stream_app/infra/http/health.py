"""Probes and figures for monitoring. They answer from the first second, whatever Kafka does."""

from __future__ import annotations

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from schemas.lookup import WorkerHealth
from stream_app.infra.http.deps import ServicesDep
from stream_app.infra.http.problems import ProblemResponse, describe

router = APIRouter(tags=["health"])
figures = APIRouter(tags=["health"])


@router.get("/api", include_in_schema=False)
@router.get("/api/")
async def ping() -> str:
    """Answer OK."""
    return "OK"


@router.get("/health/live", response_model=WorkerHealth)
async def live(services: ServicesDep) -> WorkerHealth:
    """Answer while the process can answer at all; a restart does not help a worker that waits for Kafka."""
    status = services.cluster.status()
    return WorkerHealth(phase=status.phase, detail=status.detail)


@router.get("/health/ready", response_model=WorkerHealth, responses=describe(503))
async def ready(request: Request, services: ServicesDep) -> WorkerHealth | Response:
    """Answer 200 when the worker has all its state and Kafka answers it."""
    status = services.cluster.status()
    if status.phase == "ready" and status.connected and not status.obstacle:
        return WorkerHealth(phase=status.phase, detail=status.detail)
    detail = status.obstacle or status.detail or f"the worker is {status.phase.replace('_', ' ')}"
    if status.phase == "ready" and not status.connected:
        reason = status.obstacle or "Kafka does not answer"
        detail = f"{reason}: look-ups are answered from what was there before, marked as stale"
    return ProblemResponse(request.scope, 503, "not_ready", detail, phase=status.phase, headers={"Retry-After": "2"})


@figures.get("/metrics", response_class=Response, include_in_schema=False)
async def metrics() -> Response:
    """Answer this process in figures, in the text format of Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
