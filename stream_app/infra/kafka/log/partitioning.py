"""Which partition a key goes to: that which Kafka's own producers choose."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import IntArray
from stream_app.columns.byte_column import ByteColumn
from stream_app.columns.compiled import compiled

_SEED: Final = 0x9747B28C
_FACTOR: Final = 0x5BD1E995
_32_BITS: Final = 0xFFFF_FFFF
_31_BITS: Final = 0x7FFF_FFFF


def partition_of(key: bytes, partitions: int) -> int:
    """Partition of a key."""
    return int(partitions_of(ByteColumn.of([key]), partitions)[0])


def partitions_of(keys: ByteColumn, partitions: int) -> IntArray:
    """Partition of each of the keys, none of which is null; shape ``(n,)``."""
    chosen = np.empty(len(keys), np.int64)
    _choose(keys.buffer, keys.starts, keys.ends, partitions, chosen)
    return chosen


@compiled
def _times(a: int, b: int) -> int:
    """The low 32 bits of a product of numbers of 32 bits: the whole does not fit into 64 with a sign."""
    return (((a >> 16) * b & _32_BITS) << 16 & _32_BITS) + (a & 0xFFFF) * b & _32_BITS


@compiled
def _little_endian(keys: NDArray[np.uint8], at: int, count: int) -> int:
    number = 0
    for k in range(count):
        number |= int(keys[at + k]) << (8 * k)
    return number


@compiled
def _choose(keys: NDArray[np.uint8], starts: IntArray, ends: IntArray, partitions: int, chosen: IntArray) -> None:
    """Hash keys by murmur2, as Java's client does."""
    for i in range(len(starts)):
        at, length = starts[i], ends[i] - starts[i]
        state = _SEED ^ length
        for _ in range(length // 4):
            word = _times(_little_endian(keys, at, 4), _FACTOR)
            word = _times(word ^ word >> 24, _FACTOR)
            state = _times(state, _FACTOR) ^ word
            at += 4
        if at < ends[i]:
            state = _times(state ^ _little_endian(keys, at, ends[i] - at), _FACTOR)
        state = _times(state ^ state >> 13, _FACTOR)
        state ^= state >> 15
        chosen[i] = (state & _31_BITS) % partitions
