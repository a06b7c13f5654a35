"""Replayed messages: of those that were refused in part, the other rows counted when the message first came."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from schemas.rejected import ROWS_HEADER
from stream_app.columns.arrays import BoolArray, IntArray
from stream_app.wire.batch import Batch, Fetch, Reject, messages_with

#: More rows than a message can have.
_MOST: Final = 1 << 40


def meant_rows(fetch: Fetch, batch: Batch) -> Batch:
    """Leave out what a replayed message has beyond the rows that its header names."""
    meant = {message: _Spans.of(fetch, message) for message in messages_with(fetch.headers, ROWS_HEADER)}
    if not meant:
        return batch
    keep = np.ones(len(batch), np.bool_)
    for message, spans in meant.items():
        own = np.flatnonzero(batch.message == message)
        keep[own] = spans.have(batch.row[own])
    rejects = [left for each in batch.rejects if (left := _of(each, meant.get(each.message))) is not None]
    return replace(batch.only(np.flatnonzero(keep)), rejects=rejects)


def _of(reject: Reject, spans: _Spans | None) -> Reject | None:
    """What of a reject is meant; None: nothing."""
    if spans is None or reject.rows is None:
        return reject
    rows = np.array(reject.rows, np.int64)
    left = tuple(rows[spans.have(rows)].tolist())
    return replace(reject, rows=left) if left else None


class _Spans(NamedTuple):
    """First and last of each span of positions, ascending, shape (spans,)."""

    first: IntArray
    last: IntArray

    @classmethod
    def of(cls, fetch: Fetch, message: int) -> _Spans:
        """Read the header of a message; one that cannot be read means all rows."""
        text = next(value for name, value in fetch.headers[message] if name == ROWS_HEADER) or b""
        try:
            pairs = [part.partition("-") for part in text.decode().split(",")]
            spans = np.array(sorted((int(first), int(last or first)) for first, _, last in pairs), np.int64)
        except (ValueError, OverflowError):
            spans = np.array([(0, _MOST)])
        return cls(*spans.T)

    def have(self, rows: IntArray) -> BoolArray:
        """Whether each position is in one of the spans."""
        at = np.searchsorted(self.first, rows, side="right") - 1
        found: BoolArray = (at >= 0) & (rows <= self.last[at])
        return found
