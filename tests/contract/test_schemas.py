"""The exported JSON Schemas are those of the models."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.export import EXAMPLES, FOLDER, MODELS, path, render


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
