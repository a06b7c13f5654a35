"""Logging: one format for everything that logs, one line per entry, no secrets.

Ids that are bound (``structlog.contextvars``) stand in each entry: of the request and its task, or of the batch of
records that is being applied.
"""

from __future__ import annotations

import json
import logging
import math
import re
import sys
from collections import OrderedDict
from collections.abc import Collection
from typing import Final

import structlog

#: These tell each request, heartbeat or assignment at INFO.
_QUIET = ("faust", "mode", "aiokafka", "httpx", "httpcore", "uvicorn", "asyncio", "opentelemetry", "urllib3")

#: Of entries that say the same, one in this time; a broker that is away makes its clients say it many times a second.
_REPEAT_S = 5.0
_REMEMBERED = 1024

#: What looks like a secret, and what is left of it: API keys keep their id.
_SECRET_FORMS: Final = (
    (re.compile(r"\bsk\.([A-Za-z0-9_-]{1,32})\.[A-Za-z0-9_-]{16,}"), r"sk.\1.***"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), "***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 ***"),
    (re.compile(r"""(?i)(password["']?\s*[=:]\s*)(?:"[^"]*"|'[^']*'|[^\s,;&"')}]+)"""), r"\1***"),
    (re.compile(r"(://[^/\s:@]+):[^/\s@]+@"), r"\1:***@"),
)
#: A shorter one would be found within ordinary words.
_SECRET_LEAST: Final = 6


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


class Redaction:
    """Takes secrets out of a text: those given, and what looks like a key, a token or a password."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        long = {secret for secret in secrets if len(secret) >= _SECRET_LEAST}
        long |= {json.dumps(secret)[1:-1] for secret in long}
        found = "|".join(re.escape(secret) for secret in sorted(long, key=len, reverse=True))
        self._known = re.compile(found) if found else None

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        if self._known is not None:
            text = self._known.sub("***", text)
        for form, rest in _SECRET_FORMS:
            text = form.sub(rest, text)
        return text


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Formats an entry and redacts the whole line, what libraries and tracebacks say included."""

    redact = Redaction()

    def format(self, record: logging.LogRecord) -> str:
        return self.redact(super().format(record))


def _on_one_line(_: object, __: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Keep an event in its line: what a client sends must not look like an entry of its own."""
    event = entry.get("event")
    if isinstance(event, str) and not event.isprintable():
        entry["event"] = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in event)
    return entry


def configure_logging(level: str, *, json: bool, secrets: Collection[str] = ()) -> None:
    """Send all logging through structlog to stderr: one JSON object per entry, or coloured text for people.

    ``secrets`` are never written, wherever they come from.
    """
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
        final += [_on_one_line, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    handler = logging.StreamHandler(sys.stderr)
    formatter = _Formatter(foreign_pre_chain=shared, processors=final)
    formatter.redact = Redaction(secrets)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(max(logging.WARNING, root.level))
    handler.addFilter(Repeats())
