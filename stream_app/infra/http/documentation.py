"""``/docs`` and ``/redoc`` from local files only, under a strict content security policy."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi_offline import FastAPIOffline

from stream_app.infra.http import codes
from stream_app.infra.http.security import STATIC

_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def create_documented(**options: Any) -> FastAPI:
    """Return a FastAPI application whose documentation needs no CDN; ``options`` are FastAPI's."""
    # The package's own pages are left out: their inline script would need 'unsafe-inline'.
    api = FastAPIOffline(None, None, static_url=STATIC, **options)

    @api.get("/docs", include_in_schema=False)
    async def swagger(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        page = get_swagger_ui_html(
            openapi_url=f"{root}{api.openapi_url}",
            title=api.title,
            swagger_js_url=f"{root}{STATIC}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{STATIC}/swagger-ui.css",
            swagger_favicon_url=f"{root}{STATIC}/favicon.png",
        )
        return _with_policy(page)

    @api.get("/redoc", include_in_schema=False)
    async def redoc(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        page = get_redoc_html(
            openapi_url=f"{root}{api.openapi_url}",
            title=api.title,
            redoc_js_url=f"{root}{STATIC}/redoc.standalone.js",
            redoc_favicon_url=f"{root}{STATIC}/favicon.png",
            with_google_fonts=False,
        )
        return _with_policy(page)

    @api.get(codes.PATH, include_in_schema=False)
    async def problems() -> HTMLResponse:
        return HTMLResponse(codes.page())

    return api


def _with_policy(page: HTMLResponse) -> HTMLResponse:
    # Both viewers write inline styles and data: images; the page's one inline script is named by its hash, and ReDoc
    # builds its search index in a worker from a blob.
    digests = [hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(page.body)]
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    page.headers["Content-Security-Policy"] = (
        f"default-src 'self'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )
    return page
