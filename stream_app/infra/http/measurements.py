"""Rows as JSON."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from schemas.lookup import RowsPosted, RowsWritten
from schemas.measurement import Measurement
from stream_app.infra.http.deps import IdempotencyKey, ReadyRoute, ServicesDep
from stream_app.infra.http.problems import describe

router = APIRouter(tags=["measurements"], route_class=ReadyRoute, responses=describe(408, 409, 413, 415, 422, 503))

_ROWS = {"type": "array", "minItems": 1, "items": Measurement.model_json_schema()}
# The body is read and checked as a whole, off the event loop; the framework would do it on the loop, and twice.
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [{"type": "object", "required": ["rows"], "properties": {"rows": _ROWS}}, _ROWS],
                },
                "example": {
                    "rows": [
                        {
                            "asset_id": "bess-001",
                            "timestamp": "2022-04-13T00:00:02Z",
                            "current": -40.0,
                            "voltage": 890.5,
                            "soc": 51.0,
                        }
                    ]
                },
            }
        },
    }
}


@router.post("/api/v1/measurements", status_code=202, response_model=RowsPosted, openapi_extra=_BODY)
async def post_measurements(
    request: Request, services: ServicesDep, idempotency_key: IdempotencyKey = None
) -> RowsPosted:
    """Append rows of any assets. The answer comes when all are stored in Kafka; one bad row refuses them all.

    After a 503 some rows may be stored: rows that are sent again count again, unless they have an `Idempotency-Key`.
    """
    posted = await services.posting.measurements(await request.body(), idempotency_key)
    written = {
        asset_id: RowsWritten(partition=at.partition, offset=at.offset) for asset_id, at in posted.written.items()
    }
    return RowsPosted(accepted=posted.rows, written=written)
