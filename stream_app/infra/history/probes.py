"""Probes and figures of the history process over HTTP."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stream_app.infra.history.figures import CONSUMING, Figures


def probes(figures: Figures) -> Starlette:
    """Return the application: ``/health/live``, ``/health/ready`` and ``/metrics``."""

    def answer(status: int) -> Response:
        phase, detail = figures.state
        return JSONResponse({"phase": phase, "detail": detail}, status)

    async def live(request: Request) -> Response:
        return answer(200)

    async def ready(request: Request) -> Response:
        return answer(200 if figures.state[0] == CONSUMING else 503)

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(figures.registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", metrics)])
