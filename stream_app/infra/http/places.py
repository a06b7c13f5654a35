"""What workers ask each other about the places of assets; not for users, who see ``meta.also_in``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from stream_app.infra.http import answers
from stream_app.infra.http.deps import HopOnly, ReadyRoute, ServicesDep
from stream_app.usecases.places import SEPARATOR

router = APIRouter(prefix="/api/v1/places", route_class=ReadyRoute, include_in_schema=False, dependencies=[HopOnly])


@router.get("")
async def get_places(services: ServicesDep, ids: str, partition: Annotated[int | None, Query(ge=0)] = None) -> Response:
    """Partitions of this worker, and of each asset those that have it; ids are separated by slashes."""
    return answers.json(services.lookup.places.answer(ids.split(SEPARATOR), partition))
