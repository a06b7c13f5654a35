"""The batch API: upload a file, poll the task."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, File, Form, Path, Query, Request, UploadFile
from pydantic import ValidationError
from starlette.responses import Response
from starlette.types import Receive, Scope

from schemas.file import FileSpec
from schemas.task import TaskAccepted, TaskCancelled, TaskPage, TaskStatus
from stream_app.infra.http import answers
from stream_app.infra.http.deps import Hop, HopOnly, IdempotencyKey, Limit, ReadyRoute, ServicesDep
from stream_app.infra.http.problems import describe
from stream_app.infra.http.upload_space import Room, UploadSpace, told
from stream_app.usecases.errors import InvalidError, NotFoundError
from stream_app.usecases.ports import PeerAnswer
from stream_app.usecases.rights import current_rights
from stream_app.usecases.tasks import UPLOAD_PREFIX

UPLOAD_PATHS = ("/api/v1/metrics", "/api/v1/metrics/")

_PORTION_BYTES: Final = 1 << 20

TaskId = Annotated[str, Path(max_length=100, examples=["0c9f7f0e-8f0b-4c1c-9d55-1b8d5d0d5c0f"])]


class PortionedRequest(Request):
    """A request whose body comes in large portions: for each one, the framework hands the file to a thread."""

    def __init__(self, scope: Scope, receive: Receive, room: Room) -> None:
        super().__init__(scope, receive)
        self._room = room

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the body, and take room for it."""
        waiting: list[bytes] = []
        size = 0
        async for piece in super().stream():
            waiting.append(piece)
            size += len(piece)
            if size >= _PORTION_BYTES:
                self._room.take(size)
                yield b"".join(waiting)
                waiting.clear()
                size = 0
        self._room.take(size)
        yield b"".join(waiting)


@contextmanager
def portioned(request: Request) -> Generator[PortionedRequest]:
    """The request with room for its files, which is given back at its end unless a file keeps it."""
    space: UploadSpace = request.app.state.upload_space
    room = space.room()
    request.state.room = room
    try:
        yield PortionedRequest(request.scope, request.receive, room)
    except OSError as error:
        raise told(error) from None
    finally:
        room.leave()


class _UploadRoute(ReadyRoute):
    """A route that takes files."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler."""
        handle = super().get_route_handler()

        async def handle_in_portions(request: Request) -> Response:
            with portioned(request) as portions:
                return await handle(portions)

        return handle_in_portions


router = APIRouter(tags=["tasks"], route_class=_UploadRoute, responses=describe(422, 503))


@router.post(
    UPLOAD_PATHS[1],
    status_code=202,
    response_model=TaskAccepted,
    response_model_exclude_none=True,
    include_in_schema=False,
)
@router.post(
    UPLOAD_PATHS[0],
    status_code=202,
    response_model=TaskAccepted,
    response_model_exclude_none=True,
    responses=describe(400, 403, 409, 413, 507),
)
async def upload(
    *,
    request: Request,
    data: Annotated[
        UploadFile, File(description="File of measurements, such as CSV with timestamp,current,voltage,soc")
    ],
    nominal_capacity: Annotated[
        float, Form(gt=0, le=1e9, allow_inf_nan=False, description="Nominal capacity [Ah]", examples=[94.0])
    ],
    services: ServicesDep,
    response: Response,
    spec: Annotated[
        str | None, Form(description="How to read the file, as JSON (FileSpec)", examples=['{"timezone": "UTC"}'])
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> TaskAccepted:
    """Compute the metrics of a file; poll the task.

    The whole file is checked before any row of it is sent. The answer comes when all of it is stored in Kafka, or after
    five seconds; a bad file is a problem that names its first bad row and column, or, if it is found later, a FAILURE
    of the task that does.
    """
    how = file_spec(spec, nominal_capacity)
    room: Room = request.state.room
    file, size = room.kept(data)
    accepted = await services.uploads.accept(file, how, size=size, key=idempotency_key)
    structlog.contextvars.bind_contextvars(task_id=accepted.task_id)  # stands in the request's entry of the log
    response.headers["Location"] = f"{UPLOAD_PATHS[0]}/{accepted.task_id}"
    return TaskAccepted(task_id=accepted.task_id, warnings=list(accepted.told) or None)


def file_spec(text: str | None, nominal_capacity_ah: float | None = None) -> FileSpec:
    """Read the spec of a file, with the nominal capacity that is given beside it."""
    try:
        given = FileSpec.model_validate_json(text) if text else FileSpec()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, ("spec", *first["loc"])))
        raise InvalidError("bad_spec", f"{place}: {first['msg']}", None, "spec") from None
    return (
        given if nominal_capacity_ah is None else given.model_copy(update={"nominal_capacity_ah": nominal_capacity_ah})
    )


@router.get(UPLOAD_PATHS[0], response_model=TaskPage)
async def list_tasks(
    services: ServicesDep,
    hop: Hop,
    cursor: Annotated[
        str, Query(max_length=36, pattern="^[0-9a-f-]*$", description="`next_cursor` of the page before")
    ] = "",
    limit: Limit = 100,
) -> Response:
    """List the uploads of all workers by task id. A key that sees some assets alone finds none."""
    if not current_rights().sees(UPLOAD_PREFIX):
        return answers.json({"tasks": [], "next_cursor": None})
    found = await services.task_lists.page(cursor=cursor, limit=limit, hop=hop)
    tasks = [
        {**asdict(task), "reading": None if task.reading is None else answers.reading(task.reading, hop=hop)}
        for task in found.tasks
    ]
    more = {"partitions": found.partitions} if hop else {}
    return answers.json({"tasks": tasks, "next_cursor": found.next_cursor} | more)


@router.post(
    UPLOAD_PATHS[0] + "/{task_id}/cancel", status_code=202, response_model=TaskCancelled, responses=describe(403, 404)
)
async def cancel_task(task_id: TaskId, services: ServicesDep) -> TaskCancelled:
    """Stop reading the task's file: it fails, and says how many rows count. One that is over stays as it is."""
    await services.task_lists.cancel(task_id)
    return TaskCancelled(task_id=task_id)


@router.delete(
    UPLOAD_PATHS[0] + "/{task_id}", status_code=202, response_model=TaskCancelled, responses=describe(403, 404)
)
async def delete_task(task_id: TaskId, services: ServicesDep) -> TaskCancelled:
    """Cancel the task and forget it: its record stands among its rows."""
    await services.task_lists.delete(task_id)
    return TaskCancelled(task_id=task_id)


@router.get("/api/v1/uploads/{task_id}", include_in_schema=False, dependencies=[HopOnly])
async def get_reading(task_id: str, services: ServicesDep, claim: int = 0, cancel: bool = False) -> Response:
    """What workers ask each other: how far this one is with a file, which key it takes; and to stop it."""
    if cancel:
        await services.uploads.cancel(task_id)
    running = services.running.asked_for(task_id, claim)
    if running is None:
        raise NotFoundError("unknown_task", "this worker does not read its file")
    return answers.json(answers.reading(running.progress(), hop=True))


@router.get(UPLOAD_PATHS[0] + "/{task_id}/", response_model=TaskStatus, include_in_schema=False)
@router.get(UPLOAD_PATHS[0] + "/{task_id}", response_model=TaskStatus, responses=describe(404))
async def get_task(
    *,
    task_id: TaskId,
    services: ServicesDep,
    hop: Hop,
    anew: Annotated[bool, Query(include_in_schema=False)] = False,
) -> Response:
    """Return the state of an upload. `data` is there on SUCCESS, `error` on FAILURE."""
    found = await services.tasks.task(task_id, hop=hop, anew=hop and anew)
    structlog.contextvars.bind_contextvars(task_id=task_id)
    return answers.relay(found) if isinstance(found, PeerAnswer) else answers.task(found, hop=hop)
