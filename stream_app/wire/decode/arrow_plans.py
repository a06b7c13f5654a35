"""Arrow messages that differ from one seen before in their values alone: columns are copied out, Arrow is not asked.

Streams whose schema and batch metadata are byte for byte equal have their buffers at the same places. Arrow's reader
reads the first of a kind and tells where they are. Only plain kinds are known so: one batch, whose columns are stamps
and floats of 64 bits, without nulls, uncompressed. Whatever else comes, and stamps beyond the years that are taken, are
left to :mod:`stream_app.wire.decode.arrow`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import ipc

from schemas.columns import BY_WIRE_NAME
from stream_app.columns.arrays import IntArray
from stream_app.columns.byte_column import ByteColumn
from stream_app.columns.compiled import borrowing
from stream_app.columns.words import word_at
from stream_app.wire.decode.arrow import OPTIONS, STAMP, TICKS, places_of
from stream_app.wire.decode.frames import Extent, check, first_batch
from stream_app.wire.decode.table import Table
from stream_app.wire.decode.tokens import Bytes

_MAX_PLANS: Final = 32
_LEARNT_PER_FETCH: Final = 4
_TRIES: Final = 2  # to learn from messages of one size
_MAX_SIZES: Final = 1024
_NAMES: Final = tuple(BY_WIRE_NAME)
#: Columns of plans: bytes of a message and before its body, rows, first tick taken, tick behind the last one, us per
#: tick, ticks per us, place of the stamps, and of each reading (-1: not there).
_SIZE, _HEAD, _COUNT, _LOW, _HIGH, _US, _PER_US, _STAMPS, _READINGS = range(9)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A kind of message: its bytes before and behind the body, and a line of the table."""

    head: bytes
    tail: bytes
    line: tuple[int, ...]


class KnownPlans:
    """The kinds of Arrow messages that a partition's producers send."""

    def __init__(self) -> None:
        self._plans: list[_Plan] = []
        self._last_used: list[int] = []
        self._fetches = 0
        self._tries: Counter[int] = Counter()
        self._compile()

    def __len__(self) -> int:
        return len(self._plans)

    def read(self, values: ByteColumn, messages: IntArray) -> Table:
        """Read those of the given Arrow messages that are of a known kind; learns from the others."""
        self._fetches += 1
        which = self._which(values, messages)
        for _ in range(_LEARNT_PER_FETCH):
            if not self._learn(values, messages[which < 0]):
                break
            which = self._which(values, messages)
        messages, which = messages[which >= 0], which[which >= 0]
        for plan in np.unique(which).tolist():
            self._last_used[plan] = self._fetches
        return self._taken(values, messages, which)

    def _which(self, values: ByteColumn, messages: IntArray) -> IntArray:
        which = np.full(len(messages), -1)
        _match(values.buffer, values.starts, values.ends, messages, self._texts, self._text_at, self._table, which)
        return which

    def _learn(self, values: ByteColumn, messages: IntArray) -> bool:
        """Learn one kind from the messages, none of which is of a known one; False when there is none to learn."""
        if len(self._tries) > _MAX_SIZES:
            self._tries.clear()
        for message in messages.tolist():
            start, end = int(values.starts[message]), int(values.ends[message])
            if self._tries[end - start] >= _TRIES:
                continue
            self._tries[end - start] += 1
            plan = _plan(values.buffer.data[start:end])
            if plan is not None and plan not in self._plans:
                if len(self._plans) == _MAX_PLANS:
                    oldest = int(np.argmin(self._last_used))
                    del self._plans[oldest], self._last_used[oldest]
                self._plans.append(plan)
                self._last_used.append(self._fetches)
                self._compile()
                return True
        return False

    def _compile(self) -> None:
        texts = [text for plan in self._plans for text in (plan.head, plan.tail)]
        self._texts: Bytes = np.frombuffer(b"".join([*texts, bytes(1)]), np.uint8)
        self._text_at: IntArray = np.cumsum([0, *map(len, texts)])
        lines = [plan.line for plan in self._plans]
        self._table: IntArray = np.array(lines, np.int64).reshape(-1, _READINGS + len(_NAMES))

    def _taken(self, values: ByteColumn, messages: IntArray, which: IntArray) -> Table:
        used = self._table[which]
        there = np.flatnonzero((used[:, _READINGS:] >= 0).any(axis=0))
        # One large array: the system hands it out in large pages, which is faster than page by page for each column.
        memory = np.empty((3 + len(there), int(used[:, _COUNT].sum())), np.int64)
        _copy(values.buffer, values.starts, messages, used, there, memory)
        readings = memory[3:].view(np.float64)
        columns = {_NAMES[number]: column for number, column in zip(there.tolist(), readings, strict=True)}
        return Table(memory[0], memory[1], memory[2], columns, {})


def _plan(value: memoryview) -> _Plan | None:
    """Plan of a message; None when it is not plain."""
    try:
        check(value)
        extent = first_batch(value)
        whole = pa.py_buffer(value)
        (batch,) = ipc.open_stream(whole, options=OPTIONS)
        batch.validate()
        at = places_of(batch.schema.names)
    except MemoryError:
        raise  # the message is not at fault
    except Exception:  # whatever is wrong: read alone, the message gets its reason
        return None
    if extent is None or len(at) != batch.num_columns or batch.num_rows == 0:
        return None
    found = {name: _place(batch.column(number), name, whole, extent) for name, number in at.items()}
    if None in found.values():
        return None
    line = (len(value), extent.start, batch.num_rows, *TICKS[batch.column(at[STAMP]).type.unit], *_line(found))
    return _Plan(bytes(value[: extent.start]), bytes(value[extent.end :]), line)


def _line(found: Mapping[str, int | None]) -> tuple[int, ...]:
    return tuple(-1 if (at := found.get(name)) is None else at for name in (STAMP, *_NAMES))


def _place(column: Any, name: str, whole: Any, body: Extent) -> int | None:
    """Where a plain column's values begin in the message."""
    if name == STAMP:
        plain = pa.types.is_timestamp(column.type)
    else:
        plain = name in BY_WIRE_NAME and pa.types.is_float64(column.type)
    if not plain or column.null_count or column.offset:
        return None
    at: int = column.buffers()[1].address - whole.address
    return at if body.start <= at and at + 8 * len(column) <= body.end else None


@borrowing
def _match(
    buffer: Bytes,
    starts: IntArray,
    ends: IntArray,
    messages: IntArray,
    texts: Bytes,
    text_at: IntArray,
    table: IntArray,
    which: IntArray,
) -> None:
    """Find the plan of each message, all of whose stamps lie within the years that are taken."""
    last = 0
    for m in range(len(messages)):
        start = starts[messages[m]]
        size = ends[messages[m]] - start
        for step in range(len(table)):
            plan = (last + step) % len(table)
            if size != table[plan, _SIZE]:
                continue
            head, tail, end = text_at[2 * plan], text_at[2 * plan + 1], text_at[2 * plan + 2]
            if not _same(buffer, start, texts, head, tail - head):
                continue
            if not _same(buffer, start + size - (end - tail), texts, tail, end - tail):
                continue
            outside = 0
            for row in range(table[plan, _COUNT]):
                tick = np.int64(word_at(buffer, start + table[plan, _STAMPS] + 8 * row))
                outside += (tick < table[plan, _LOW]) | (tick >= table[plan, _HIGH])
            if outside == 0:
                which[m] = last = plan
            break


@borrowing
def _same(buffer: Bytes, i: int, texts: Bytes, at: int, length: int) -> bool:
    x = 0
    while x + 8 <= length:
        if word_at(buffer, i + x) != word_at(texts, at + x):
            return False
        x += 8
    while x < length:
        if buffer[np.uint64(i + x)] != texts[np.uint64(at + x)]:
            return False
        x += 1
    return True


@borrowing
def _copy(
    buffer: Bytes, starts: IntArray, messages: IntArray, used: IntArray, there: IntArray, memory: NDArray[np.int64]
) -> None:
    """Copy the messages' values, each by its line of the table: message, position, time, then the columns there are."""
    missing = np.int64(0x7FF8000000000000)  # NaN
    n = 0
    for m in range(len(messages)):
        start, rows = starts[messages[m]], used[m, _COUNT]
        stamps, us, per_us = start + used[m, _STAMPS], used[m, _US], used[m, _PER_US]
        for row in range(rows):
            memory[0, n + row], memory[1, n + row] = messages[m], row
            memory[2, n + row] = np.int64(word_at(buffer, stamps + 8 * row))
        if per_us != 1:
            for row in range(n, n + rows):
                memory[2, row] //= per_us
        else:
            for row in range(n, n + rows):
                memory[2, row] *= us
        for column in range(len(there)):
            at = used[m, _READINGS + there[column]]
            if at < 0:
                memory[3 + column, n : n + rows] = missing
            else:
                for row in range(rows):
                    memory[3 + column, n + row] = np.int64(word_at(buffer, start + at + 8 * row))
        n += rows
