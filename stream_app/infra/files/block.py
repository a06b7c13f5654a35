"""Rows of a file, checked, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.wire.decode.timestamps import Stamp

#: Rows of a block, and so of one message: few enough for any broker's size limit, enough to be fast.
BLOCK_ROWS: Final = 1000


@dataclass(frozen=True, slots=True)
class Block:
    """At most :data:`BLOCK_ROWS` rows of a file, all of them valid.

    Parameters
    ----------
    timestamps
        As they are written in the file.
    time_us
        The same in microseconds since 1970 UTC, shape ``(n,)``.
    columns
        By wire name, in the units of messages, shape ``(n,)``; NaN means "not measured".
    asset_ids
        Asset of each row, when the file names it.
    """

    timestamps: Sequence[Stamp]
    time_us: IntArray
    columns: Mapping[str, FloatArray]
    asset_ids: Sequence[str] | None

    def __len__(self) -> int:
        return len(self.timestamps)
