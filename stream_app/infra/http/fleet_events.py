"""All assets as they change, as server-sent events."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final
from weakref import WeakKeyDictionary

import msgspec
import orjson
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.responses import Response, StreamingResponse

from schemas.asset import ASSET_ID_MAX_LENGTH, ASSET_ID_PATTERN
from stream_app.infra.http import answers, events
from stream_app.infra.http.deps import HopOnly, ReadyRoute, Services, ServicesDep
from stream_app.infra.http.problems import describe
from stream_app.usecases.errors import InvalidError, UnavailableError
from stream_app.usecases.fleet_changes import Changes, Mark, read_ids, read_marks

_MOST_ASSETS: Final = 100
_KEEP_ALIVE_S: Final = 15.0
_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}
#: Changes as they are sent, by where a listener is.
_WRITTEN: WeakKeyDictionary[Changes, dict[tuple[tuple[int, int], ...], tuple[bytes, dict[int, int]]]] = (
    WeakKeyDictionary()
)
#: Places in partitions, as ``0:17,1:4``.
_PLACES: Final = re.compile(r"[0-9]{1,6}:-?[0-9]{1,18}(?:,[0-9]{1,6}:-?[0-9]{1,18})*")

router = APIRouter(tags=["assets"], route_class=ReadyRoute, responses=describe(422, 503))

AssetIds = Annotated[
    list[Annotated[str, Query(max_length=ASSET_ID_MAX_LENGTH, pattern=ASSET_ID_PATTERN)]],
    Query(max_length=_MOST_ASSETS, description="Only these assets, which are told at once; without it all"),
]


class EventStream(StreamingResponse):
    """Events that are written already; the framework's own class writes and sends them one by one."""

    media_type = "text/event-stream"


@dataclass(frozen=True, slots=True)
class _Beginning:
    """The first changes of a stream, and the seq in each partition after which they come."""

    changes: Changes
    places: dict[int, int]


@router.get("/api/v1/changes", include_in_schema=False, dependencies=[HopOnly])
async def get_changes(services: ServicesDep, since: str, ids: str = "") -> Response:
    """What workers ask each other: changes of this worker's partitions."""
    try:
        marks = read_marks(since)
    except msgspec.MsgspecError:
        raise InvalidError("bad_request_field", "since is none that a worker writes", column="since") from None
    found = await services.changes.here(marks, read_ids(ids))
    return answers.json({"marks": {str(p): mark for p, mark in found.marks.items()}, "changes": found.changes})


async def _begin(
    services: ServicesDep,
    asset: AssetIds = [],  # noqa: B006  # the framework copies it
    last_event_id: Annotated[
        str | None, Header(max_length=4000, description="`id` of the last event received: go on after it")
    ] = None,
) -> _Beginning:
    """What has changed since the last event, before the answer begins."""
    marks: dict[int, Mark] = {}
    if last_event_id:
        if _PLACES.fullmatch(last_event_id) is None:
            detail = "Last-Event-ID is none that an event had: leave it out to begin now"
            raise InvalidError("bad_request_field", detail, column="Last-Event-ID")
        places = (place.split(":") for place in last_event_id.split(","))
        marks = {int(partition): Mark(int(seq)) for partition, seq in places}
    found = await services.changes.since(marks, asset)
    # Whoever asks again after the first of the named assets gets the others.
    named = {change.partition for change in found.changes}
    new = {p: -1 if p in named else mark.seq for p, mark in found.marks.items()}
    return _Beginning(found, new | {partition: mark.seq for partition, mark in marks.items()})


@router.get("/api/v1/events", response_class=EventStream, responses=_STREAM)
async def all_events(
    *,
    request: Request,
    services: ServicesDep,
    first: Annotated[_Beginning, Depends(_begin)],
    asset: AssetIds = [],  # noqa: B006
) -> EventStream:
    """Send what changes: events `update`, whose data is an item of the list of assets, and `deleted`.

    An asset is told once a second at most, as it is then; where very many change at once the oldest changes come first.
    The `id` lists partitions and the seq in each up to which everything has been told, as `0:17,1:4`. `Last-Event-ID`
    goes on after it, at any worker; deletions that happened meanwhile are not told. Without it the stream begins now.
    """
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # of a proxy in between
    return EventStream(_told(request, services, first, asset), headers=headers)


async def _told(
    request: Request, services: Services, first: _Beginning, asset_ids: Sequence[str]
) -> AsyncIterator[bytes]:
    """The stream, as much at once as there is: an event at a time would cost each of many listeners a write."""
    if getattr(request.state, "head", False):
        return
    clock = asyncio.get_running_loop().time
    found, places = first.changes, first.places
    end_s, silent_since_s = clock() + events.LIFETIME_S, clock()
    while True:
        text, places = _written(found, places)
        if not text and clock() - silent_since_s > _KEEP_ALIVE_S:
            text = KEEPALIVE_COMMENT
        if text:
            yield text
            silent_since_s = clock()
        # All listeners look at the same moments, and share what they see.
        await asyncio.sleep(events.PERIOD_S - clock() % events.PERIOD_S)
        if clock() >= end_s or not await events.may_go_on(request):
            return
        try:
            found = await services.changes.since(found.marks, asset_ids)
        except UnavailableError:
            return  # this worker stops, or starts anew: clients ask another one


def _written(found: Changes, places: dict[int, int]) -> tuple[bytes, dict[int, int]]:
    """Events of changes as they are sent, and the places after them: once for all who are at the same places."""
    known = _WRITTEN.setdefault(found, {})
    at = tuple(sorted(places.items()))
    if at not in known:
        after = dict(places)
        known[at] = b"".join(_events(found, after)), after
    text, after = known[at]
    return text, dict(after)


def _events(found: Changes, places: dict[int, int]) -> list[bytes]:
    """Each event; ``places`` follows what they tell."""
    told = []
    for number, change in enumerate(found.changes):
        is_last = number + 1 == len(found.changes)
        if is_last:
            places |= {partition: mark.seq for partition, mark in found.marks.items()}
        elif (after := found.changes[number + 1]).partition != change.partition or after.seq > change.seq:
            places[change.partition] = max(places.get(change.partition, -1), change.seq)
        content = {"asset_id": change.asset_id} if change.asset is None else change.asset
        told.append(
            format_sse_event(
                data_str=orjson.dumps(content).decode(),
                event="deleted" if change.asset is None else "update",
                id=",".join(f"{partition}:{seq}" for partition, seq in sorted(places.items())),
            )
        )
    places |= {partition: mark.seq for partition, mark in found.marks.items()}
    return told
