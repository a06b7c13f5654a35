"""Templates: how producers write their rows, learnt from rows that the scan has read.

A producer's messages differ in their values alone. A template is the text between the values of one object, and what
each value is; :func:`stream_app.wire.decode.fitting.fit` reads objects by it. There are a few at a time, as a topic has
a few kinds of producers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.columns import BY_WIRE_NAME
from stream_app.wire.decode.fitting import (
    BETWEEN,
    CLOCK,
    COLUMN,
    END,
    EPOCH,
    FIRST,
    KEY,
    LAST,
    OFFSET_US,
    OTHER_NUMBER,
    OTHER_TEXT,
    READING,
    ROWS,
    STEP_COLUMNS,
    TEMPLATE_COLUMNS,
    TEXT,
    VALUE,
    Templates,
)
from stream_app.wire.decode.timestamps import TimestampError, parse_timestamp

MAX_TEMPLATES: Final = 8
_WORD: Final = 8
_NUMBERS: Final = {name: number for number, name in enumerate(BY_WIRE_NAME)}

_BLANK: Final = r"[ \t\r\n]*"
_FIELD: Final = re.compile(
    rf'{_BLANK}"(?P<name>[^"]*)"{_BLANK}:{_BLANK}(?P<open>\[?){_BLANK}(?P<value>"[^"]*"|[^\s,"\[\]}}]+)'
)
_NEXT_ITEM: Final = re.compile(rf'{_BLANK},{_BLANK}("[^"]*"|[^\s,"\]]+)')
_CLOSING: Final = re.compile(rf"{_BLANK}\]")
_MARK: Final = re.compile(rf"{_BLANK}([,}}])")
_CLOCK: Final = re.compile(r'"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?)([^"]*)"', re.ASCII)

_Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Step:
    """A text, the value behind it, and the text between two items where the value is a list."""

    text: str
    value: int = END
    column: int = 0
    between: str = ""


@dataclass(frozen=True, slots=True)
class _Template:
    steps: tuple[_Step, ...]
    offset_us: int


class KnownTemplates:
    """The templates of a partition's producers.

    Attributes
    ----------
    compiled
        As compiled functions take them; it counts rows there.
    """

    def __init__(self) -> None:
        self._known: list[_Template] = []
        self.compiled = _compiled(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, example: bytes) -> None:
        """Learn from an object that the scan has read. The template that served the fewest rows makes room."""
        template = _learnt(example)
        if template is None or template in self._known:
            return
        rows = self.compiled.table[:, ROWS] // 2  # what served long ago counts less
        kept = np.sort(np.argsort(-rows, kind="stable")[: MAX_TEMPLATES - 1])
        self._known = [*(self._known[i] for i in kept.tolist()), template]
        self.compiled = _compiled(self._known)
        self.compiled.table[: len(kept), ROWS] = rows[kept]


def _learnt(example: bytes) -> _Template | None:
    """Template of an object without escapes; None where it would serve nothing, as its stamp is of another kind."""
    text, at, behind = example.decode("ascii"), 0, 1
    steps: list[_Step] = []
    offset_us, closed = 0, False
    while not closed:
        field = _FIELD.match(text, behind)
        if field is None:
            return None
        name, token = field["name"], field["value"]
        value, behind = _value_of(name, token), field.end("value")
        first = last = _span(value, token, field.start("value"))
        if first is None or last is None:
            return None
        between = ""
        if field["open"]:
            found = _rest_of_list(text, value, first, behind)
            if found is None:
                return None
            between, last, behind = found
        if value == CLOCK and (offset := _offset_us(token)) is not None:
            offset_us = offset
        elif value == CLOCK:
            return None
        if value != END:  # a word is part of the text
            steps.append(_Step(text[at : first[0]], value, _NUMBERS.get(name, 0), between))
            at = last[1]
        mark = _MARK.match(text, behind)
        if mark is None:
            return None
        behind, closed = mark.end(), mark[1] == "}"
    return _Template((*steps, _Step(text[at:behind])), offset_us)


def _value_of(name: str, token: str) -> int:
    """What a field's value is."""
    quoted = token.startswith('"')
    if name == "timestamp":
        return CLOCK if quoted else EPOCH
    if name == "asset_id":
        return KEY
    if name in _NUMBERS:
        return READING
    if quoted:
        return OTHER_TEXT
    return OTHER_NUMBER if token[0] in "-0123456789" else END


def _span(value: int, token: str, start: int) -> _Span | None:
    """Where the part of a token that differs from row to row begins and ends; None when it is not of its kind."""
    if value == CLOCK:
        clock = _CLOCK.fullmatch(token)
        return None if clock is None else (start + clock.start(1), start + clock.end(1))
    if value in (KEY, OTHER_TEXT):
        return start + 1, start + len(token) - 1
    return start, start + len(token)


def _rest_of_list(text: str, value: int, first: _Span, behind: int) -> tuple[str, _Span, int] | None:
    """Text between two items of a list, where its last item is, and the position behind it; None for a single item."""
    end = text.find("]", behind)
    comma = text.rfind(",", behind, end)
    second, final = _NEXT_ITEM.match(text, behind), _NEXT_ITEM.match(text, comma) if comma >= 0 else None
    if second is None or final is None:
        return None
    begin, last = _span(value, second[1], second.start(1)), _span(value, final[1], final.start(1))
    closing = _CLOSING.match(text, final.end())
    if begin is None or last is None or closing is None:
        return None
    if value == CLOCK and _zone(text, first) != _zone(text, last):  # what closes the list would be taken for a zone
        return None
    return text[first[1] : begin[0]], last, closing.end()


def _zone(text: str, clock: _Span) -> str:
    """What stands between a clock and the quote behind it."""
    return text[clock[1] : text.index('"', clock[1])]


def _offset_us(token: str) -> int | None:
    """Offset from UTC of a stamp in quotes; None when it is no stamp."""
    clock = _CLOCK.fullmatch(token)
    if clock is None:
        return None
    try:
        return parse_timestamp(clock[1]) - parse_timestamp(token[1:-1])
    except TimestampError:
        return None


def _compiled(templates: Sequence[_Template]) -> Templates:
    words: list[int] = []
    masks: list[int] = []
    steps = np.zeros((sum(len(template.steps) for template in templates), STEP_COLUMNS), np.int64)
    table = np.zeros((len(templates), TEMPLATE_COLUMNS), np.int64)
    at = 0
    for template, row in zip(templates, table, strict=True):
        row[FIRST], row[LAST], row[OFFSET_US] = at, at + len(template.steps), template.offset_us
        for step in template.steps:
            steps[at, VALUE], steps[at, COLUMN] = step.value, step.column
            for column, text in ((TEXT, step.text), (BETWEEN, step.between)):
                parts = [text[i : i + _WORD].encode() for i in range(0, len(text), _WORD)]
                steps[at, column : column + 3] = len(words), len(words) + len(parts), len(text)
                words += [int.from_bytes(part, "little") for part in parts]
                masks += [(1 << 8 * len(part)) - 1 for part in parts]
            at += 1
    return Templates(np.array(words, np.uint64), np.array(masks, np.uint64), steps, table)
