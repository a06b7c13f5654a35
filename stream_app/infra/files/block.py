"""Rows of a file, checked, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.wire.decode.timestamps import Stamp

#: Rows of a block, and so of a message of many rows: small enough for any broker's limit, large enough to be fast.
BLOCK_ROWS: Final = 1000


@dataclass(frozen=True, slots=True)
class Block:
    """At most :data:`BLOCK_ROWS` rows of a file, all of them valid.

    Parameters
    ----------
    timestamps
        As the file has them.
    time_us
        What they say, microseconds since 1970 UTC, shape ``(n,)``.
    columns
        By the wire's names, in the wire's units, shape ``(n,)``; NaN means "not measured".
    asset_ids
        Asset of each row, when the file says so.
    """

    timestamps: Sequence[Stamp]
    time_us: IntArray
    columns: Mapping[str, FloatArray]
    asset_ids: Sequence[str] | None

    def __len__(self) -> int:
        return len(self.timestamps)
