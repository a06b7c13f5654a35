"""Logging: one format for everything that logs, a request id in each entry, one entry per request."""

from __future__ import annotations

import logging
import math
import re
import sys
import time
import uuid
from collections import OrderedDict

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID_HEADER = "X-Request-ID"

#: What others may put into our log.
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")

#: These tell each request, heartbeat or assignment at INFO.
_QUIET = ("faust", "mode", "aiokafka", "httpx", "httpcore", "uvicorn", "asyncio")

#: Of entries that say the same, one in this time; a broker that is away makes its clients say it many times a second.
_REPEAT_S = 5.0
_REMEMBERED = 1024

log = structlog.stdlib.get_logger(__name__)


class Repeats(logging.Filter):
    """Lets a library's warnings pass once in a while; the next one to pass tells how many did not.

    A library is one of the quiet loggers, or Faust speaking as a subclass of ours: it marks its services with ``[^``.
    Entries say the same when they come from one logger with one message, whatever is put into it.
    """

    def __init__(self, every_s: float = _REPEAT_S) -> None:
        super().__init__()
        self._every_s = every_s
        self._seen: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide on an entry."""
        if not record.name.startswith(_QUIET) and not str(record.msg).startswith("[^"):
            return True
        if record.levelno < logging.WARNING:
            return False
        key = record.name, str(record.msg)[:80]
        passed_at, held = self._seen.get(key, (-math.inf, 0))
        if record.created - passed_at < self._every_s:
            self._seen[key] = passed_at, held + 1
            return False
        self._seen[key] = record.created, 0
        self._seen.move_to_end(key)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        if held:
            record.msg, record.args = f"{record.getMessage()} ({held} more like it)", ()
        return True


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
    handler.addFilter(Repeats())


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
