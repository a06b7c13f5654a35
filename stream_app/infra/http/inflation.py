"""Bodies of requests that are compressed (``Content-Encoding``). Pure ASGI."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from isal import isal_zlib
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream_app.infra.http.bodies import has_body
from stream_app.infra.http.problems import ProblemResponse
from stream_app.infra.zstandard import zstd

#: What is inflated at once: few ms, and little memory whatever the body claims to be.
_PIECE_BYTES: Final = 1 << 20
_WITH_GZIP_HEADER: Final = 31
#: Windows up to 8 MiB are what RFC 9659 allows; larger ones would be held in memory.
_WINDOW: Final[dict[int, int]] = {zstd.DecompressionParameter.window_log_max: 23}

_DECOMPRESSORS: Final[dict[str, Callable[[], Any]]] = {
    "gzip": lambda: isal_zlib.decompressobj(_WITH_GZIP_HEADER),
    "x-gzip": lambda: isal_zlib.decompressobj(_WITH_GZIP_HEADER),
    "zstd": lambda: zstd.ZstdDecompressor(options=_WINDOW),
}
_DAMAGES: Final[tuple[Any, ...]] = (zlib.error, isal_zlib.error, zstd.ZstdError, EOFError)


class Inflation:
    """Inflates bodies as they stream in; limits further inside count what comes out.

    A body that is not what its header says is 400, and an encoding that is not known 415.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        encoding = Headers(scope=scope).get("content-encoding", "") if scope["type"] == "http" else ""
        encoding = encoding.strip().lower()
        if encoding in ("", "identity") or not has_body(scope):
            await self._app(scope, receive, send)
            return
        if encoding not in _DECOMPRESSORS:
            detail = f"a body in {encoding[:50]!r} cannot be read: send it with gzip or zstd, or as it is"
            problem = ProblemResponse(
                scope, 415, "wrong_content_encoding", detail, headers={"Accept-Encoding": "gzip, zstd"}
            )
            await problem(scope, receive, send)
            return
        headers = MutableHeaders(raw=list(scope["headers"]))
        del headers["content-encoding"], headers["content-length"]  # of what was sent
        headers["transfer-encoding"] = "chunked"
        scope["headers"] = headers.raw
        inflated = _inflated(receive, encoding)
        await self._app(scope, lambda: anext(inflated), send)


async def _inflated(receive: Receive, encoding: str) -> AsyncIterator[Message]:
    """Messages with the inflated body, then those that follow it."""
    inflate: Any = None
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            yield message
            continue
        data, more = message.get("body", b""), message.get("more_body", False)
        try:
            while data:
                if inflate is None or inflate.eof:  # several may follow each other
                    inflate = _DECOMPRESSORS[encoding]()
                piece = None
                while piece is None or len(piece) == _PIECE_BYTES:  # output is left inside
                    piece = b"" if inflate.eof else inflate.decompress(data, _PIECE_BYTES)
                    data = inflate.unused_data or getattr(inflate, "unconsumed_tail", b"")
                    yield {"type": "http.request", "body": piece, "more_body": True}
                    await asyncio.sleep(0)  # many pieces may come of one message
        except _DAMAGES as error:
            raise _damaged(encoding, str(error)) from None
    if inflate is not None and not inflate.eof:
        raise _damaged(encoding, "its end is missing")
    yield {"type": "http.request", "body": b"", "more_body": False}
    while True:
        yield await receive()


def _damaged(encoding: str, why: str) -> HTTPException:
    detail = f"the body is not {encoding}, as Content-Encoding says ({why}): compress it so, or leave the header out"
    return HTTPException(400, detail, headers={"Connection": "close"})
