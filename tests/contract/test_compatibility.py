"""Producers and consumers of earlier releases go on working: messages only ever gain what nobody needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.export import MODELS, VERSION, path
from tests.contract.compatibility import lost, not_taken

RELEASES = sorted((Path(__file__).parents[1] / "data" / "schemas").iterdir())
#: What others write for us; everything else is what we write for them.
READ = {"measurement", "control", "asset_spec"}
#: Enumerations of what we write that may grow: whoever reads them has to take a new word.
GROWING = ("$.code: values",)


def _schema(file: Path) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return schema


def breaks(name: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What of a change breaks somebody."""
    if name in READ:
        return not_taken(new, old)
    found = [place for place in not_taken(old, new) if not place.startswith(GROWING)]
    return found + [f"{place}: is gone" for place in lost(old, new)]


@pytest.mark.parametrize("release", RELEASES, ids=lambda folder: folder.name)
@pytest.mark.parametrize("name", MODELS)
def test_nothing_breaks_whoever_knows_an_earlier_release(name: str, release: Path) -> None:
    """What is read takes all that it took; what is written is all that was promised."""
    file = release / path(name).name
    if file.exists():
        assert breaks(name, _schema(file), _schema(path(name))) == []


def test_every_release_of_this_version_is_kept() -> None:
    """Each with schemas whose version is the one of today: a new version begins anew."""
    assert RELEASES
    for release in RELEASES:
        assert {_schema(file)["$id"].rpartition(":v")[2] for file in release.iterdir()} == {str(VERSION)}


@pytest.mark.parametrize(
    ("name", "old", "new", "broken"),
    [
        ("measurement", {}, {"required": ["b"]}, ["$.b: is required"]),
        ("measurement", {"required": ["a"]}, {}, []),
        ("measurement", {"properties": {"a": {"maximum": 5}}}, {"properties": {"a": {"maximum": 4}}}, ["$.a"]),
        ("measurement", {"properties": {"a": {"maximum": 5}}}, {"properties": {"a": {"maximum": 6}}}, []),
        ("metrics_update", {"properties": {"a": {"type": "number"}}}, {"properties": {"a": {"type": "integer"}}}, []),
        (
            "metrics_update",
            {"properties": {"a": {"type": "number"}}},
            {"properties": {"a": {"anyOf": [{"type": "number"}, {"type": "null"}]}}},
            ["$.a: null"],
        ),
        ("metrics_update", {"properties": {"a": {}}}, {"properties": {"b": {}}}, ["$.a: is gone"]),
        ("metrics_update", {"required": ["a"]}, {}, ["$.a: is required"]),
        ("metrics_update", {}, {"properties": {"b": {"type": "string"}}}, []),
        ("metrics_update", {"enum": ["a"]}, {"enum": ["a", "b"]}, ["$: values ['b']"]),
    ],
)
def test_a_change_that_breaks_is_told(name: str, old: dict[str, Any], new: dict[str, Any], broken: list[str]) -> None:
    """So the test above can fail."""
    found = breaks(name, old, new)
    assert [place.startswith(expected) for place, expected in zip(found, broken, strict=True)] == [True] * len(broken)
