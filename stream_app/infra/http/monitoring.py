"""Probes and figures on a port of their own, for those who keep them apart from the API."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.middleware import Middleware

from stream_app.infra.http import health, problems
from stream_app.infra.http.deps import Services
from stream_app.infra.http.edge import Head, HostCheck
from stream_app.infra.http.security import SecurityHeaders
from stream_app.infra.telemetry import RequestLog


def create_monitoring(services: Services, allowed_hosts: Sequence[str] = ()) -> FastAPI:
    """Return the application: ``/health/live``, ``/health/ready`` and ``/metrics``, open to all who reach the port."""
    app = FastAPI(
        openapi_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(RequestLog),
            Middleware(SecurityHeaders, tls=False),
            Middleware(Head),
            Middleware(HostCheck, allowed=allowed_hosts),
            Middleware(problems.UnexpectedErrors),
        ],
    )
    app.state.services = services
    problems.install(app)
    for router in (health.router, health.figures):
        app.include_router(router)
    app.state.routes = [*health.router.routes, *health.figures.routes]
    return app
