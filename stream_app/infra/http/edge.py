"""Who may ask, as browsers and names tell it: the host that is asked for, and the page that asks. Pure ASGI."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream_app.infra.http.problems import ProblemResponse

#: Methods that change nothing.
READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def host_name(authority: str) -> str:
    """Host of ``host:port`` in lower case, without brackets and the last dot; "" where it is none."""
    try:
        return (urlsplit(f"//{authority}").hostname or "").rstrip(".")
    except ValueError:
        return ""


class HostCheck:
    """Refuses names that are not this server's: a foreign name that leads here (DNS rebinding) reads nothing.

    Taken are addresses and names without a dot (``localhost``, names of containers), which nobody outside can let lead
    here, and the names in ``allowed``.

    Parameters
    ----------
    allowed
        Names; ``*.example.com`` for all below one, ``*`` for all.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self._app = app
        self._names = frozenset(name.lower().rstrip(".") for name in allowed)
        self._endings = tuple(name[1:] for name in self._names if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        # Without the header it is HTTP/1.0: a load balancer's probe, and no browser, which always sends one.
        host = None if scope["type"] != "http" else Headers(scope=scope).get("host")
        if host is None or self._takes(host_name(host)):
            await self._app(scope, receive, send)
            return
        detail = (
            "the name in the header Host is not this server's: ask by an address, or list the name in "
            "STREAM_HTTP__ALLOWED_HOSTS"
        )
        await ProblemResponse(scope, 421, "wrong_host", detail)(scope, receive, send)

    def _takes(self, name: str) -> bool:
        if not name:
            return False
        if "*" in self._names or "." not in name or name in self._names or name.endswith(self._endings or ("\0",)):
            return True
        try:
            ip_address(name)
        except ValueError:
            return name.endswith(".localhost")
        return True


class OriginCheck:
    """Refuses writes of pages of other origins, which browsers send without asking where a form could send them.

    Programs send neither ``Sec-Fetch-Site`` nor ``Origin`` and are not concerned.

    Parameters
    ----------
    allowed
        Origins whose pages may write; ``*`` for all.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self._app = app
        self._allowed = frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        if scope["type"] != "http" or scope["method"] in READS or self._takes(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        detail = (
            "a page of another origin may not write: list its origin in STREAM_HTTP__CORS_ORIGINS, or send the request "
            "from a program"
        )
        await ProblemResponse(scope, 403, "foreign_origin", detail)(scope, receive, send)

    def _takes(self, headers: Headers) -> bool:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if "*" in self._allowed or origin in self._allowed:
            return True
        if site is not None:
            return site in ("same-origin", "none")  # behind a proxy the browser knows better than Host does
        return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


def tells_origin(headers: Headers) -> bool:
    """Whether a request says which page sends it, as browsers do with every write; that page has been looked at."""
    return "origin" in headers or "sec-fetch-site" in headers


class Head:
    """Answers HEAD wherever GET is answered: as GET, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        get = {**scope, "method": "GET", "state": {**scope.get("state", {}), "head": True}}
        await self._app(get, receive, without_body)
        if "route" in get:
            scope["route"] = get["route"]  # for the log


class ConditionalGet:
    """Answers 304 without a body where the asker has what is there: ``If-None-Match`` names its ETag."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        known = Headers(scope=scope).get("if-none-match") if scope["type"] == "http" else None
        if known is None or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        tags = {_weak(tag) for tag in known.split(",")}
        is_known = False

        async def unless_known(message: Message) -> None:
            nonlocal is_known
            if message["type"] == "http.response.start" and message["status"] == 200:
                headers = MutableHeaders(scope=message)
                tag = headers.get("etag")
                is_known = tag is not None and ("*" in tags or _weak(tag) in tags)
                if is_known:
                    message["status"] = 304
                    del headers["content-length"], headers["content-type"]
            elif is_known:
                message = {**message, "body": b""}
            await send(message)

        await self._app(scope, receive, unless_known)


def _weak(tag: str) -> str:
    return tag.strip().removeprefix("W/")
