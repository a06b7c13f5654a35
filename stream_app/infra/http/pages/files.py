"""Scripts and styles of the pages: read once, and kept by browsers until a release changes one.

Their path begins with a digest of them all, so a browser never mixes files of two releases.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from stream_app.infra.http.security import PAGE_FILES

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
#: A year: the path changes when the content does.
_CACHE: Final = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@lru_cache(maxsize=1)
def _contents() -> dict[str, bytes]:
    """Files by name; those of the libraries begin with ``vendor/``."""
    static = files("stream_app.infra.http.pages") / "static"
    folders = [("", static), ("vendor/", static / "vendor")]
    return {
        prefix + file.name: file.read_bytes()
        for prefix, folder in folders
        if folder.is_dir()
        for file in sorted(folder.iterdir(), key=lambda each: each.name)
        if file.is_file()
    }


def content(name: str) -> bytes:
    """Content of a file. KeyError: there is none."""
    return _contents()[name]


@lru_cache(maxsize=1)
def _digest() -> str:
    digest = hashlib.sha256()
    for name, found in _contents().items():
        digest.update(f"{name} {len(found)} ".encode() + found)
    return digest.hexdigest()[:16]


def folder() -> str:
    """Path of the files of this release."""
    return PAGE_FILES + _digest()


@router.get(PAGE_FILES + "{digest}/{name:path}")
async def static_file(request: Request, digest: str, name: str) -> Response:
    """Send a file; one of another release is sent anew each time."""
    found = _contents().get(name)
    media_type = _TYPES.get("." + name.rpartition(".")[2])
    if found is None or media_type is None:
        raise HTTPException(404)
    tag = f'"{hashlib.sha256(found).hexdigest()[:16]}"'
    cache = _CACHE if digest == _digest() else "no-cache"
    return Response(found, headers={"ETag": tag, "Cache-Control": cache, "Content-Type": media_type})
