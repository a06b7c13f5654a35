"""Writes the contract for producers and consumers in any language, as JSON Schema and, for typed readers, as Avro.

``python -m schemas.export`` writes both, and messages once more in draft 7, which schema registries can check.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from schemas.asset import AssetSpec
from schemas.avro_schema import avro_schema
from schemas.control import CONTROL
from schemas.measurement import Measurement
from schemas.metrics import EventHeaders, FlatUpdate, MetricsUpdate, UpdateHeaders
from schemas.rejected import RejectedRow
from schemas.task import TaskAccepted, TaskStatus

FOLDER = Path(__file__).parent / "json"
AVRO_FOLDER = Path(__file__).parent / "avro"
REGISTRY_FOLDER = Path(__file__).parent / "registry"
#: Raised by a change that breaks producers or consumers of the version before.
VERSION = 1

MODELS: dict[str, TypeAdapter[Any]] = {
    "measurement": TypeAdapter(Measurement),
    "control": CONTROL,
    "asset_spec": TypeAdapter(AssetSpec),
    "metrics_update": TypeAdapter(MetricsUpdate),
    "flat_update": TypeAdapter(FlatUpdate),
    "update_headers": TypeAdapter(UpdateHeaders),
    "event_headers": TypeAdapter(EventHeaders),
    "rejected_row": TypeAdapter(RejectedRow),
    "task_accepted": TypeAdapter(TaskAccepted),
    "task_status": TypeAdapter(TaskStatus),
}

#: Values of messages: what a schema registry is asked about.
REGISTRY_MODELS = ("measurement", "control", "metrics_update", "flat_update")

#: What has one type for each of its names; ``metrics_update`` does not.
AVRO_MODELS: dict[str, type[BaseModel]] = {"flat_update": FlatUpdate}

_TASK_ID = "0c9f7f0e-8f0b-4c1c-9d55-1b8d5d0d5c0f"
_RTE = {"value": 0.93, "unit": "1"}
_HEAD = {
    "asset_id": "bess-001",
    "window": {"size": "15m", "start": "2022-04-13T00:00:00Z", "end": "2022-04-13T00:15:00Z"},
    "seq": 4711,
    "final": False,
}

EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "measurement": [
        {"asset_id": "bess-001", "timestamp": "2022-04-13T00:00:02Z", "current": -40.0, "voltage": 890.5, "soc": 51.0},
        {
            "asset_id": "bess-001",
            "timestamp": 1649808002,
            "current": None,
            "voltage": 890.5,
            "soc": 51.0,
            "power": -35620.0,
            "temperature": 24.5,
        },
    ],
    "control": [
        {
            "control": "asset_spec",
            "asset_id": "bess-001",
            "spec": {"nominal_capacity_ah": 94.0, "current_sign": "discharge_positive", "windows": ["15m", "1d"]},
        },
        {"control": "end_of_upload", "asset_id": f"upload-{_TASK_ID}", "rows": 86400},
        {"control": "forget", "asset_id": "bess-001"},
        {"control": "close_until", "asset_id": "bess-001", "until_us": 1649808060000000},
    ],
    "asset_spec": [{"nominal_capacity_ah": 94.0, "sampling_period_s": 1.0}],
    "metrics_update": [
        {**_HEAD, "metrics": {"rte_v1": _RTE, "c_rate_v1": {"value": None, "unit": "1", "reason": "capacity_missing"}}}
    ],
    "flat_update": [{**_HEAD, "values": {"rte_v1": 0.93, "soc_dwell_s.0": 0.0, "soc_dwell_s.1": 900.0}}],
    "update_headers": [{"size": "15m", "final": "false", "seq": "4711", "asset": "bess-001"}],
    "event_headers": [
        {
            "content-type": "application/json",
            "ce_specversion": "1.0",
            "ce_type": "app.stream.metrics.update.v1",
            "ce_source": "/stream-app/3",
            "ce_id": "bess-001/15m/2022-04-13T00:00:00Z/4711",
        }
    ],
    "rejected_row": [
        {
            "code": "out_of_range",
            "message": "soc is 512, outside -10 to 120 %: check the unit, or send null if it was not measured",
            "topic": "measurements",
            "partition": 3,
            "offset": 4711,
            "row": "3,17-20",
            "timestamp": 1649808002000,
        }
    ],
    "task_accepted": [{"task_id": _TASK_ID}],
    "task_status": [
        {"task_id": _TASK_ID, "state": "PENDING"},
        {
            "task_id": _TASK_ID,
            "state": "SUCCESS",
            "data": {"rte": 0.93, "c_rate": 0.5, "total_data_points": 86400, "metrics": {"rte_v1": _RTE}},
            "progress": {"rows_sent": 86400, "rows_applied": 86400, "rows_rejected": 0},
        },
    ],
}


def render(name: str) -> str:
    """Render a model's schema; the same model gives the same text."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:stream-app:schema:{name}:v{VERSION}",
        **MODELS[name].json_schema(),
        "examples": EXAMPLES[name],
    }
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def render_for_registry(name: str) -> str:
    """Render a message's schema in draft 7, without an ``$id``: registries resolve no reference below a ``urn:``."""
    schema = json.loads(json.dumps(MODELS[name].json_schema()).replace('"#/$defs/', '"#/definitions/'))
    schema.pop("discriminator", None)  # OpenAPI's
    if "$defs" in schema:
        schema["definitions"] = schema.pop("$defs")
    head = {"$schema": "http://json-schema.org/draft-07/schema#"}
    return json.dumps(head | schema, indent=2, sort_keys=True) + "\n"


def registry_path(name: str) -> Path:
    """File of a message's schema in draft 7."""
    return REGISTRY_FOLDER / f"{name}.schema.json"


def path(name: str) -> Path:
    """File of a model's schema."""
    return FOLDER / f"{name}.schema.json"


def render_avro(name: str) -> str:
    """Render a model's Avro schema; the same model gives the same text."""
    return json.dumps(avro_schema(AVRO_MODELS[name]), indent=2) + "\n"


def avro_path(name: str) -> Path:
    """File of a model's Avro schema."""
    return AVRO_FOLDER / f"{name}.avsc"


if __name__ == "__main__":
    for model in MODELS:
        path(model).write_text(render(model), encoding="utf-8")
    for model in REGISTRY_MODELS:
        registry_path(model).write_text(render_for_registry(model), encoding="utf-8")
    for model in AVRO_MODELS:
        avro_path(model).write_text(render_avro(model), encoding="utf-8")
