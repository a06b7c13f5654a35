"""JSON documents: the rows within them, wherever they are and however they are laid out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from stream_app.infra.files.dates import date_us
from stream_app.infra.files.findings import Findings
from stream_app.wire.decode.timestamps import UNREAD

_DEEPEST: Final = 5
_BETWEEN: Final = re.compile(r"[\s,]*")


def flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """An object whose objects are taken apart: ``{"a": {"b": 1}}`` has the key ``a.b``."""
    out: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict) and value:
            out |= flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = value
    return out


def parsed(text: str, findings: Findings) -> Any:
    """The document; several documents one behind the other are a list, and of an array that was cut the whole rows.

    Raises
    ------
    JSONDecodeError
        It is not JSON.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        start = text.lstrip()
        if start.startswith("{") and error.msg == "Extra data":
            return list(_documents(start))
        last = start.rfind("}")
        if not start.startswith("[") or last < 0:
            raise
        content = json.loads(start[: last + 1] + "]")
        findings.note("the JSON array was cut: the rows before that are read")
        return content


def _documents(text: str) -> Iterator[Any]:
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        document, at = decoder.raw_decode(text, at)
        yield document
        between = _BETWEEN.match(text, at)
        at = between.end() if between is not None else at


def rows_of(document: Any) -> list[dict[str, Any]]:
    """The rows of a document; empty when there are none."""
    return _rows_of(document, _DEEPEST)


def _rows_of(content: Any, deepest: int) -> list[dict[str, Any]]:
    """The longest list of rows in a document."""
    if deepest == 0:
        return []
    if isinstance(content, list):
        if content and all(isinstance(row, dict) for row in content):
            inner = [{**about, **row} for part in content for about, row in _within(part, deepest)]
            return inner if len(inner) > len(content) else [flat(row) for row in content]
        if content and all(isinstance(row, list) for row in content):
            if all(isinstance(title, str) for title in content[0]) and len(content) > 1 and content[0]:
                return [dict(zip(content[0], row, strict=False)) for row in content[1:]]
            return [row for series in content for row in _carried(_rows_of(series, deepest - 1))]
        return []
    if not isinstance(content, dict):
        return []
    titles, values = content.get("columns"), content.get("values", content.get("data"))
    if isinstance(titles, list) and isinstance(values, list) and values and isinstance(values[0], list):
        return [dict(zip(map(str, titles), row, strict=False)) for row in values]
    columns = {key: value for key, value in content.items() if isinstance(value, list)}
    if len(columns) > 1 and len({len(values) for values in columns.values()}) == 1:
        lists = {key: values for key, values in columns.items() if not any(isinstance(v, dict | list) for v in values)}
        if len(lists) > 1:
            return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    if (points := _points(columns)) or (points := _by_time(content)):
        return points
    found = {key: rows for key, value in content.items() if (rows := _rows_of(value, deepest - 1))}
    alike = {key: rows for key, rows in found.items() if rows[0].keys() == next(iter(found.values()))[0].keys()}
    if 1 < len(alike) == len(found):  # the rows of each asset apart
        return [{"asset_id": key, **row} for key, rows in alike.items() for row in rows]
    return max(found.values(), key=len, default=[])


def _within(part: Mapping[str, Any], deepest: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Rows within an object, each with what the object says of all of them."""
    lists = {key: value for key, value in part.items() if isinstance(value, list)}
    about = flat({key: value for key, value in part.items() if key not in lists})
    points = _points({str(about.get("metric.__name__", key)): value for key, value in lists.items()})
    rows = points or max((_rows_of(value, deepest - 1) for value in lists.values()), key=len, default=[])
    for row in rows:
        yield ({} if points else about), row


def _points(series: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Rows of series that are lists of points, a pair or an object of time and value each."""
    rows: list[dict[str, Any]] = []
    for name, points in series.items():
        for point in points:
            if isinstance(point, list) and len(point) == 2 and not isinstance(point[1], dict | list):
                time, value = point
            elif isinstance(point, dict) and point.keys() == {"ts", "value"}:
                time, value = point["ts"], point["value"]
            else:
                return []
            rows.append({"entity_id": name, "last_changed": time, "state": value})
    return rows


def _by_time(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of an object that has an object for each time, or for each column one that has a value for each row."""
    if len(content) < 2 or not all(isinstance(value, dict) and value for value in content.values()):
        return []
    if all(date_us(key, False) != UNREAD for key in content):
        return [{"timestamp": key, **flat(row)} for key, row in content.items()]
    keys = next(iter(content.values())).keys()
    if all(key.isdecimal() for key in keys) and all(value.keys() == keys for value in content.values()):
        return [{name: column[key] for name, column in content.items()} for key in keys]
    return []


def _carried(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of one signal, of which only the first may name it."""
    name = rows[0].get("entity_id") if rows else None
    for row in rows:
        yield {"entity_id": name, **row} if name is not None else row
