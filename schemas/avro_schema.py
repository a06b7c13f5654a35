"""A model's Avro schema, for schema registries: the twin of its JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

NAMESPACE: Final = "stream_app"
_PRIMITIVES: Final = {"string": "string", "integer": "long", "number": "double", "boolean": "boolean"}


def avro_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Avro schema of a model whose fields are numbers, texts, flags, models, lists and maps of them, or null.

    TypeError: a field is of another type.
    """
    schema = model.model_json_schema()
    record = _type(schema, schema.get("$defs", {}), set())
    assert isinstance(record, dict)  # noqa: S101  # for mypy: a model is an object
    return record


def _type(schema: Mapping[str, Any], models: Mapping[str, Any], named: set[str]) -> Any:
    if "$ref" in schema:
        return _type(models[schema["$ref"].rpartition("/")[2]], models, named)
    if "anyOf" in schema:
        # Avro's default of a union is of its first type, so null comes first.
        types = sorted(schema["anyOf"], key=lambda each: each.get("type") != "null")
        return [_type(each, models, named) for each in types]
    match schema.get("type"):
        case "null":
            return "null"
        case "array":
            return {"type": "array", "items": _type(schema["items"], models, named)}
        case "object" if "properties" in schema:
            return _record(schema, models, named)
        case "object":
            return {"type": "map", "values": _type(schema["additionalProperties"], models, named)}
        case str(name) if name in _PRIMITIVES:
            return _PRIMITIVES[name]
        case other:
            msg = f"no Avro type stands for {other or schema} of {schema.get('title')}"
            raise TypeError(msg)


def _record(schema: Mapping[str, Any], models: Mapping[str, Any], named: set[str]) -> Any:
    name = schema["title"]
    if name in named:
        return name  # a record is defined where it comes first
    named.add(name)
    fields = [
        {"name": field, "type": _type(content, models, named)} | _doc(content)
        for field, content in schema["properties"].items()
    ]
    return {"type": "record", "name": name, "namespace": NAMESPACE, **_doc(schema), "fields": fields}


def _doc(schema: Mapping[str, Any]) -> dict[str, str]:
    return {"doc": schema["description"]} if "description" in schema else {}
