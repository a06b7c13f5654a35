"""An asset, or an upload, as a page to send or to print."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import HTMLResponse, Response

from schemas.lookup import WindowsAnswer
from stream_app.infra.http import answers
from stream_app.infra.http.deps import AssetPath, ReadyRoute, ServicesDep
from stream_app.infra.http.problems import describe
from stream_app.infra.report.page import report, style_policy, subject_of
from stream_app.usecases.ports import PeerAnswer

_WINDOWS: Final = 400

Title = Annotated[
    str | None,
    Query(min_length=1, max_length=200, description="Title instead of the asset's id: the name of an upload's file"),
]

router = APIRouter(prefix="/api/v1/assets", tags=["assets"], route_class=ReadyRoute, responses=describe(404, 422, 503))


@router.get("/{asset_id}/report", response_class=HTMLResponse)
async def get_report(asset_id: AssetPath, services: ServicesDep, title: Title = None) -> Response:
    """Return the asset on one page: figures, plots, warranty, sensors, every metric. It has no scripts.

    `stream-app report` writes the same page.
    """
    asset = answers.asset_of(await services.queries.asset(asset_id))
    if isinstance(asset, Response):
        return asset
    windows = []
    for update in asset.open_windows:
        page = await services.queries.windows(asset_id, update.window.size, limit=_WINDOWS, cursor=None)
        if isinstance(page, PeerAnswer) and page.status != 200:
            return answers.relay(page)
        written = page.body if isinstance(page, PeerAnswer) else (await answers.windows(page)).body
        windows += WindowsAnswer.model_validate_json(bytes(written)).windows
    subject = subject_of(asset, windows)
    if title is not None:
        subject = replace(subject, name=title)
    return HTMLResponse(report(subject, datetime.now(UTC)), headers={"Content-Security-Policy": style_policy()})
