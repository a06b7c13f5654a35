"""The pages: frames without data, so that they are open to all; their scripts ask the API with the session's rights."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, RedirectResponse, Response

from stream_app import __version__
from stream_app.infra.http.deps import services_of
from stream_app.infra.http.pages import files
from stream_app.infra.http.security import PAGE_FILES

#: Pages in the order of the navigation: their path, and their name there.
NAVIGATION: Final = (
    ("/", "Fleet"),
    ("/uploads", "Uploads"),
    ("/dead-letters", "Dead letters"),
    ("/system", "System"),
    ("/catalogue", "Catalogue"),
)
ASSETS: Final = "/assets/"
OPEN_PATHS: Final = frozenset({*(path for path, _ in NAVIGATION), "/login"})

_HTML: Final = "text/html"

router = APIRouter(include_in_schema=False)

_templates = Environment(
    loader=PackageLoader("stream_app.infra.http.pages"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def is_page(path: str) -> bool:
    """Whether a path is a page, or a file that pages load: neither has data."""
    return path in OPEN_PATHS or path.startswith((ASSETS, PAGE_FILES))


def _page(request: Request, name: str, title: str, **values: str) -> HTMLResponse:
    root = request.scope.get("root_path", "")
    content = _templates.get_template(f"{name}.html").render(
        name=name,
        title=title,
        root=root,
        files=f"{root}{files.folder()}",
        navigation=NAVIGATION,
        here=request.scope["path"],
        version=__version__,
        # Without a store a question for the past is an error, which browsers show as one.
        history="on" if services_of(request).history.is_there else "off",
        **values,
    )
    return HTMLResponse(content, headers={"Vary": "Accept"})


@router.get("/")
async def fleet(request: Request) -> Response:
    """Show the fleet to browsers; programs are led to the API's document."""
    if _HTML not in request.headers.get("accept", ""):
        return RedirectResponse(request.scope.get("root_path", "") + "/docs", headers={"Vary": "Accept"})
    return _page(request, "fleet", "Fleet")


@router.get(ASSETS + "{asset_id}")
async def asset(request: Request, asset_id: str) -> Response:
    """Show an asset."""
    return _page(request, "asset", asset_id, asset_id=asset_id)


@router.get("/uploads")
async def uploads(request: Request) -> Response:
    """Take a file."""
    return _page(request, "uploads", "Uploads")


@router.get("/dead-letters")
async def dead_letters(request: Request) -> Response:
    """Show what was not applied."""
    return _page(request, "letters", "Dead letters")


@router.get("/system")
async def system(request: Request) -> Response:
    """Show the workers."""
    return _page(request, "system", "System")


@router.get("/catalogue")
async def catalogue(request: Request) -> Response:
    """Show the metrics."""
    return _page(request, "catalogue", "Catalogue")


@router.get("/login")
async def login(request: Request) -> Response:
    """Ask for a key."""
    return _page(request, "login", "Log in")
