"""Decoded rows as columns, before they are checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from schemas.columns import BY_WIRE_NAME
from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.wire.decode.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in the messages' order.

    Parameters
    ----------
    message, position, time_us
        Shape ``(n,)``.
    columns
        By wire name, each of shape ``(n,)``.
    refused
        Rows that are not applied, by their position here, such as those whose ``time_us`` is UNREAD.
    """

    message: IntArray
    position: IntArray
    time_us: IntArray
    columns: Mapping[str, FloatArray]
    refused: Mapping[int, Refusal]

    def __len__(self) -> int:
        return len(self.message)


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive rows of one message, from the position ``first`` on; the rest as in a :class:`Table`."""

    message: int
    first: int
    time_us: IntArray
    columns: Mapping[str, FloatArray]
    refused: Mapping[int, Refusal]

    def __len__(self) -> int:
        return len(self.time_us)


def stacked(parts: Sequence[Part]) -> Table:
    """Rows of parts, in their order; each value is copied once."""
    sizes = [len(part) for part in parts]
    starts = np.cumsum([0, *sizes])
    total = int(starts[-1])
    firsts = np.array([part.first for part in parts], np.int64) - starts[:-1]
    names = [name for name in BY_WIRE_NAME if any(name in part.columns for part in parts)]
    # One large array: the system hands it out in large pages, which is faster than page by page for each column.
    memory = np.empty((3 + len(names), total), np.int64)
    message, position, time_us = memory[:3]
    message[:] = np.repeat(np.array([part.message for part in parts], np.int64), sizes)
    position[:] = np.arange(total) + np.repeat(firsts, sizes)
    if total:
        np.concatenate([part.time_us for part in parts], out=time_us)
    columns = dict(zip(names, memory[3:].view(np.float64), strict=True))
    for name, column in columns.items():
        np.concatenate([_column(part, name) for part in parts], out=column)
    return Table(message, position, time_us, columns, _refused(parts))


def joined(tables: Sequence[Table]) -> Table:
    """Rows of all tables, in the messages' order; each message is in one of them."""
    tables = [table for table in tables if len(table)] or list(tables[:1])
    if len(tables) == 1:
        return tables[0]
    message = np.concatenate([table.message for table in tables])
    order = np.argsort(message, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return Table(
        message[order],
        np.concatenate([table.position for table in tables])[order],
        np.concatenate([table.time_us for table in tables])[order],
        {name: column[order] for name, column in _columns(tables).items()},
        {int(place[i]): refusal for i, refusal in _refused(tables).items()},
    )


def _columns(tables: Sequence[Table]) -> dict[str, FloatArray]:
    return {
        name: np.concatenate([_column(table, name) for table in tables])
        for name in BY_WIRE_NAME
        if any(name in table.columns for table in tables)
    }


def _column(piece: Table | Part, name: str) -> FloatArray:
    column = piece.columns.get(name)
    return np.full(len(piece), np.nan) if column is None else column


def _refused(pieces: Sequence[Table] | Sequence[Part]) -> dict[int, Refusal]:
    refused: dict[int, Refusal] = {}
    start = 0
    for piece in pieces:
        if piece.refused:
            refused |= {start + i: refusal for i, refusal in piece.refused.items()}
        start += len(piece)
    return refused
