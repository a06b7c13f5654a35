"""The exported schemas are those of the models, and the AsyncAPI document names them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from jsonschema import Draft7Validator

from schemas.export import (
    AVRO_FOLDER,
    AVRO_MODELS,
    EXAMPLES,
    FOLDER,
    MODELS,
    REGISTRY_FOLDER,
    REGISTRY_MODELS,
    avro_path,
    path,
    registry_path,
    render,
    render_avro,
    render_for_registry,
)
from stream_app.domain.metrics import REGISTRY
from tests.readers.installed import asyncapi_schema
from tools import asyncapi


@pytest.mark.parametrize("name", MODELS)
def test_exported_schema_is_current(name: str) -> None:
    """The committed file is what the model says now; else run ``python -m schemas.export``."""
    assert path(name).read_text(encoding="utf-8") == render(name)


def test_every_exported_file_has_a_model() -> None:
    """No schema is left over from a model that is gone."""
    assert set(FOLDER.iterdir()) == {path(name) for name in MODELS}
    assert set(AVRO_FOLDER.iterdir()) == {avro_path(name) for name in AVRO_MODELS}
    assert set(REGISTRY_FOLDER.iterdir()) == {registry_path(name) for name in REGISTRY_MODELS}


@pytest.mark.parametrize("name", AVRO_MODELS)
def test_exported_avro_schema_is_current(name: str) -> None:
    """The same of the Avro schemas."""
    assert avro_path(name).read_text(encoding="utf-8") == render_avro(name)


@pytest.mark.parametrize("name", REGISTRY_MODELS)
def test_schema_for_registries_is_current_and_of_draft_7(name: str) -> None:
    """It takes the examples, and has what registries can resolve alone: no ``$defs``, no identifier."""
    assert registry_path(name).read_text(encoding="utf-8") == render_for_registry(name)
    schema = json.loads(render_for_registry(name))
    Draft7Validator.check_schema(schema)
    validator = Draft7Validator(schema)
    assert [error.message for example in EXAMPLES[name] for error in validator.iter_errors(example)] == []
    assert not validator.is_valid({})
    assert not {"$defs", "$id", "discriminator"} & set(re.findall(r'"([$\w]+)":', render_for_registry(name)))


def test_asyncapi_document_is_valid() -> None:
    """By the schema of its version; a document with a wrong operation is refused."""
    document = asyncapi.document()
    validator = Draft7Validator(json.loads(asyncapi_schema(document["asyncapi"]).read_text("utf-8")))
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)] == []
    wrong = document["operations"]["sendMetrics"] | {"action": "publish"}
    assert not validator.is_valid(document | {"operations": {"sendMetrics": wrong}})


def test_asyncapi_document_is_current() -> None:
    """Else run ``make docs``; every file that it refers to is there."""
    assert asyncapi.FILE.read_text(encoding="utf-8") == asyncapi.render()
    files = re.findall(r"\$ref: (\.\./\S+)", asyncapi.render())
    assert {(asyncapi.FILE.parent / file).resolve() for file in files} <= set(FOLDER.iterdir())
    assert len(files) >= len(asyncapi.document()["components"]["messages"]) - 1


@pytest.mark.parametrize(
    ("name", "example"), [(name, example) for name, examples in EXAMPLES.items() for example in examples]
)
def test_examples_are_valid(name: str, example: dict[str, Any]) -> None:
    """What the schemas show as examples is accepted, and survives the way over the wire."""
    value = MODELS[name].validate_json(json.dumps(example))
    assert MODELS[name].validate_json(MODELS[name].dump_json(value, exclude_none=False)) == value


@pytest.mark.parametrize(
    ("name", "value"), [each for example in EXAMPLES["metrics_update"] for each in example["metrics"].items()]
)
def test_example_metrics_are_those_of_the_catalogue(name: str, value: dict[str, Any]) -> None:
    """An example shows a metric that exists, with its unit, and a reason that the metric gives."""
    metric = REGISTRY[name]
    reasons = re.findall(r"``(\w+)``", type(metric).value.__doc__ or "")
    assert value["unit"] == metric.unit
    assert (value["value"] is None) == ("reason" in value)
    assert value.get("reason") in {None, *reasons}
