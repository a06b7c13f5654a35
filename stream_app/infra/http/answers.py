"""Values of the query side as JSON.

The models in :mod:`schemas` describe the answers, and tests check the answers by them; at run time they are written
without these. Updates are the text that the metrics topic has, put into the answers as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.responses import Response

from schemas.lookup import AssetAnswer
from stream_app import __version__
from stream_app.domain.views import Readings
from stream_app.infra.http.problems import MEDIA_TYPE
from stream_app.infra.http.spans import span_json
from stream_app.usecases.asset_views import AssetView
from stream_app.usecases.lookup import AssetFreshness
from stream_app.usecases.ports import PeerAnswer
from stream_app.usecases.queries import AssetFound, SpecFound, WindowsFound
from stream_app.usecases.running_uploads import ReadingProgress
from stream_app.usecases.spec_change import spec_tag
from stream_app.usecases.tasks import Task
from stream_app.usecases.temperature_queries import TemperaturesFound
from stream_app.usecases.temperatures import STEP_K
from stream_app.wire.encode.updates import updates

#: Fields of :class:`schemas.metrics.MetricValue`, which a task shows even where they are null.
_METRIC_VALUE: Final = ("value", "unit", "reason", "sigma", "value_unchecked", "coverage")


def json(content: Any) -> Response:
    """Answer any value that orjson writes; dataclasses by their fields."""
    return Response(orjson.dumps(content), media_type="application/json")


def relay(answer: PeerAnswer) -> Response:
    """Pass another worker's answer on."""
    media_type = "application/json" if answer.status < HTTPStatus.BAD_REQUEST else MEDIA_TYPE
    headers = None if answer.etag is None else {"ETag": answer.etag}
    return Response(answer.body, answer.status, headers, media_type)


def asset(found: AssetFound, chosen: Collection[str] | None = None) -> Response:
    """Answer a :class:`schemas.lookup.AssetAnswer`, with the ``chosen`` metrics if they are given."""
    summary = found.view.summary
    current = [_chosen(update, chosen) for update in _current(found.view, found.meta.partition)]
    span = {}
    if found.span is not None:
        (update,) = _updates(
            found.span.readings, summary.asset_id, found.meta.partition, closed=summary.ended is not None
        )
        span = {"span": span_json(found.span, _chosen(update, chosen))}
    answer = json(
        {
            "asset_id": summary.asset_id,
            "rows": summary.rows,
            "rows_rejected": summary.rows_rejected,
            "rows_held": summary.rows_held,
            "rows_repeated": summary.rows_repeated,
            "rows_differing": summary.rows_differing,
            "lateness_s": summary.lateness_s,
            "rejected": _rejected(found),
            "first_time": summary.first_time,
            "last_time": summary.last_time,
            "ended": summary.ended is not None,
            "spec": orjson.Fragment(summary.spec.model_dump_json(exclude_none=True)),
            "lifetime": current[0] if current else None,
            "open_windows": current[1:],
            **span,
            "meta": found.meta,
        }
    )
    answer.headers["ETag"] = _state_tag(found.meta)
    return answer


def asset_of(found: AssetFound | PeerAnswer) -> AssetAnswer | Response:
    """An asset as the answer tells it, whoever gave it; another worker's problem is passed on."""
    if isinstance(found, PeerAnswer) and found.status != HTTPStatus.OK:
        return relay(found)
    body = found.body if isinstance(found, PeerAnswer) else asset(found).body
    return AssetAnswer.model_validate_json(bytes(body))


def _state_tag(meta: AssetFreshness) -> str:
    """ETag of what a state is read as: weak, since `lag` and `stale` change without it."""
    return f'W/"{__version__}-{meta.partition}-{meta.seq}-{meta.rows}"'


async def windows(found: WindowsFound, chosen: Collection[str] | None = None) -> Response:
    """Answer a :class:`schemas.lookup.WindowsAnswer`, with the ``chosen`` metrics if they are given."""
    written = []
    for part in found.closed:
        closed = _updates(part, found.asset_id, found.meta.partition, closed=True)
        written += [_chosen(update, chosen) for update in closed]
        await asyncio.sleep(0)  # a long page takes a while: let others have the event loop
    if found.view is not None and found.view.readings is not None:
        current = zip(found.open_windows(), _current(found.view, found.meta.partition), strict=True)
        written += [_chosen(update, chosen) for is_wanted, update in current if is_wanted]
    answer = json(
        {
            "asset_id": found.asset_id,
            "size": found.size,
            "windows": written,
            "next_cursor": found.next_cursor,
            "meta": found.meta,
        }
    )
    answer.headers["ETag"] = _state_tag(found.meta)
    return answer


def temperatures(found: TemperaturesFound, chosen: Collection[str] | None) -> Response:
    """Answer a :class:`schemas.lookup.TemperaturesAnswer`, with the ``chosen`` metrics if they are given."""
    bins = []
    for each in found.bins:
        (update,) = _updates(each.readings, found.asset_id, found.meta.partition, closed=False)
        ends = {"from_c": each.from_c, "to_c": each.from_c + STEP_K}
        bins.append({**ends, "windows": each.windows, "update": _chosen(update, chosen)})
    content = {"asset_id": found.asset_id, "size": found.size, "bins": bins, "unknown": found.unknown}
    answer = json({**content, "meta": found.meta})
    answer.headers["ETag"] = _state_tag(found.meta)
    return answer


def spec(found: SpecFound) -> Response:
    """Answer a :class:`schemas.lookup.SpecAnswer`."""
    spec_json = orjson.Fragment(found.spec.model_dump_json())
    answer = json({"asset_id": found.asset_id, "spec": spec_json, "meta": found.meta})
    answer.headers["ETag"] = spec_tag(found.spec)
    return answer


def task(found: Task, *, hop: bool = False) -> Response:
    """Answer a :class:`schemas.task.TaskStatus`; to another worker also whether all of the log is known."""
    content = {"task_id": found.task_id, **_result(found)}
    if hop:
        content |= {"is_settled": found.is_settled, "digest": found.digest}
    if found.warnings:
        content["warnings"] = found.warnings
    if found.parts:
        content["data"] = None
        content["assets"] = [
            {"asset_id": name, **(_result(part) if isinstance(part, Task) else _results_of(part))}
            for name, part in found.parts.items()
        ]
    return json(content)


def reading(found: ReadingProgress, *, hop: bool = False) -> dict[str, Any]:
    """A :class:`schemas.task.ReadingProgress`; to another worker also the digest and the claim."""
    content = asdict(found)
    if not hop:
        del content["digest"], content["claim"]
    return content


def _results_of(answer: PeerAnswer) -> dict[str, Any]:
    """The result in another worker's answer."""
    content = orjson.loads(answer.body)
    return {name: content.get(name) for name in ("state", "data", "progress", "error")}


def _result(found: Task) -> dict[str, Any]:
    """What a task has come to, and the metrics once it has succeeded."""
    data = None
    if found.readings is not None and len(found.readings.windows):
        lifetime = _updates(found.readings, found.task_id, 0, closed=True)[0]
        metrics = {
            name: {field: metric.get(field) for field in _METRIC_VALUE}
            for name, metric in orjson.loads(lifetime)["metrics"].items()
        }
        data = {
            "rte": metrics["rte_v1"]["value"],
            "c_rate": metrics["c_rate_v1"]["value"],
            "total_data_points": metrics["total_data_points"]["value"],
            "metrics": metrics,
        }
    progress: dict[str, Any] | None = None
    if found.progress is not None:
        progress = {name: getattr(found.progress, name) for name in ("rows_sent", "rows_applied", "rows_rejected")}
        if found.progress.reading is not None:
            progress["reading"] = reading(found.progress.reading)
    return {"state": found.state, "data": data, "progress": progress, "error": found.error}


def _rejected(found: AssetFound) -> dict[str, object] | None:
    rejects = found.rejected
    if rejects is None:
        return None
    return {
        "rows": rejects.rows,
        "share": rejects.share(found.view.summary.rows),
        "by_code": rejects.by_code,
        "reason": rejects.reason,
        "since": datetime.fromtimestamp(rejects.since_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def _current(view: AssetView, partition: int) -> list[bytes]:
    """Updates of an asset's lifetime and open windows."""
    if view.readings is None:
        return []
    summary = view.summary
    return _updates(view.readings, summary.asset_id, partition, closed=summary.ended is not None)


def _chosen(update: bytes, chosen: Collection[str] | None) -> orjson.Fragment | dict[str, Any]:
    """An update as it is, or with some of its metrics."""
    if chosen is None:
        return orjson.Fragment(update)
    content: dict[str, Any] = orjson.loads(update)
    content["metrics"] = {name: value for name, value in content["metrics"].items() if name in chosen}
    return content


def _updates(readings: Readings, asset_id: str, partition: int, *, closed: bool) -> list[bytes]:
    """Write the updates of one asset."""
    asset_ids = dict.fromkeys(readings.windows.slot.tolist(), asset_id)
    return updates(readings, asset_ids, partition=partition, closed=closed)
