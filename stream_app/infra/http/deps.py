"""Parameters that routes share; the only use of FastAPI's ``Depends``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, get_origin

from fastapi import Depends, Header, Path, Query, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Form
from fastapi.params import Query as QueryInfo
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from schemas.asset import ASSET_ID_MAX_LENGTH, ASSET_ID_PATTERN
from stream_app.domain.catalogue import Catalogue
from stream_app.infra.http.hops import HopKey
from stream_app.usecases.asset_lists import AssetLists
from stream_app.usecases.errors import InvalidError
from stream_app.usecases.fleet_changes import FleetChanges
from stream_app.usecases.fleet_summary import FleetSummaries
from stream_app.usecases.history_queries import HistoryQueries
from stream_app.usecases.letters import DeadLetterLog
from stream_app.usecases.lookup import Lookup
from stream_app.usecases.ports import Cluster
from stream_app.usecases.posting import Posting
from stream_app.usecases.queries import Queries
from stream_app.usecases.running_uploads import RunningUploads
from stream_app.usecases.system import System
from stream_app.usecases.task_list import TaskLists
from stream_app.usecases.tasks import Tasks
from stream_app.usecases.temperature_queries import TemperatureQueries
from stream_app.usecases.uploads import Uploads

_JSON: Final = "application/json"
_FORM: Final = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that routes use; built before the worker is connected to Kafka."""

    cluster: Cluster
    lookup: Lookup
    queries: Queries
    tasks: Tasks
    uploads: Uploads
    running: RunningUploads
    task_lists: TaskLists
    posting: Posting
    catalogue: Catalogue
    hop_key: HopKey
    dead_letters: DeadLetterLog
    history: HistoryQueries
    assets: AssetLists
    fleet: FleetSummaries
    changes: FleetChanges
    system: System
    temperatures: TemperatureQueries


def services_of(request: Request) -> Services:
    """Return the services that ``create_api`` was given."""
    services: Services = request.app.state.services
    return services


# Coroutines, since FastAPI runs plain functions in a thread: two more waits for the event loop in each answer.
async def _services(request: Request) -> Services:
    return services_of(request)


async def _is_hop(request: Request) -> bool:
    """Whether another worker asks, as the signature has proved."""
    return bool(getattr(request.state, "hop", False))


async def _require_hop(request: Request) -> None:
    if not await _is_hop(request):
        raise HTTPException(404)


#: For routes that workers alone may ask.
HopOnly = Depends(_require_hop)
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
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="The same request under the same key counts once, as long as uploads are kept; with another body "
        "it is 409",
    ),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="Entries at most")]


#: Bounds of a form: it is read into memory, but for the files.
_FORM_FIELDS: Final = 20
_FORM_FILES: Final = 2  # so that a second one is told as such
_FORM_FIELD_BYTES: Final = 64 << 10


class StrictRoute(APIRoute):
    """A route that refuses what it would else leave out: names of the query, content types, repeated fields."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler."""
        handle = super().get_route_handler()
        params = [f for f in get_flat_params(self.dependant) if isinstance(f.field_info, QueryInfo)]
        names = {f.alias: get_origin(f.field_info.annotation) is list for f in params}
        takes = self._content_types()

        async def handle_strictly(request: Request) -> Response:
            _require_known(request, names)
            if takes:
                _require_content_type(request, takes)
            if takes == {_FORM}:
                await _read_form(request)
            return await handle(request)

        return handle_strictly

    def _content_types(self) -> frozenset[str]:
        """Content types of the body; none where there is no body, or the route looks at it itself."""
        documented = (self.openapi_extra or {}).get("requestBody")
        if documented is not None:
            return frozenset(documented["content"])
        if self.body_field is None:
            return frozenset()
        return frozenset({_FORM if isinstance(self.body_field.field_info, Form) else _JSON})


def _require_known(request: Request, names: Mapping[str, bool]) -> None:
    """Require names that the path has, each once but for those that may come several times."""
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in names:
            known = f"it knows {', '.join(sorted(names))}" if names else "it knows none"
            raise InvalidError("unknown_parameter", f"{name!r} is no parameter of this path: {known}", column=name)
        if given.count(name) > 1 and not names[name]:
            raise InvalidError("repeated_field", f"the parameter {name} comes more than once: send one", column=name)


def _require_content_type(request: Request, takes: Collection[str]) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in takes:
        told = f"the content type is {given!r}" if given else "there is no content type"
        raise HTTPException(415, f"{told}: send {' or '.join(sorted(takes))}")


async def _read_form(request: Request) -> None:
    """Read a form within bounds; the request keeps it."""
    form = await request.form(max_files=_FORM_FILES, max_fields=_FORM_FIELDS, max_part_size=_FORM_FIELD_BYTES)
    names = [name for name, _ in form.multi_items()]
    for name in names:
        if names.count(name) > 1:
            await form.close()
            raise InvalidError("repeated_field", f"the form has {name} more than once: send one", column=name)


class ReadyRoute(StrictRoute):
    """A route that needs the worker's state: it answers 503 before it reads the body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler."""
        handle = super().get_route_handler()

        async def handle_when_ready(request: Request) -> Response:
            services_of(request).lookup.require_ready()
            return await handle(request)

        return handle_when_ready
