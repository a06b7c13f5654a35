"""Rows over HTTP: as JSON, or as a file."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request

from schemas.asset import ASSET_ID_MAX_LENGTH, ASSET_ID_PATTERN
from schemas.columns import BY_WIRE_NAME
from schemas.lookup import RowsPosted, RowsWritten
from schemas.measurement import Measurement
from stream_app.infra.http.deps import IdempotencyKey, ReadyRoute, ServicesDep
from stream_app.infra.http.problems import describe
from stream_app.usecases.errors import InvalidError
from stream_app.usecases.ports import PostedKind

router = APIRouter(tags=["measurements"], route_class=ReadyRoute, responses=describe(403, 408, 409, 413, 415, 422, 503))

_ROW: Final = {
    "asset_id": "bess-001",
    "timestamp": "2022-04-13T00:00:02Z",
    "current": -40.0,
    "voltage": 890.5,
    "soc": 51.0,
}
_ROWS: Final = {"type": "array", "minItems": 1, "items": Measurement.model_json_schema()}
_READINGS: Final = {"type": "array", "items": {"type": ["number", "null"]}}
_STAMPS: Final = {"type": "array", "minItems": 1, "items": {"type": ["string", "number"]}}
_COLUMNS: Final = {
    "type": "object",
    "required": ["asset_id", "timestamp", "current", "voltage", "soc"],
    "properties": {"asset_id": {"type": "string"}, "timestamp": _STAMPS, **dict.fromkeys(BY_WIRE_NAME, _READINGS)},
}
_KINDS: Final[dict[str, PostedKind]] = {
    "application/json": "json",
    "application/x-ndjson": "lines",
    "application/vnd.apache.arrow.stream": "table",
    "text/csv": "table",
}
_BINARY: Final = {"type": "string", "format": "binary"}
_CSV: Final = "asset_id,timestamp,current,voltage,soc\nbess-001,2022-04-13T00:00:02Z,-40.0,890.5,51.0\n"
# The body is read and checked as a whole, off the event loop; the framework would do it on the loop, and twice.
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [{"type": "object", "required": ["rows"], "properties": {"rows": _ROWS}}, _ROWS, _COLUMNS],
                },
                "example": {"rows": [_ROW]},
            },
            "application/x-ndjson": {
                "schema": {"type": "string", "description": "A row as JSON in each line"},
                "example": json.dumps(_ROW) + "\n",
            },
            "application/vnd.apache.arrow.stream": {"schema": _BINARY},
            "text/csv": {"schema": {"type": "string", "description": "A file as uploads take it"}, "example": _CSV},
        },
    }
}


@router.post("/api/v1/measurements", status_code=202, response_model=RowsPosted, openapi_extra=_BODY)
async def post_measurements(
    request: Request,
    services: ServicesDep,
    asset_id: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=ASSET_ID_MAX_LENGTH,
            pattern=ASSET_ID_PATTERN,
            description="Asset of the rows of a CSV or Arrow body that does not name it",
        ),
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> RowsPosted:
    """Append rows of any assets. The answer comes when all are stored in Kafka; one bad row refuses them all.

    Rows come as JSON (an array, `rows`, or one asset's columns as arrays), as lines of JSON, as CSV or as an Arrow
    stream. Rows without our names are read by the profile of their asset's spec. After a 503 some rows may be stored:
    rows that are sent again count again, unless they have an `Idempotency-Key`.
    """
    kind = _KINDS[request.headers["content-type"].partition(";")[0].strip().lower()]
    if asset_id is not None and kind != "table":
        raise InvalidError("bad_request_field", "rows of JSON name their asset themselves", column="asset_id")
    body = await request.body()
    posted = await services.posting.measurements(body, idempotency_key, kind=kind, asset_id=asset_id)
    written = {name: RowsWritten(partition=at.partition, offset=at.offset) for name, at in posted.written.items()}
    return RowsPosted(accepted=posted.rows, written=written)
