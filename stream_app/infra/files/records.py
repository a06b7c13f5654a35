"""Tables that are no CSV text, as records of cells: titles, and rows that can be read again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any, Final

from stream_app.infra.files.csv_table import Record, unreadable
from stream_app.infra.files.text import lines_of
from stream_app.usecases.errors import InvalidError
from stream_app.wire.decode.refusal import shown

#: Rows whose keys are the titles.
_TITLE_ROWS: Final = 1000
_DEEPEST: Final = 5


@dataclass(frozen=True, slots=True)
class Records:
    """A table.

    Parameters
    ----------
    titles
        Of its columns.
    rows
        Gives the rows, each time from the first.
    kind
        What the file is.
    """

    titles: Sequence[str]
    rows: Callable[[], Iterator[Record]]
    kind: str


def cell(value: object) -> str:
    """A value as the text of a cell."""
    match value:
        case None:
            return ""
        case str():
            return value
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime() | date():
            return value.isoformat()
        case dict() | list():
            return json.dumps(value)
        case _:
            return str(value)


def flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """An object whose objects are taken apart: ``{"a": {"b": 1}}`` has the key ``a.b``."""
    out: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict) and value:
            out |= flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = value
    return out


def json_lines(portions: Callable[[], Iterable[bytes]]) -> Records:
    """A JSON object per line."""
    titles: dict[str, None] = {}
    for row in islice(_objects(portions()), _TITLE_ROWS):
        if isinstance(row[1], dict):
            titles.update(dict.fromkeys(row[1]))
    if not titles:
        _refuse_nothing(portions())
    return Records(list(titles), lambda: _cells(_objects(portions()), list(titles)), "JSON lines")


def _refuse_nothing(portions: Iterable[bytes]) -> None:
    for line, row in _objects(portions):
        _, code, reason = row if isinstance(row, tuple) else ("", "bad_row", "the row is empty")
        raise InvalidError(code, f"row 1 (line {line}): {reason}", 1)
    raise InvalidError("no_rows", "the file is empty: send one JSON row per line, or a CSV table")


def _objects(portions: Iterable[bytes]) -> Iterator[tuple[int, dict[str, Any] | tuple[str, str, str]]]:
    """Line and flat object; in its place, of a line that holds none, why."""
    line = 0
    for portion in portions:
        for text in lines_of(portion):
            line += 1
            if not text.strip():
                continue
            yield line, _object(text)


def _object(text: str) -> dict[str, Any] | tuple[str, str, str]:
    try:
        row = json.loads(text)
    except RecursionError:
        return "", "bad_json", "the JSON is nested too deeply: send rows as flat objects"
    except json.JSONDecodeError as error:
        return "", "bad_json", f"not valid JSON at character {error.pos} ({error.msg}): send JSON objects"
    except ValueError:
        return "", "bad_json", "a number has thousands of digits: send readings such as -40.5"
    if isinstance(row, dict):
        return flat(row)
    return "", "bad_row", f"a row must be a JSON object, not {shown(row)}"


def _cells(
    rows: Iterable[tuple[int, dict[str, Any] | tuple[str, str, str]]], titles: Sequence[str]
) -> Iterator[Record]:
    for line, row in rows:
        if isinstance(row, dict):
            yield line, [cell(row.get(title)) for title in titles]
        else:
            yield line, unreadable(*row[1:])


def json_document(text: bytes) -> Records:
    """A JSON document: an array of rows, wherever in it, or columns."""
    try:
        document = json.loads(text)
    except RecursionError:
        raise InvalidError("bad_json", "the JSON is nested too deeply: send rows as flat objects") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InvalidError("bad_json", f"the file is not valid JSON ({error})") from None
    except ValueError:
        raise InvalidError("bad_json", "a number has thousands of digits: send readings such as -40.5") from None
    rows = _rows_of(document, _DEEPEST)
    if not rows:
        raise InvalidError("no_rows", "the JSON document holds no list of rows: send an array of objects")
    titles: dict[str, None] = {}
    for row in rows:
        titles.update(dict.fromkeys(row))
    numbered = [(i, [cell(row.get(title)) for title in titles]) for i, row in enumerate(rows, start=1)]
    return Records(list(titles), lambda: iter(numbered), "a JSON document")


def _rows_of(content: Any, deepest: int) -> list[dict[str, Any]]:
    """The longest list of rows in a document."""
    if deepest == 0:
        return []
    if isinstance(content, list):
        if content and all(isinstance(row, dict) for row in content):
            inner = max((_rows_of(row, deepest - 1) for row in content), key=len) if len(content) == 1 else []
            return inner if len(inner) > 1 else [flat(row) for row in content]
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
    return max((_rows_of(value, deepest - 1) for value in content.values()), key=len, default=[])


def _carried(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of one signal, of which only the first may name it."""
    name = rows[0].get("entity_id") if rows else None
    for row in rows:
        yield {"entity_id": name, **row} if name is not None else row
