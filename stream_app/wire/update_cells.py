"""What updates say as cells of a table: a compiled walk copies their numbers as text, and none is read or written anew.

The walk reads updates whose metrics stand in an order that it has learned, without blanks or escapes, as workers write
them. Any other update is read by :func:`stream_app.wire.update.content`, and its order learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from stream_app.columns.arrays import IntArray
from stream_app.columns.compiled import borrowing
from stream_app.columns.memory_copy import copy_bytes
from stream_app.columns.words import PADDING, word_at
from stream_app.wire.decode.tokens import (
    COMMA,
    LBRACKET,
    NULL,
    ODD,
    QUOTE,
    RBRACE,
    RBRACKET,
    Bytes,
    byte,
    literal,
    number,
    string,
)
from stream_app.wire.update import UpdateValues, Value, content, require_names

#: What a cell holds.
NOTHING, NUMBER, LIST = 0, 1, 2

_METRICS: Final = b',"metrics":{'
_HEAD_BYTES: Final = 600
#: Orders that are remembered: a fleet of workers has one, and two while a new release comes.
_MOST_FORMS: Final = 8
_REASON, _VALUE, _OPEN_LIST, _CLOSE_LIST = (
    np.frombuffer(bytearray(text + bytes(PADDING)), np.uint8) for text in (b',"reason":"', b',"value":', b'"{', b'}"')
)
_REASON_BYTES, _VALUE_BYTES = 11, 9
_LINE_FEED: Final = ord("\n")
_WORD: Final = 8


@dataclass(frozen=True, eq=False, slots=True)
class Form:
    """Metrics by position, the same for many updates: two forms are equal if they are one.

    Raises
    ------
    UnreadableUpdateError
        A name cannot be a metric's.
    """

    names: tuple[str, ...]
    texts: Bytes = field(init=False)
    ends: IntArray = field(init=False)

    def __post_init__(self) -> None:
        require_names(self.names)
        begins = [f'{"," * (place > 0)}"{name}":{{"value":'.encode() for place, name in enumerate(self.names)]
        object.__setattr__(self, "texts", np.frombuffer(bytearray().join([*begins, bytes(PADDING)]), np.uint8))
        object.__setattr__(self, "ends", np.cumsum([len(each) for each in begins], dtype=np.int64))


class UpdateCells(NamedTuple):
    """What an update says, by position of its form's names.

    Parameters
    ----------
    text
        Cells as CSV has them, with commas between: a number as in JSON, a list as PostgreSQL's ``"{1.0,2.0}"``.
    kinds
        A byte each: NOTHING, NUMBER or LIST.
    reasons
        Why each is null, as the inner text of a JSON string, with line feeds between; empty if there is none.
    """

    form: Form
    text: bytes
    kinds: bytes
    reasons: bytes


def cells_of(form: Form, values: Sequence[Value], reasons: Sequence[str | None]) -> UpdateCells:
    """Write values as cells."""
    kinds = bytes([NOTHING if v is None else LIST if isinstance(v, list) else NUMBER for v in values])
    told = b"\n".join([b"" if reason is None else orjson.dumps(reason)[1:-1] for reason in reasons])
    return UpdateCells(form, b",".join(map(_cell, values)), kinds, told)


def _cell(value: Value) -> bytes:
    if value is None:
        return b""
    text = orjson.dumps(value)
    return b'"{' + text[1:-1] + b'}"' if isinstance(value, list) else text


def reasons_by_name(cells: UpdateCells) -> dict[str, str]:
    """Why metrics are null."""
    told = zip(cells.form.names, cells.reasons.split(b"\n"), strict=False)  # without metrics there is one empty text
    return {name: orjson.loads(b'"' + text + b'"') for name, text in told if text}


class CellReader:
    """Reads updates, and learns the order of their metrics."""

    def __init__(self) -> None:
        self._forms: dict[tuple[str, ...], Form] = {}
        self._flat = Form(())
        self._buffer = self._out = np.empty(0, np.uint8)
        # Nothing is read: it compiles the walk, or loads it, before there is a group to answer to.
        _walk(self._buffer, 0, 0, self._flat.texts, self._flat.ends, self._out, np.empty(0, np.uint8))

    def read(self, update: bytes) -> UpdateCells:
        """Read what an update says.

        Raises
        ------
        UnreadableUpdateError
            It says nothing that can be read.
        """
        at, size = update.find(_METRICS, 0, _HEAD_BYTES), len(update)
        if at >= 0 and self._forms:
            if 2 * (size + PADDING) > len(self._buffer):
                self._buffer, self._out = (np.empty(4 * (size + PADDING), np.uint8) for _ in range(2))
            self._buffer[:size] = np.frombuffer(update, np.uint8)
            for form in self._forms.values():
                cells = self._quickly(form, update, at + len(_METRICS))
                if cells is not None:
                    return cells
        return self._slowly(update, is_nested=at >= 0)

    def _quickly(self, form: Form, update: bytes, at: int) -> UpdateCells | None:
        """Read the update in the buffer, if it is of this form."""
        size, kinds = len(update), np.zeros(len(form.names), np.uint8)
        text, reasons, end = _walk(self._buffer, at, size, form.texts, form.ends, self._out, kinds)
        if end == ODD or not (
            update[end:] == b"}}" or (update.startswith(b'},"values":{', end) and update.endswith(b"}}"))
        ):
            return None
        return UpdateCells(form, self._out[:text].tobytes(), kinds.tobytes(), self._out[size:reasons].tobytes())

    def _slowly(self, update: bytes, *, is_nested: bool) -> UpdateCells:
        read = content(update)
        if not is_nested and not any(read.reasons):
            return self._in_order(read)
        form = self._forms.get(read.names)
        if form is None:
            form = Form(read.names)
            if len(self._forms) >= _MOST_FORMS:
                self._forms.clear()
            self._forms[read.names] = form
        return cells_of(form, read.values, read.reasons)

    def _in_order(self, read: UpdateValues) -> UpdateCells:
        """Cells of an update that names what is defined alone: in an order that all such updates share."""
        by_name = dict(zip(read.names, read.values, strict=True))
        known = frozenset(self._flat.names)
        new = tuple(name for name in read.names if name not in known)
        if new:
            self._flat = Form(self._flat.names + new)
        names = self._flat.names
        return cells_of(self._flat, [by_name.get(name) for name in names], (None,) * len(names))


@borrowing
def _same(buffer: Bytes, at: int, text: Bytes, start: int, end: int) -> bool:
    """Whether a text stands at a position."""
    while end - start >= _WORD:
        if word_at(buffer, at) != word_at(text, start):
            return False
        at, start = at + _WORD, start + _WORD
    if start == end:
        return True
    unused = np.uint64(8 * (_WORD - end + start))
    differs: bool = (word_at(buffer, at) ^ word_at(text, start)) << unused != 0
    return not differs


@borrowing
def _numbers(buffer: Bytes, i: int, end: int) -> int:
    """Skip a list of numbers; ``i`` stands behind its bracket."""
    if i < end and byte(buffer, i) == RBRACKET:
        return i + 1
    while i < end:
        i, _, _ = number(buffer, i, end)
        if i == ODD or i >= end:
            return ODD
        if byte(buffer, i) == RBRACKET:
            return i + 1
        if byte(buffer, i) != COMMA:
            return ODD
        i += 1
    return ODD


@borrowing
def _skip(buffer: Bytes, i: int, end: int) -> int:
    """Skip a string, a list of numbers, a null or a number."""
    if i >= end:
        return ODD
    first = byte(buffer, i)
    if first == QUOTE:
        return string(buffer, i + 1, end)
    if first == LBRACKET:
        return _numbers(buffer, i + 1, end)
    if first == NULL[0]:
        return literal(buffer, i, end, NULL)
    return number(buffer, i, end)[0]


@borrowing
def _walk(
    buffer: Bytes, i: int, end: int, texts: Bytes, ends: IntArray, out: Bytes, kinds: NDArray[np.uint8]
) -> tuple[int, int, int]:
    """Copy values to the beginning of ``out``, and reasons to where the update would end: both are shorter than it.

    Returns where each ends, and where the metrics do; ODD for the last if the update is of another form.
    """
    to, start, reason_to = 0, 0, end
    for m in range(len(ends)):
        if m > 0:
            out[to], out[reason_to] = COMMA, _LINE_FEED
            to, reason_to = to + 1, reason_to + 1
        if not _same(buffer, i, texts, start, ends[m]):
            return 0, 0, ODD
        i += ends[m] - start
        start, begin = ends[m], i
        i = _skip(buffer, i, end)
        if i == ODD:
            return 0, 0, ODD
        first = byte(buffer, begin)
        if first == QUOTE:
            return 0, 0, ODD
        if first == LBRACKET:
            kinds[m] = LIST
            copy_bytes(out, to, _OPEN_LIST, 0, 2)
            copy_bytes(out, to + 2, buffer, begin + 1, i - begin - 2)
            to += i - begin
            copy_bytes(out, to, _CLOSE_LIST, 0, 2)
            to += 2
        elif first != NULL[0]:
            kinds[m] = NUMBER
            copy_bytes(out, to, buffer, begin, i - begin)
            to += i - begin
        while i < end and byte(buffer, i) == COMMA:
            key = i
            i = string(buffer, i + 2, end) if i + 1 < end and byte(buffer, i + 1) == QUOTE else ODD
            if i == ODD or i >= end or byte(buffer, i) != ord(":") or _same(buffer, key, _VALUE, 0, _VALUE_BYTES):
                return 0, 0, ODD
            begin = i + 1
            i = _skip(buffer, begin, end)
            if i == ODD:
                return 0, 0, ODD
            if _same(buffer, key, _REASON, 0, _REASON_BYTES):
                copy_bytes(out, reason_to, buffer, begin + 1, i - begin - 2)
                reason_to += i - begin - 2
        if i >= end or byte(buffer, i) != RBRACE:
            return 0, 0, ODD
        i += 1
    return to, reason_to, i
