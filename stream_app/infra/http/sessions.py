"""Sessions of browsers, as a cookie that scripts cannot read and that no other site's page sends."""

from __future__ import annotations

from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Body, Request
from fastapi.openapi.models import Example
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from schemas.session import SessionAnswer, SessionRequest
from stream_app.infra.http.deps import StrictRoute
from stream_app.infra.http.problems import ProblemResponse, describe
from stream_app.usecases.rights import EVERYTHING, SCOPES, Rights, current_rights

if TYPE_CHECKING:
    from stream_app.usecases.credentials import Credentials

PATH: Final = "/api/v1/session"

_NAME: Final = "stream_app_session"
_EXAMPLES: dict[str, Example] = {"key": {"summary": "An API key", "value": {"key": "sk.3f6c0a1b2c3d.…"}}}

router = APIRouter(prefix=PATH, tags=["session"], route_class=StrictRoute)


def session_of(scope: Scope) -> str | None:
    """Value of the session's cookie of a request."""
    cookies = SimpleCookie()
    try:
        cookies.load(Headers(scope=scope).get("cookie", ""))
    except CookieError:
        return None
    found = cookies.get(_name(scope))
    return None if found is None else found.value


def _name(scope: Scope) -> str:
    # Browsers take a cookie of this name from this host alone, and with TLS alone.
    return f"__Host-{_NAME}" if scope["scheme"] == "https" else _NAME


@router.post("", response_model=SessionAnswer, responses=describe(401, 403, 408, 413, 415, 422, 429, 503))
async def open_session(
    request: Request, response: Response, given: Annotated[SessionRequest, Body(openapi_examples=_EXAMPLES)]
) -> SessionAnswer | Response:
    """Open a session with a key or token: a cookie (HttpOnly, SameSite=Strict) that is as good as the key.

    It ends with the key, and after `STREAM_SECURITY__SESSION_S` at the latest. Where no key is needed none is set.
    """
    credentials: Credentials | None = request.app.state.credentials
    if credentials is None:
        return _answer(EVERYTHING, needs_key=False)
    session = await credentials.open_session(given.key)
    if session is None:
        if (rates := request.app.state.rates) is not None:
            rates.failed(request.client.host if request.client else "unknown")
        headers = {"WWW-Authenticate": "Bearer"}
        detail = "the key or token is not valid, or no longer: ask whoever runs the workers for another one"
        return ProblemResponse(request.scope, 401, "unauthenticated", detail, headers=headers)
    request.state.subject = session.rights.subject
    response.set_cookie(
        _name(request.scope),
        session.value,
        expires=datetime.fromtimestamp(session.rights.expires_s or 0, UTC),
        httponly=True,
        samesite="strict",
        secure=request.scope["scheme"] == "https",
    )
    return _answer(session.rights, needs_key=True)


@router.get("", response_model=SessionAnswer, responses=describe(401, 429, 503))
async def get_session(request: Request) -> SessionAnswer:
    """Tell who asks, by key, token or session, and what it may do."""
    return _answer(current_rights(), needs_key=request.app.state.credentials is not None)


@router.delete("", status_code=204, responses=describe(403))
async def close_session(request: Request, response: Response) -> None:
    """End the session: the browser drops the cookie. It needs no session, so that an old one can go as well."""
    response.delete_cookie(
        _name(request.scope), httponly=True, samesite="strict", secure=request.scope["scheme"] == "https"
    )


def _answer(rights: Rights, *, needs_key: bool) -> SessionAnswer:
    end_s = rights.expires_s
    return SessionAnswer(
        needs_key=needs_key,
        subject=rights.subject,
        scopes=[scope for scope in SCOPES if rights.may(scope)],
        prefix=rights.prefix,
        expires=None if end_s is None else f"{datetime.fromtimestamp(end_s, UTC):%Y-%m-%dT%H:%M:%SZ}",
    )
