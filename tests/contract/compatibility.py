"""Whether one JSON Schema takes all that another one describes: a comparison of the keywords that pydantic writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

Schema = dict[str, Any]

#: Bounds: keyword, and whether a larger number allows more.
_BOUNDS: Final = {
    "minimum": False,
    "exclusiveMinimum": False,
    "minLength": False,
    "minItems": False,
    "maximum": True,
    "exclusiveMaximum": True,
    "maxLength": True,
    "maxItems": True,
}
_EXACT: Final = ("pattern", "multipleOf", "format")


def not_taken(wide: Schema, narrow: Schema) -> list[str]:
    """Places at which ``narrow`` describes what ``wide`` refuses, or misses what ``wide`` requires.

    A property that only ``narrow`` names is taken: readers ignore what they do not know.
    """
    return sorted(set(_not_taken(wide, wide, narrow, narrow, "$")))


def lost(old: Schema, new: Schema) -> list[str]:
    """Properties that ``old`` describes and ``new`` does not."""
    return sorted(set(_properties(old, old, "$")) - set(_properties(new, new, "$")))


def _not_taken(wide_root: Schema, wide: Schema, narrow_root: Schema, narrow: Schema, at: str) -> Iterator[str]:
    wide, narrow = _resolved(wide_root, wide), _resolved(narrow_root, narrow)
    if branches := _branches(narrow):
        for branch in branches:
            yield from _not_taken(wide_root, wide, narrow_root, branch, at)
        return
    if branches := _branches(wide):
        tried = [list(_not_taken(wide_root, branch, narrow_root, narrow, at)) for branch in branches]
        yield from min(tried, key=len)
        return
    yield from _numbers_and_texts(wide, narrow, at)
    yield from _members(wide_root, wide, narrow_root, narrow, at)


def _numbers_and_texts(wide: Schema, narrow: Schema, at: str) -> Iterator[str]:
    if refused := _types(narrow) - _types(wide):
        yield f"{at}: {', '.join(sorted(refused))}"
    if (allowed := _values(wide)) is not None:
        given = _values(narrow)
        if given is None or not given <= allowed:
            yield f"{at}: values {sorted((given or {'any'}) - allowed)}"
    for name, is_upper in _BOUNDS.items():
        if name not in wide:
            continue
        limit, given_limit = wide[name], narrow.get(name)
        if given_limit is None or (given_limit > limit if is_upper else given_limit < limit):
            yield f"{at}: {name} {given_limit}, {limit} is the limit"
    for name in _EXACT:
        if name in wide and narrow.get(name) != wide[name]:
            yield f"{at}: {name}"


def _members(wide_root: Schema, wide: Schema, narrow_root: Schema, narrow: Schema, at: str) -> Iterator[str]:
    known, given = wide.get("properties", {}), narrow.get("properties", {})
    for name in set(wide.get("required", ())) - set(narrow.get("required", ())):
        yield f"{at}.{name}: is required"
    for name in known.keys() & given.keys():
        yield from _not_taken(wide_root, known[name], narrow_root, given[name], f"{at}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(wide.get(name), dict) and isinstance(narrow.get(name), dict):
            yield from _not_taken(wide_root, wide[name], narrow_root, narrow[name], f"{at}[]")
    if wide.get("additionalProperties") is False:
        for name in given.keys() - known.keys():
            yield f"{at}.{name}: no further properties"


def _resolved(root: Schema, part: Schema) -> Schema:
    while "$ref" in part:
        found = root
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def _branches(part: Schema) -> list[Schema]:
    found: list[Schema] = part.get("anyOf") or part.get("oneOf") or []
    return found


def _types(part: Schema) -> set[str]:
    kinds = part.get("type", ["null", "boolean", "number", "integer", "string", "array", "object"])
    found = {kinds} if isinstance(kinds, str) else set(kinds)
    return found | {"integer"} if "number" in found else found


def _values(part: Schema) -> set[Any] | None:
    if "const" in part:
        return {part["const"]}
    return set(part["enum"]) if "enum" in part else None


def _properties(root: Schema, part: Schema, at: str) -> Iterator[str]:
    part = _resolved(root, part)
    for branch in _branches(part):
        yield from _properties(root, branch, at)
    for name, each in part.get("properties", {}).items():
        yield f"{at}.{name}"
        yield from _properties(root, each, f"{at}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(part.get(name), dict):
            yield from _properties(root, part[name], f"{at}[]")
