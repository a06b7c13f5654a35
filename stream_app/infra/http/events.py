"""An asset as it changes, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from stream_app.infra.http import answers
from stream_app.infra.http.access import Renew
from stream_app.infra.http.deps import AssetPath, ReadyRoute, ServicesDep, services_of
from stream_app.infra.http.problems import describe
from stream_app.usecases.errors import NotFoundError, UnavailableError
from stream_app.usecases.ports import PeerAnswer
from stream_app.usecases.queries import AssetFound

#: How often the state is looked at: checkpoints come no faster by default.
PERIOD_S: Final = 1.0
#: After this a stream ends, and clients ask again: maybe another worker.
LIFETIME_S: Final = 900.0

router = APIRouter(prefix="/api/v1/assets", tags=["assets"], route_class=ReadyRoute, responses=describe(404, 422, 503))

#: The asset's answer, as JSON, and its seq.
_State = tuple[str, int]


class _Meta(msgspec.Struct):
    seq: int


class _Answer(msgspec.Struct):
    meta: _Meta


async def may_go_on(request: Request) -> bool:
    """Whether a stream goes on: the worker is ready, and whoever listens still has a key or session."""
    renewed: Renew | None = getattr(request.state, "renew", None)
    is_ready = services_of(request).cluster.status().phase == "ready"
    return is_ready and (renewed is None or await renewed() is not None)


async def _state(asset_id: AssetPath, services: ServicesDep) -> _State:
    """The asset as it is now, from whoever has it."""
    found = await services.queries.asset(asset_id)
    if isinstance(found, AssetFound):
        return bytes(answers.asset(found).body).decode(), found.meta.seq or 0
    return _of_peer(found)


def _of_peer(answer: PeerAnswer) -> _State:
    if answer.status != 200:  # it was there a moment ago
        raise UnavailableError("owner_unreachable", "the worker that has the asset does not answer: ask again")
    return answer.body.decode(), msgspec.json.decode(answer.body, type=_Answer).meta.seq


@router.get("/{asset_id}/events", response_class=EventSourceResponse)
async def asset_events(
    *,
    request: Request,
    asset_id: AssetPath,
    services: ServicesDep,
    first: Annotated[_State, Depends(_state)],
    last_event_id: Annotated[
        int | None, Header(ge=-1, lt=1 << 63, description="`id` of the last event received")
    ] = None,
) -> AsyncIterable[ServerSentEvent]:
    """Send the asset's answer whenever it has changed: events `update`, whose `id` is the seq, and `deleted`.

    The first comes at once, unless `Last-Event-ID` is its seq. States in between may be left out: each is whole.
    """
    if getattr(request.state, "head", False):
        return
    seen = last_event_id
    content, seq = first
    clock = asyncio.get_running_loop().time
    end_s = clock() + LIFETIME_S
    while clock() < end_s and await may_go_on(request):
        if seq != seen:
            yield ServerSentEvent(raw_data=content, event="update", id=str(seq))
            seen = seq
        await asyncio.sleep(PERIOD_S)
        try:
            content, seq = await _state(asset_id, services)
        except NotFoundError:
            yield ServerSentEvent(raw_data="{}", event="deleted", id="-1")
            return
        except UnavailableError:
            continue  # a rebalance, for example: the stream goes on when it is over
