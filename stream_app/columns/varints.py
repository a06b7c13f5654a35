"""Numbers of variable length, as Kafka's records have them: zigzag, seven bits a byte, the lowest first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.compiled import compiled


@compiled
def varint_bytes(number: int) -> int:
    """Bytes of a number of 32 bits."""
    rest, count = (number << 1) ^ (number >> 63), 1
    while rest > 127:
        rest >>= 7
        count += 1
    return count


@compiled
def put_varint(out: NDArray[np.uint8], at: int, number: int) -> int:
    """Write a number of 32 bits; the position after it."""
    rest = (number << 1) ^ (number >> 63)
    while rest > 127:
        out[at] = rest & 127 | 128
        rest >>= 7
        at += 1
    out[at] = rest
    return at + 1
