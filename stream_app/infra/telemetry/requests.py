"""Requests in the log and in figures: an id in each entry, one entry and one count per request."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Final

import structlog
from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream_app.infra.traces import TRACEPARENT, traced_request

REQUEST_ID_HEADER = "X-Request-ID"

#: What others may put into our log.
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")

#: Path of requests that no route takes: scanners choose what they ask for.
_NO_ROUTE: Final = "(none)"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: Asked again and again, and of no request of a user's.
_UNTRACED: Final = ("/health/", "/metrics")
_STATUSES: Final = ("2xx", "3xx", "4xx", "5xx")

_REQUESTS: Final = Counter(
    "stream_http_requests",
    "HTTP requests by the template of their path and the class of the answer's status",
    ["method", "path", "status"],
)
_REQUEST_S: Final = Histogram(
    "stream_http_request_seconds",
    "Time from a request's head until the end of its answer",
    ["method", "path"],
    buckets=(0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0),
)

log = structlog.stdlib.get_logger(__name__)


def expect_requests(routes: Iterable[tuple[str, str]]) -> None:
    """Let the counts of these methods and paths begin at 0: an alert sees the first error."""
    for method, path in routes:
        for status in _STATUSES:
            _REQUESTS.labels(method, path, status)


def request_id() -> str | None:
    """Id of the request that is being answered; None outside of one."""
    value = structlog.contextvars.get_contextvars().get("request_id")
    return None if value is None else str(value)


class RequestLog:
    """Gives each request an id, taken from X-Request-ID or made, logs one entry when it is answered and counts it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(REQUEST_ID_HEADER, "")
        current = given if _REQUEST_ID.match(given) else uuid.uuid4().hex
        status = 0  # no answer was begun
        begin = time.perf_counter()

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = current
            await send(message)

        is_traced = not scope["path"].startswith(_UNTRACED)
        span_of = traced_request(scope["method"], headers.get(TRACEPARENT)) if is_traced else nullcontext()
        with structlog.contextvars.bound_contextvars(request_id=current), span_of as span:
            try:
                await self._app(scope, receive, note)
            finally:
                # The template, not the path: ids belong into the answer, not into every log line.
                path = getattr(scope.get("route"), "path", _NO_ROUTE)
                level = logging.DEBUG if path.startswith("/health/") else logging.INFO
                took_s = time.perf_counter() - begin
                log.log(level, "request", method=scope["method"], path=path, status=status, ms=round(took_s * 1000, 1))
                _count(scope["method"], path, status, took_s)
                if span is not None:
                    span.update_name(f"{scope['method']} {path}")
                    span.set_attributes({"http.route": path, "http.response.status_code": status})
                structlog.contextvars.unbind_contextvars("task_id")  # a handler may have bound it


def _count(method: str, path: str, status: int, took_s: float) -> None:
    method = method if method in _METHODS else "other"
    # Without an answer, the connection broke or the worker failed.
    _REQUESTS.labels(method, path, f"{status // 100}xx" if status else "5xx").inc()
    _REQUEST_S.labels(method, path).observe(took_s)
