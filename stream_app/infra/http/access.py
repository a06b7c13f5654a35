"""Who asks, and whether they may: nothing passes without rights but probes and documentation. Pure ASGI.

It stands before the routes, so that a new route is closed until it is opened here, and no body is read in vain.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream_app.infra.http import codes
from stream_app.infra.http.edge import READS, tells_origin
from stream_app.infra.http.hops import HOP_HEADER, RIGHTS_HEADER, HopKey, target_of
from stream_app.infra.http.pages.site import is_page
from stream_app.infra.http.problems import ProblemResponse
from stream_app.infra.http.security import STATIC
from stream_app.infra.http.sessions import PATH as SESSION
from stream_app.infra.http.sessions import session_of
from stream_app.usecases import rights
from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.rights import EVERYTHING, Rights

if TYPE_CHECKING:
    from stream_app.infra.http.rates import Rates
    from stream_app.usecases.credentials import Credentials

audit = structlog.stdlib.get_logger("audit")

#: What has no data: probes, and how the API is used.
OPEN_PATHS: Final = frozenset(
    {"/docs", "/redoc", "/openapi.json", codes.PATH, "/api", "/api/", "/health/live", "/health/ready"}
)
_ASSETS: Final = "/api/v1/assets/"
_SCOPES: Final[dict[str, rights.Scope]] = {"GET": "read", "HEAD": "read", "DELETE": "admin"}
_REFUSED: Final = frozenset({401, 403, 429})
#: Tells again what whoever asks may do, for answers that have no end.
Renew = Callable[[], Awaitable[Rights | None]]
_NOBODY: Final = Rights("nobody", frozenset())


class Access:
    """Lets requests with rights pass, and notes these rights for what answers.

    Parameters
    ----------
    credentials
        Tell the rights of what a request brings; None: everybody has all.
    hop_key
        Tells workers from those who pose as one.
    rates
        Limits; None: there are none.
    """

    def __init__(self, app: ASGIApp, credentials: Credentials | None, hop_key: HopKey, rates: Rates | None) -> None:
        self._app = app
        self._credentials, self._hop_key, self._rates = credentials, hop_key, rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        if scope["type"] != "http" or is_open(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        status, who = 0, "nobody"

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            found = await self._rights(scope, headers)
            if isinstance(found, ProblemResponse):
                await found(scope, receive, note)
                return
            who = found.subject
            refusal = self._refusal(scope, found)
            if refusal is not None:
                await refusal(scope, receive, note)
                return
            rights.ask_with(found)
            await self._app(scope, receive, note)
        finally:
            if scope["method"] not in ("GET", "HEAD") or status in _REFUSED:
                audit.info(
                    "write" if status not in _REFUSED else "refused",
                    subject=scope.get("state", {}).get("subject", who),
                    method=scope["method"],
                    resource=scope["path"],
                    status=status,
                    address=_address(scope),
                )

    async def _rights(self, scope: Scope, headers: Headers) -> Rights | ProblemResponse:
        signed = headers.get(HOP_HEADER)
        if signed is not None:
            carried, target = headers.get(RIGHTS_HEADER, ""), _target(scope)
            if self._hop_key.verify(signed, target, carried) and (forwarded := Rights.read(carried)) is not None:
                scope.setdefault("state", {})["hop"] = True
                return forwarded
            if self._hop_key.looks_signed(signed):
                # To take it for an ordinary question would send it back to where it came from, again and again.
                audit.error("a worker asks with another secret: set the same STREAM_HTTP__SECRET_FILE on all workers")
                return ProblemResponse(
                    scope, 403, "foreign_hop", "this worker does not know the secret of the asking one"
                )
        if self._credentials is None:
            return self._limited(scope, EVERYTHING)
        address = _address(scope)
        if self._rates is not None and (wait_s := self._rates.refuse_failures(address)) is not None:
            return _too_many(scope, wait_s, "wrong keys came from this address")
        if is_for_sessions(scope["method"], scope["path"]):
            return self._limited(scope, _NOBODY)
        given = _key_or_token(headers)
        session = session_of(scope) if given is None else None
        try:
            found = await self._found(self._credentials, given, session)
        except UnavailableError as error:
            headers_ = {"Retry-After": str(error.retry_after_s)}
            return ProblemResponse(scope, 503, error.code, error.detail, headers=headers_)
        if found is None:
            if given is not None and self._rates is not None:
                self._rates.failed(address)
            told = "there is no key or token"
            if given is not None or session is not None:
                told = f"the {'session' if given is None else 'key or token'} is not valid, or no longer"
            detail = f"{told}: send Authorization: Bearer …, or X-API-Key"
            return ProblemResponse(scope, 401, "unauthenticated", detail, headers={"WWW-Authenticate": "Bearer"})
        if session is not None and not (scope["method"] in READS or tells_origin(headers)):
            detail = "a session writes from its own page alone: send Origin, as browsers do, or a key instead"
            return ProblemResponse(scope, 403, "foreign_origin", detail)
        scope.setdefault("state", {})["renew"] = partial(self._found, self._credentials, given, session)
        return self._limited(scope, found)

    @staticmethod
    async def _found(credentials: Credentials, given: str | None, session: str | None) -> Rights | None:
        if given is not None:
            return await credentials.rights(given)
        return None if session is None else await credentials.rights_of_session(session)

    def _limited(self, scope: Scope, found: Rights) -> Rights | ProblemResponse:
        who = _address(scope) if found in (EVERYTHING, _NOBODY) else found.subject
        wait_s = None if self._rates is None else self._rates.refuse(who)
        return found if wait_s is None else _too_many(scope, wait_s, "there were too many requests")

    def _refusal(self, scope: Scope, found: Rights) -> ProblemResponse | None:
        if scope["path"] == SESSION:
            return None  # everybody may know who it is
        needed = _SCOPES.get(scope["method"], "write")
        if not found.may(needed):
            return ProblemResponse(
                scope, 403, "forbidden", f"this needs the scope {needed}, which {found.subject} lacks"
            )
        path = scope["path"]
        if path.startswith(_ASSETS):
            asset_id = path[len(_ASSETS) :].partition("/")[0]
            if not found.sees(asset_id):  # as if it were not there
                detail = f"no row of asset {asset_id!r} has been processed; check the id"
                return ProblemResponse(scope, 404, "unknown_asset", detail)
        return None


def is_open(method: str, path: str) -> bool:
    """Whether a path has no data: everybody may ask for it."""
    return path in OPEN_PATHS or path.startswith(STATIC + "/") or is_page(path) or method == "OPTIONS"


def is_for_sessions(method: str, path: str) -> bool:
    """Whether a request opens or ends a session: it brings its own key, or needs none."""
    return path == SESSION and method in ("POST", "DELETE")


def _key_or_token(headers: Headers) -> str | None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return token.strip()
    return headers.get("x-api-key")


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def _target(scope: Scope) -> str:
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return target_of(raw_path + (b"?" + query if query else b""))


def _too_many(scope: Scope, wait_s: int, what: str) -> ProblemResponse:
    return ProblemResponse(
        scope, 429, "too_many_requests", f"{what}: ask again in {wait_s} s", headers={"Retry-After": str(wait_s)}
    )
