"""Stamps to times, with the refusal of those that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.wire.decode.explain import Refusal
from stream_app.wire.decode.timestamps import Stamp, TimestampError, parse_timestamp, parse_timestamps
from stream_app.wire.decode.tokens import UNREAD


def times(stamps: Sequence[Stamp] | IntArray | FloatArray) -> tuple[IntArray, dict[int, Refusal]]:
    """Read stamps as microseconds, UNREAD where they cannot be read; and why, by position."""
    time_us, ok = parse_timestamps(stamps)
    return np.where(ok, time_us, UNREAD), {i: _refusal(stamps[i]) for i in np.flatnonzero(~ok).tolist()}


def _refusal(stamp: Stamp) -> Refusal:
    try:
        parse_timestamp(stamp.item() if isinstance(stamp, np.generic) else stamp)
    except TimestampError as error:
        return unread(str(error))
    msg = f"the column parser refuses {stamp!r}, the single parser does not"
    raise AssertionError(msg)


def unread(why: str) -> Refusal:
    """Refusal of a row for its stamp."""
    return Refusal("bad_timestamp", f"timestamp {why}", "timestamp")
