"""How a file would be read, before it is uploaded."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any, BinaryIO, Final, cast

from fastapi import APIRouter, Query, Request
from starlette.datastructures import UploadFile

from schemas.diagnosis import Diagnosis
from schemas.file import FileSpec
from stream_app.infra.http.deps import ServicesDep
from stream_app.infra.http.problems import describe
from stream_app.infra.http.tasks import file_spec, portioned
from stream_app.usecases.errors import InvalidError

PATH: Final = "/api/v1/doctor"

_IN_MEMORY_BYTES: Final = 4 << 20
_FORM: Final = "multipart/form-data"
_FILE: Final = {"type": "string", "format": "binary", "description": "File of measurements, or its first MB"}
_SPEC: Final = {"type": "string", "description": "How to read the file, as JSON (FileSpec)"}
# The body is a form or the file itself; the framework knows one of them only.
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            _FORM: {
                "schema": {"type": "object", "required": ["data"], "properties": {"data": _FILE, "spec": _SPEC}},
            },
            "application/octet-stream": {"schema": _FILE},
        },
    }
}

router = APIRouter(tags=["tasks"], responses=describe(400, 403, 413, 422, 507))


@router.post(PATH, response_model=Diagnosis, openapi_extra=_BODY)
async def post_doctor(
    request: Request,
    services: ServicesDep,
    spec: Annotated[str | None, Query(description="How to read a file that is the body itself, as JSON")] = None,
) -> Diagnosis:
    """Say how a file is read, what is odd about it, and the command that reads it, as `stream-app doctor` does.

    The first MB is looked at, or all of a file that can only be read as a whole. Nothing is stored.
    """
    with portioned(request) as portions:
        async with _file_of(portions, spec) as (file, how, name):
            return await services.uploads.diagnose(file, how, name)


@asynccontextmanager
async def _file_of(request: Request, spec: str | None) -> AsyncGenerator[tuple[BinaryIO, FileSpec, str]]:
    """The file, how it is to be read, and its name."""
    if request.headers.get("content-type", "").startswith(_FORM):
        async with request.form() as form:
            data, given = form.get("data"), form.get("spec", spec)
            if not isinstance(data, UploadFile):
                raise InvalidError("bad_request_field", "the form has no file: send it as data", None, "data")
            yield data.file, file_spec(given if isinstance(given, str) else None), data.filename or "FILE"
        return
    with SpooledTemporaryFile(_IN_MEMORY_BYTES) as spooled:
        async for portion in request.stream():
            spooled.write(portion)
        yield cast("BinaryIO", spooled), file_spec(spec), "FILE"
