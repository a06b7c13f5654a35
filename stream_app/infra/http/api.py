"""The API: middleware, problems, routes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from stream_app import __version__
from stream_app.infra.http import (
    assets,
    catalogue,
    dead_letters,
    doctor,
    events,
    fleet,
    fleet_events,
    health,
    history,
    measurements,
    passport,
    places,
    problems,
    reports,
    sessions,
    system,
    tasks,
)
from stream_app.infra.http.access import Access
from stream_app.infra.http.bodies import BodyDeadline, BodyLimit, Drain
from stream_app.infra.http.deps import Services
from stream_app.infra.http.documentation import create_documented
from stream_app.infra.http.edge import ConditionalGet, Head, HostCheck, OriginCheck
from stream_app.infra.http.inflation import Inflation
from stream_app.infra.http.pages import files, site
from stream_app.infra.http.security import SecurityHeaders
from stream_app.infra.http.upload_space import UploadSpace
from stream_app.infra.telemetry import REQUEST_ID_HEADER, RequestLog, expect_requests
from stream_app.usecases.credentials import Credentials

if TYPE_CHECKING:
    from stream_app.infra.http.rates import Rates

#: What a multipart body adds to the file in it, generously.
_MULTIPART_OVERHEAD_BYTES = 64 << 10

#: Smaller answers, as most look-ups are, cost more to compress than to send.
_COMPRESSED_FROM_BYTES = 4096
_COMPRESSION = 4

_TAGS = [
    {"name": "tasks", "description": "Look at a file, upload it, poll its result"},
    {"name": "assets", "description": "Look up what is computed; say how an asset's rows are to be read"},
    {"name": "history", "description": "The past, where the deployment keeps it in a database"},
    {"name": "measurements", "description": "Send rows over HTTP instead of Kafka"},
    {"name": "catalogue", "description": "What is computed, and how"},
    {"name": "system", "description": "The workers of the group"},
    {"name": "session", "description": "Who asks; sessions of browsers"},
    {"name": "health", "description": "Probes"},
]

_DESCRIPTION = (
    "Metrics of battery telemetry, computed as the rows come in. Every worker answers every question; each answer "
    "tells how fresh it is and who gave it. Errors are problem details (RFC 9457) with a stable `code`."
)


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """What a deployment decides about the API.

    Parameters
    ----------
    max_upload_bytes, max_body_bytes
        Largest uploaded file; largest body of any other request.
    cors_origins
        Origins whose pages may use the API.
    cors_credentials
        Whether they may send cookies and authorisation.
    allowed_hosts
        Names of this server in requests, beside addresses and names without a dot.
    credentials
        Tells the rights of a key, token or session; None: everybody has all.
    rates
        Limits of how often somebody may ask; None: there are none.
    tls
        Whether the server speaks TLS: browsers are told to insist on it.
    upload_quota_bytes
        Room of all files together that are being uploaded and read.
    has_figures
        Whether the figures for Prometheus are here, not on a port of their own.
    """

    max_upload_bytes: int
    max_body_bytes: int
    upload_quota_bytes: int = 4 << 30
    has_figures: bool = True
    cors_origins: Sequence[str] = ()
    cors_credentials: bool = False
    allowed_hosts: Sequence[str] = ()
    credentials: Credentials | None = None
    rates: Rates | None = None
    tls: bool = False


def create_api(services: Services, options: ApiOptions) -> FastAPI:
    """Return the application; it serves from the first second and answers 503 until the worker is ready."""
    upload_limit = options.max_upload_bytes + _MULTIPART_OVERHEAD_BYTES
    cors = Middleware(
        CORSMiddleware,
        allow_origins=list(options.cors_origins),
        allow_credentials=options.cors_credentials,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            *("Content-Type", "Content-Encoding", "Authorization", "Idempotency-Key", "Last-Event-ID"),
            *("If-Match", "If-None-Match", REQUEST_ID_HEADER),
        ],
        expose_headers=["ETag", "Location", "Retry-After", REQUEST_ID_HEADER],
    )
    api = create_documented(
        title="Battery telemetry processor",
        description=_DESCRIPTION,
        version=__version__,
        openapi_tags=_TAGS,
        redirect_slashes=False,
        # Outermost first: what is inside gets the id and the headers, also when it fails.
        middleware=[
            Middleware(RequestLog),
            Middleware(SecurityHeaders, tls=options.tls),
            Middleware(Drain),
            Middleware(Head),
            Middleware(HostCheck, allowed=options.allowed_hosts),
            *([cors] if options.cors_origins else []),
            Middleware(OriginCheck, allowed=options.cors_origins),
            Middleware(Access, credentials=options.credentials, hop_key=services.hop_key, rates=options.rates),
            Middleware(ConditionalGet),
            Middleware(GZipMiddleware, minimum_size=_COMPRESSED_FROM_BYTES, compresslevel=_COMPRESSION),
            Middleware(problems.UnexpectedErrors),
            Middleware(BodyDeadline),
            Middleware(Inflation),
            Middleware(
                BodyLimit,
                max_bytes=options.max_body_bytes,
                by_path=dict.fromkeys((*tasks.UPLOAD_PATHS, doctor.PATH), upload_limit),
            ),
        ],
    )
    api.state.services = services
    api.state.upload_space = UploadSpace(options.upload_quota_bytes)
    api.state.credentials, api.state.rates = options.credentials, options.rates
    problems.install(api)
    nouns: tuple[ModuleType, ...] = (tasks, doctor, fleet, assets, history, reports, passport, events, measurements)
    nouns += (catalogue, fleet_events, system, dead_letters, sessions, health, places)
    routers: list[APIRouter] = [noun.router for noun in nouns] + [health.figures] * options.has_figures
    for router in (*routers, files.router, site.router):
        api.include_router(router)
    api.state.routes = [route for router in routers for route in router.routes]
    expect_requests((method, route.path) for route in api.state.routes for method in sorted(route.methods))
    return api
