"""Tables that are no CSV text, as records of cells: titles, and rows that can be read again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any, Final

from stream_app.infra.files.csv_records import Record, unreadable
from stream_app.infra.files.document import flat, parsed, rows_of
from stream_app.infra.files.findings import Findings
from stream_app.infra.files.text import lines_of
from stream_app.infra.files.titles import recognise
from stream_app.usecases.errors import InvalidError
from stream_app.wire.decode.refusal import shown

#: Rows whose keys are the titles.
_TITLE_ROWS: Final = 1000


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


def leaves(titles: Sequence[str]) -> list[str]:
    """Titles, of which those within objects go by their last name where that alone tells what they are."""
    lasts = Counter(title.rpartition(".")[2] for title in titles)
    return [
        last
        if lasts[last := title.rpartition(".")[2]] == 1 and recognise(title) is None and recognise(last) is not None
        else title
        for title in titles
    ]


def json_lines(portions: Callable[[], Iterable[bytes]]) -> Records:
    """A JSON object per line."""
    titles: dict[str, None] = {}
    for row in islice(_objects(portions()), _TITLE_ROWS):
        if isinstance(row[1], dict):
            titles.update(dict.fromkeys(row[1]))
    if not titles:
        _refuse_nothing(portions())
    return Records(leaves(list(titles)), lambda: _cells(_objects(portions()), list(titles)), "JSON lines")


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


def json_document(text: bytes, findings: Findings) -> Records:
    """A JSON document: an array of rows, wherever in it, or columns."""
    try:
        document = parsed(text.decode(), findings)
    except RecursionError:
        raise InvalidError("bad_json", "the JSON is nested too deeply: send rows as flat objects") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InvalidError("bad_json", f"the file is not valid JSON ({error})") from None
    except ValueError:
        raise InvalidError("bad_json", "a number has thousands of digits: send readings such as -40.5") from None
    rows = rows_of(document)
    if not rows:
        raise InvalidError("no_rows", "the JSON document holds no list of rows: send an array of objects")
    titles: dict[str, None] = {}
    for row in rows:
        titles.update(dict.fromkeys(row))
    numbered = [(i, [cell(row.get(title)) for title in titles]) for i, row in enumerate(rows, start=1)]
    return Records(leaves(list(titles)), lambda: iter(numbered), "a JSON document")
