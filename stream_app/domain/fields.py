"""Fields: the additive numbers that a pane keeps, and what rows add to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import compiled


@dataclass(frozen=True, slots=True)
class Field:
    """One kept number, or ``width`` of them, and how two of them merge."""

    reducer: np.ufunc
    identity: float
    width: int = 1


SUM = Field(np.add, 0.0)
MIN = Field(np.minimum, np.inf)
MAX = Field(np.maximum, -np.inf)


def histogram(bins: int) -> Field:
    """Return a field of summed weights per bin."""
    return Field(np.add, 0.0, bins)


@dataclass(frozen=True, slots=True)
class Binned:
    """What rows add to a histogram: ``weight[i]`` into ``bin[i]`` at row ``row[i]`` (ascending; None: one per row)."""

    bin: IntArray
    weight: FloatArray
    row: IntArray | None = None


@dataclass(frozen=True, slots=True)
class At:
    """What few rows add to a plain field: ``weight[i]`` at row ``row[i]`` (ascending)."""

    row: IntArray
    weight: FloatArray


#: Share of a bin's width that is taken for a rounding error.
EDGE = 1e-10

_SUM, _MIN, _MAX = 0, 1, 2
_KINDS: Mapping[np.ufunc, int] = {np.add: _SUM, np.minimum: _MIN, np.maximum: _MAX}

Contribution = FloatArray | Binned | At
Columns = Mapping[str, Contribution]


def even_bins(values: FloatArray, width: float, count: int) -> IntArray:
    """Bin of each value, of ``count`` bins of one width from 0 on; beyond them the outer ones, NaN the first.

    A value that is but a rounding error short of an edge is on it: 0.29 * 100 is less than 29.
    """
    values = values + EDGE * width
    within = np.where(values >= width, np.minimum(values, width * count) // width, 0.0)
    return np.minimum(within, count - 1).astype(np.int64)


class Layout:
    """Where each field stands in a pane's vector of numbers."""

    def __init__(self, fields: Mapping[str, Field]) -> None:
        self.fields = dict(fields)
        self.at: dict[str, int] = {}
        width = 0
        for name, field in self.fields.items():
            self.at[name] = width
            width += field.width
        self.width = width
        self.names = tuple(f"{name}#{field.width}" for name, field in self.fields.items())
        self.identity = np.concatenate([np.full(field.width, field.identity) for field in self.fields.values()])
        self.kinds = np.concatenate(
            [np.full(field.width, _KINDS[field.reducer], np.int64) for field in self.fields.values()]
        )
        self._rows_by_reducer = {ufunc: np.flatnonzero(self.kinds == kind) for ufunc, kind in _KINDS.items()}

    def empty(self, panes: int) -> FloatArray:
        """Panes that nothing was added to, shape ``(width, panes)``."""
        return np.repeat(self.identity[:, None], panes, axis=1)

    def add(self, totals: FloatArray, pane: IntArray, columns: Columns) -> None:
        """Add rows to their panes, one after the other; NaN adds nothing. What compiled code adds must be these bits.

        ``totals`` is ``(width, panes)`` and C-contiguous, ``pane`` is ``(n,)``.
        """
        for name, column in columns.items():
            field, at = self.fields[name], self.at[name]
            lines, kind = totals[at : at + field.width], _KINDS[field.reducer]
            if isinstance(column, Binned):
                where = pane if column.row is None else pane[column.row]
                _add_binned(lines, column.bin, where, column.weight, kind)
            elif isinstance(column, At):
                _add(lines[0], pane[column.row], column.weight, kind)
            else:
                _add(lines[0], pane, column, kind)

    def merged(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Merge pane by pane, both ``(width, k)``."""
        out = np.empty_like(a)
        for ufunc, lines in self._rows_by_reducer.items():
            out[lines] = ufunc(a[lines], b[lines])
        return out


@compiled
def _add(line: FloatArray, pane: IntArray, values: FloatArray, kind: int) -> None:
    """Merge values into their panes, one after the other; NaN is nothing."""
    i, n = 0, len(values)
    while i < n:
        # Neighbours are mostly of one pane: its total stays in a register.
        at = pane[i]
        total = line[at]
        if kind == _SUM:
            while i < n and pane[i] == at:
                if not np.isnan(values[i]):
                    total += values[i]
                i += 1
        elif kind == _MIN:
            while i < n and pane[i] == at:
                total = min(total, values[i])  # in this order: the first where the second is NaN
                i += 1
        else:
            while i < n and pane[i] == at:
                total = max(total, values[i])
                i += 1
        line[at] = total


@compiled
def _add_binned(lines: FloatArray, bin_: IntArray, pane: IntArray, weight: FloatArray, kind: int) -> None:
    """Merge weights into their panes' bins, one after the other; NaN is nothing."""
    for i in range(len(weight)):
        value, b, at = weight[i], bin_[i], pane[i]
        if np.isnan(value):
            continue
        if kind == _SUM:
            lines[b, at] += value
        elif kind == _MIN:
            lines[b, at] = min(lines[b, at], value)
        else:
            lines[b, at] = max(lines[b, at], value)
