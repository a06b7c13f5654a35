"""What every response carries; pure ASGI, so bodies stream through."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Cache-Control": "no-store",
}


#: Files of the documentation: browsers may keep them.
STATIC: Final = "/static-offline-docs"
#: Files of the pages: the same.
PAGE_FILES: Final = "/static/"


class SecurityHeaders:
    """Adds the headers; a route may set its own ``Content-Security-Policy``, files theirs."""

    def __init__(self, app: ASGIApp, *, tls: bool = False) -> None:
        self._app = app
        self._headers = HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if tls else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                may_keep = "etag" in headers and scope["path"].startswith((STATIC, PAGE_FILES))
                for name, value in self._headers.items():
                    if may_keep and name == "Cache-Control":
                        continue
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, add)
