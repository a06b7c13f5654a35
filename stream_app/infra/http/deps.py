"""Parameters that routes share; the only use of FastAPI's ``Depends``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from schemas.asset import ASSET_ID_MAX_LENGTH, ASSET_ID_PATTERN
from stream_app.domain.catalogue import Catalogue
from stream_app.usecases.lookup import Lookup
from stream_app.usecases.ports import Cluster
from stream_app.usecases.posting import Posting
from stream_app.usecases.queries import Queries
from stream_app.usecases.tasks import Tasks
from stream_app.usecases.uploads import Uploads

#: Marks a question of one worker to another: it is answered from the worker's own tables.
HOP_HEADER = "X-Stream-App-Hop"


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that routes use; built before the worker is connected to Kafka."""

    cluster: Cluster
    lookup: Lookup
    queries: Queries
    tasks: Tasks
    uploads: Uploads
    posting: Posting
    catalogue: Catalogue


def services_of(request: Request) -> Services:
    """Return the services that ``create_api`` was given."""
    services: Services = request.app.state.services
    return services


# Coroutines, since FastAPI runs plain functions in a thread: two more waits for the event loop in each answer.
async def _services(request: Request) -> Services:
    return services_of(request)


async def _is_hop(hop: Annotated[str | None, Header(alias=HOP_HEADER, include_in_schema=False)] = None) -> bool:
    return hop is not None


ServicesDep = Annotated[Services, Depends(_services)]
Hop = Annotated[bool, Depends(_is_hop)]
AssetPath = Annotated[
    str,
    Path(
        min_length=1,
        max_length=ASSET_ID_MAX_LENGTH,
        pattern=ASSET_ID_PATTERN,
        description="Id of the asset",
        examples=["bess-001"],
    ),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="Entries at most")]


class ReadyRoute(APIRoute):
    """A route that needs the worker's state: it answers 503 before it reads the body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler."""
        handle = super().get_route_handler()

        async def handle_when_ready(request: Request) -> Response:
            services_of(request).lookup.require_ready()
            return await handle(request)

        return handle_when_ready
