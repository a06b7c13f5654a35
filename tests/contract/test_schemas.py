"""The exported JSON Schemas are those of the models."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from schemas.export import EXAMPLES, FOLDER, MODELS, path, render
from stream_app.domain.metrics import REGISTRY


@pytest.mark.parametrize("name", MODELS)
def test_exported_schema_is_current(name: str) -> None:
    """The committed file is what the model says now; else run ``python -m schemas.export``."""
    assert path(name).read_text(encoding="utf-8") == render(name)


def test_every_exported_file_has_a_model() -> None:
    """No schema is left over from a model that is gone."""
    assert set(FOLDER.iterdir()) == {path(name) for name in MODELS}


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
