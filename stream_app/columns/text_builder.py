"""Columns of byte strings put together row by row: every text of a checkpoint is built this way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from stream_app.columns.arrays import IntArray
from stream_app.columns.byte_column import ByteColumn
from stream_app.columns.compiled import compiled


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Texts of a table that begin at ``first``: row ``i`` has number ``codes[i]`` of them, or all rows the first."""

    first: int
    codes: NDArray[np.integer | np.bool] | None


class Pieces:
    """What each of ``rows`` texts consists of, column by column; no piece of a text becomes an object.

    Texts that are the same for all rows are joined to their neighbour, so that there are few columns.

    Parameters
    ----------
    rows
        Texts to build.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._columns: list[_Chosen | ByteColumn] = []
        self._texts: list[bytes] = []  # that the chosen ones are chosen from
        self._next: list[bytes] = [b""]  # not among them yet: what follows for all rows joins it
        self._codes: NDArray[np.integer | np.bool] | None = None  # of what is next, unless it is one text for all rows

    def add(self, text: bytes) -> None:
        """Add a text that all rows have."""
        self._next = [before + text for before in self._next]

    def add_choice(self, codes: NDArray[np.integer | np.bool], texts: Sequence[bytes]) -> None:
        """Add ``texts[codes[i]]`` to row ``i``."""
        if self._codes is not None:
            self._end_next()
        self._next = [self._next[0] + text for text in texts]
        self._codes = codes

    def add_column(self, column: ByteColumn) -> None:
        """Add ``column[i]`` to row ``i``; it must not hold None."""
        self._end_next()
        self._columns.append(column)

    def _end_next(self) -> None:
        if self._codes is not None or self._next[0]:
            self._columns.append(_Chosen(len(self._texts), self._codes))
            self._texts += self._next
        self._next, self._codes = [b""], None

    def joined(self) -> ByteColumn:
        """Build the texts."""
        self._end_next()
        table = ByteColumn.of(self._texts)
        table_lengths = table.ends - table.starts
        buffers, base, size = [table.buffer], {}, len(table.buffer)
        starts = np.empty((len(self._columns), self._rows), np.int64)
        lengths = np.empty((len(self._columns), self._rows), np.int64)
        for i, column in enumerate(self._columns):
            if isinstance(column, _Chosen):
                at = column.first if column.codes is None else column.first + column.codes.astype(np.int64)
                starts[i], lengths[i] = table.starts[at], table_lengths[at]
                continue
            key = id(column.buffer)
            if key not in base:
                buffers.append(column.buffer)
                base[key] = size
                size += len(column.buffer)
            np.add(column.starts, base[key], out=starts[i])
            np.subtract(column.ends, column.starts, out=lengths[i])
        ends = lengths.sum(axis=0).cumsum()
        out = np.empty(int(ends[-1]) if self._rows else 0, np.uint8)
        _interleave(np.concatenate(buffers), starts, lengths, out)
        return ByteColumn(out, np.concatenate([np.zeros(1, np.int64), ends[:-1]])[: self._rows], ends)


def _copy(target: NDArray[np.uint8], at: int, source: NDArray[np.uint8], start: int, count: int) -> None:
    """Copy ``source[start : start + count]`` to ``target[at:]``."""
    target[at : at + count] = source[start : start + count]


def _memcpy_code(_context: Any, target: Any, at: Any, source: Any, start: Any, count: Any) -> Any:
    """Do the same by one instruction: compiled, the slices above take five to fourteen times as long."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        to, by = (context.make_array(signature.args[i])(context, builder, values[i]).data for i in (0, 2))
        to, by = builder.gep(to, [values[1]]), builder.gep(by, [values[3]])
        cgutils.raw_memcpy(builder, to, by, values[4], 1)  # type: ignore[no-untyped-call]
        return context.get_dummy_value()

    return types.void(target, types.int64, source, types.int64, types.int64), code


_memcpy: Any = intrinsic(_memcpy_code)


@overload(_copy)
def _copy_compiled(target: Any, at: Any, source: Any, start: Any, count: Any) -> Any:
    """Tell the compiler what to use for ``_copy``."""

    def copy(target: Any, at: Any, source: Any, start: Any, count: Any) -> None:
        _memcpy(target, at, source, start, count)

    return copy


@compiled
def _interleave(buffer: NDArray[np.uint8], starts: IntArray, lengths: IntArray, out: NDArray[np.uint8]) -> None:
    """Copy the pieces of each row, one row after the other."""
    at = 0
    for row in range(starts.shape[1]):
        for piece in range(starts.shape[0]):
            length = lengths[piece, row]
            _copy(out, at, buffer, starts[piece, row], length)
            at += length
