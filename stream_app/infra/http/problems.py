"""Every error leaves as RFC 9457 problem details: what happened, where, the cure; never a stack."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.problem import Problem, ProblemError
from stream_app.domain.errors import DomainError
from stream_app.infra.http.codes import PATH
from stream_app.usecases.errors import (
    ChangedError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotConfiguredError,
    NotFoundError,
    ServiceError,
    UnavailableError,
)

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

_CODES = {
    400: "bad_request",
    404: "unknown_path",
    405: "method_not_allowed",
    408: "body_too_slow",
    413: "body_too_large",
    415: "wrong_content_type",
    507: "no_space",
}
_DETAILS = {
    404: "there is nothing at {path}; /docs lists what there is",
    405: "{path} does not take {method}; the Allow header names what it takes",
}

#: The framework's words for a body whose JSON fails otherwise than by its syntax.
_UNREADABLE = "There was an error parsing the body"

#: A state becomes readable when another version is started, which takes a while.
_RETRY_UNREADABLE_S = 30


class ProblemResponse(Response):
    """A problem as a response.

    Parameters
    ----------
    scope
        The request's ASGI scope; its path becomes ``instance``.
    members
        Further members of :class:`schemas.problem.Problem`.
    """

    media_type = MEDIA_TYPE

    def __init__(
        self,
        scope: Scope,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        problem = Problem(
            type=f"{scope.get('app_root_path', scope.get('root_path', ''))}{PATH}#{code}",
            title=HTTPStatus(status).phrase,
            status=status,
            detail=detail,
            instance=scope["path"],
            code=code,
            **members,
        )
        super().__init__(problem.model_dump_json(exclude_none=True), status, headers=headers)


def describe(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of a route that answers problems with these statuses."""
    return {status: {"model": Problem, "description": HTTPStatus(status).phrase} for status in statuses}


def _service_error(request: Request, error: Exception) -> Response:
    scope = request.scope
    match error:
        case NotFoundError():
            # Nobody but a worker needs them, and they would tell what does not exist from what is not to be seen.
            is_hop = error.code == "unknown_asset" and getattr(request.state, "hop", False)
            partitions = sorted(error.partitions) if is_hop else None
            return ProblemResponse(scope, 404, error.code, error.detail, partitions=partitions)
        case ForbiddenError():
            return ProblemResponse(scope, 403, error.code, error.detail)
        case ConflictError():
            return ProblemResponse(scope, 409, error.code, error.detail)
        case ChangedError():
            return ProblemResponse(scope, 412, error.code, error.detail)
        case InvalidError():
            errors = [ProblemError(row=row, field=field, message=message) for row, field, message in error.errors]
            return ProblemResponse(
                scope, 422, error.code, error.detail, row=error.row, column=error.column, errors=errors or None
            )
        case NotConfiguredError():
            return ProblemResponse(scope, 501, error.code, error.detail)
        case UnavailableError():
            headers = {"Retry-After": str(error.retry_after_s)}
            return ProblemResponse(scope, 503, error.code, error.detail, headers=headers)
        case _:
            raise error


def _unreadable_state(request: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError)  # noqa: S101  # registered for it alone
    log.error("%s %s: %s", request.method, request.url.path, error)
    headers = {"Retry-After": str(_RETRY_UNREADABLE_S)}
    return ProblemResponse(request.scope, 503, error.code, str(error), headers=headers)


def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for it alone
    if any(e["type"] == "json_invalid" for e in error.errors()):
        reason, position = error.errors()[0]["ctx"]["error"], error.errors()[0]["loc"][-1]
        return ProblemResponse(request.scope, 422, "bad_json", f"the body is no JSON: {reason} at character {position}")
    errors = [ProblemError(field=_field(e["loc"]), message=e["msg"]) for e in error.errors()]
    detail = "; ".join(f"{e.field}: {e.message}" for e in errors)
    return ProblemResponse(request.scope, 422, "bad_request_field", detail, column=errors[0].field, errors=errors)


def _field(location: Sequence[int | str]) -> str:
    # location[0] tells whether it is the body, the query or the path
    return ".".join(map(str, location[1:])) or str(location[0])


def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for it alone
    status = error.status_code
    if isinstance(error.__cause__, (ValueError, RecursionError)) and error.detail == _UNREADABLE:
        detail = "the body is no JSON that can be read: it is nested too deeply, or a number has thousands of digits"
        return ProblemResponse(request.scope, 422, "bad_json", detail)
    phrase = HTTPStatus(status).phrase
    detail = error.detail
    if detail == phrase and status in _DETAILS:
        detail = _DETAILS[status].format(path=request.scope["path"], method=request.method)
    code = _CODES.get(status, phrase.lower().replace(" ", "_"))
    headers = dict(error.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request)) or headers.get("Allow", "")
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
    return ProblemResponse(request.scope, status, code, detail, headers=headers)


def _methods(request: Request) -> list[str]:
    # The router tells the methods of the first route of a path; a path may have several.
    routes: Sequence[APIRoute] = request.app.state.routes
    matching = (route for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    methods = {method for route in matching for method in route.methods or ()}
    return sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set()))


class UnexpectedErrors:
    """The one place that catches everything: a log entry for us, a problem without a stack for the caller."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        started = False

        async def remember(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, remember)
        except ClientDisconnect:
            log.info("the client of %s %s went away while it sent", scope["method"], scope["path"])
        except Exception:
            if scope["type"] != "http" or started:
                raise
            log.exception("unexpected error in %s %s", scope["method"], scope["path"])
            detail = "something unexpected happened; the log has it under this answer's X-Request-ID"
            await ProblemResponse(scope, 500, "unexpected", detail)(scope, receive, send)


def install(api: FastAPI) -> None:
    """Register the handlers that turn errors into problems; the routes to tell of are ``api.state.routes``."""
    api.add_exception_handler(ServiceError, _service_error)
    api.add_exception_handler(DomainError, _unreadable_state)
    api.add_exception_handler(RequestValidationError, _validation_error)
    api.add_exception_handler(HTTPException, _http_exception)
    generate = api.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        for operation in (operation for path in document["paths"].values() for operation in path.values()):
            for status, answer in operation["responses"].items():
                # The framework documents every model in the media type of the route's own answer.
                if int(status) >= 400:
                    answer["content"] = {MEDIA_TYPE: next(iter(answer["content"].values()))}
        return document

    api.openapi = openapi  # type: ignore[method-assign]  # the framework's documented way to change the document
