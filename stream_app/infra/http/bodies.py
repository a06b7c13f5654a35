"""Bodies of requests: how large they may be, how slow, and what becomes of one that is not read. Pure ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream_app.infra.http.problems import ProblemResponse

#: A body may pause for so long; after that it has to come at this rate on the average.
_PATIENCE_S: Final = 20.0
_LEAST_BYTES_PER_S: Final = 1024

#: What is still taken of a body after its answer: a client that is cut off while it sends never sees the answer.
_DRAIN_S: Final = 5.0
_DRAIN_BYTES: Final = 1 << 30
#: The same time of a body that came too slowly: little of it is under way.
_SLOW_DRAIN_S: Final = 1.0


class BodyLimit:
    """Refuses a body that is too large: by its Content-Length before reading, else while it streams in.

    The framework's own limit answers in plain text, outside of the middleware that adds headers.

    Parameters
    ----------
    max_bytes
        Limit of any path.
    by_path
        Limits of certain paths instead.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, by_path: Mapping[str, int]) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._by_path = by_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._by_path.get(scope["path"], self._max_bytes)
        detail = f"the body is larger than the {limit} bytes that {scope['path']} takes; send it in parts"
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            response = ProblemResponse(scope, 413, "body_too_large", detail, headers={"Connection": "close"})
            await response(scope, receive, send)
            return
        received = 0

        async def count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413, detail, headers={"Connection": "close"})
            return message

        await self._app(scope, count, send)


class BodyDeadline:
    """Refuses a body that comes too slowly: it would hold its connection, and what the request holds, for ever.

    Parameters
    ----------
    patience_s
        How long a body may pause [s].
    """

    def __init__(self, app: ASGIApp, patience_s: float = _PATIENCE_S) -> None:
        self._app = app
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        if scope["type"] != "http" or not has_body(scope):
            await self._app(scope, receive, send)
            return
        waited, received, complete = 0.0, 0, False
        clock = asyncio.get_running_loop().time

        async def in_time() -> Message:
            nonlocal waited, received, complete
            if complete:
                return await receive()  # waits for the client to go
            begun = clock()
            allowed_s = min(self._patience_s, self._patience_s + received / _LEAST_BYTES_PER_S - waited)
            try:
                async with asyncio.timeout(max(0.0, allowed_s)):
                    message = await receive()
            except TimeoutError:
                detail = f"the body stopped after {received} bytes, or comes at less than {_LEAST_BYTES_PER_S} bytes/s"
                raise HTTPException(408, detail, headers={"Connection": "close"}) from None
            waited += clock() - begun  # the time that it takes to work on what came is not the client's
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            return message

        await self._app(scope, in_time, send)


class Drain:
    """Reads on for a moment when a request is answered before its body is read.

    A server that closes instead resets the connection, and clients that were sending report that, not the answer.

    Parameters
    ----------
    drain_s, slow_drain_s
        How long at most [s]; then the connection is closed. The second is for a body that came too slowly (408).
    """

    def __init__(self, app: ASGIApp, drain_s: float = _DRAIN_S, slow_drain_s: float = _SLOW_DRAIN_S) -> None:
        self._app = app
        self._drain_s, self._slow_drain_s = drain_s, slow_drain_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        if scope["type"] != "http" or not has_body(scope):
            await self._app(scope, receive, send)
            return
        complete, drain_s = asyncio.Event(), self._drain_s

        async def watch() -> Message:
            message = await receive()
            if not message.get("more_body", False):
                complete.set()
            return message

        async def last_after_the_body(message: Message) -> None:
            nonlocal drain_s
            if message.get("status") == HTTPStatus.REQUEST_TIMEOUT:
                drain_s = self._slow_drain_s
            ends = message["type"] == "http.response.body" and not message.get("more_body", False)
            if not ends or complete.is_set():
                await send(message)
                return
            await send({**message, "more_body": True})
            taken = 0
            with suppress(TimeoutError):
                async with asyncio.timeout(drain_s):
                    while not complete.is_set() and taken < _DRAIN_BYTES:
                        taken += len((await watch()).get("body", b""))
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app(scope, watch, last_after_the_body)


def has_body(scope: Scope) -> bool:
    """Whether a request announces a body."""
    headers = Headers(scope=scope)
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
