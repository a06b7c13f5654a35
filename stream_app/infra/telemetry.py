"""Logging: one format for everything that logs, a request id in each entry, one entry per request."""

from __future__ import annotations

import logging
import re
import sys
import time
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID_HEADER = "X-Request-ID"

#: What others may put into our log.
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")

#: These tell each request, heartbeat or assignment at INFO.
_QUIET = ("faust", "mode", "aiokafka", "httpx", "httpcore", "uvicorn", "asyncio")

log = structlog.stdlib.get_logger(__name__)


def configure_logging(level: str, *, json: bool) -> None:
    """Send all logging through structlog to stderr: one JSON object per entry, or coloured text for people."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    final: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if json:
        final += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        final += [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=final))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(max(logging.WARNING, root.level))


def request_id() -> str | None:
    """Id of the request that is being answered; None outside of one."""
    value = structlog.contextvars.get_contextvars().get("request_id")
    return None if value is None else str(value)


class RequestLog:
    """Gives each request an id, taken from X-Request-ID or made, and logs one entry when it is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        current = given if _REQUEST_ID.match(given) else uuid.uuid4().hex
        status = 0  # no answer was begun
        begin = time.perf_counter()

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = current
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=current):
            try:
                await self._app(scope, receive, note)
            finally:
                # The template, not the path: ids belong into the answer, not into every log line.
                path = getattr(scope.get("route"), "path", "(none)")
                level = logging.DEBUG if path.startswith("/health/") else logging.INFO
                ms = round((time.perf_counter() - begin) * 1000, 1)
                log.log(level, "request", method=scope["method"], path=path, status=status, ms=ms)
