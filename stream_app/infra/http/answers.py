"""What the query side found, as JSON; updates are written by the presenter, so here and on the topic they are equal."""

from __future__ import annotations

from collections.abc import Iterable

import orjson
from starlette.responses import Response

from schemas.metrics import MetricsUpdate
from stream_app.infra.http.problems import MEDIA_TYPE
from stream_app.usecases.asset_views import Presenter
from stream_app.usecases.ports import PeerAnswer
from stream_app.usecases.queries import AssetFound, WindowsFound


def relay(answer: PeerAnswer) -> Response:
    """Pass another worker's answer on."""
    media_type = "application/json" if answer.status < 400 else MEDIA_TYPE
    return Response(answer.body, answer.status, media_type=media_type)


def asset(found: AssetFound, presenter: Presenter) -> Response:
    """Return an :class:`schemas.lookup.AssetAnswer`."""
    summary = found.summary
    updates = _fragments(found.updates, presenter)
    return _response(
        {
            "asset_id": summary.asset_id,
            "rows": summary.rows,
            "rows_rejected": summary.rows_rejected,
            "first_time": summary.first_time,
            "last_time": summary.last_time,
            "ended": summary.ended is not None,
            "spec": summary.spec.model_dump(mode="json", exclude_none=True),
            "lifetime": updates[0] if updates else None,
            "open_windows": updates[1:],
            "meta": found.meta.model_dump(mode="json"),
        }
    )


def windows(found: WindowsFound, presenter: Presenter) -> Response:
    """Return a :class:`schemas.lookup.WindowsAnswer`."""
    return _response(
        {
            "asset_id": found.asset_id,
            "size": found.size,
            "windows": _fragments(found.windows, presenter),
            "next_cursor": found.next_cursor,
            "meta": found.meta.model_dump(mode="json"),
        }
    )


def _fragments(updates: Iterable[MetricsUpdate], presenter: Presenter) -> list[orjson.Fragment]:
    return [orjson.Fragment(presenter.to_json(update)) for update in updates]


def _response(content: dict[str, object]) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
