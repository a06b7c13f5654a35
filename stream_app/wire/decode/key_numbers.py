"""A compiled table of byte strings, each of which keeps its number; for the keys of a partition.

Open addressing, over the strings' own bytes: neither ``str`` nor ``bytes`` is made of a string that is known.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import IntArray
from stream_app.columns.byte_column import ByteColumn
from stream_app.columns.compiled import borrowing, inlined
from stream_app.columns.words import word_at

_LOW: Final = np.uint64(0xFFFF_FFFF)
_HALF: Final = np.uint64(32)
#: Below 2**32, as the hash is: no product runs over, which Python would warn of where nothing is compiled.
_PRIME: Final = np.uint64(0x9E37_79B1)
_BYTE, _ONE = np.uint64(8), np.uint64(1)
_FREE: Final = -1
_KNOWN, _BYTES = 0, 1  # places in ``used``
_FIRST_ROOM: Final = 64

T = TypeVar("T", bound=np.generic)


class KeyNumbers:
    """Numbers of strings, ascending by their first appearance, from 0 on."""

    def __init__(self) -> None:
        self._table = np.full(4 * _FIRST_ROOM, _FREE, np.int64)
        self._hashes = np.zeros(_FIRST_ROOM, np.uint64)
        self._bounds = np.zeros(_FIRST_ROOM + 1, np.int64)
        self._bytes = np.zeros(16 * _FIRST_ROOM, np.uint8)
        self._used = np.zeros(2, np.int64)

    def __len__(self) -> int:
        return int(self._used[_KNOWN])

    def of(self, strings: ByteColumn) -> IntArray:
        """Number of each string, shape (m,); -1 where there is none. A new string gets the next number."""
        numbers = np.empty(len(strings), np.int64)
        at, where = 0, (strings.buffer, strings.starts, strings.ends)
        while True:
            known = self._table, self._hashes, self._bounds, self._bytes, self._used
            at = _look_up(where, known, numbers, at)
            if at == len(numbers):
                return numbers
            self._grow(int(strings.ends[at] - strings.starts[at]))

    def since(self, number: int) -> list[bytes]:
        """Strings from a number on."""
        bounds, content = self._bounds[number : len(self) + 1].tolist(), self._bytes.data
        return [bytes(content[start:end]) for start, end in pairwise(bounds)]

    def _grow(self, length: int) -> None:
        """Make room for twice as many strings, or for a long one."""
        self._bytes = _doubled(self._bytes, int(self._used[_BYTES]) + length)
        if len(self) == len(self._hashes):
            self._hashes = _doubled(self._hashes, 0)
            self._bounds = _doubled(self._bounds, 0)
            self._table = np.full(4 * len(self._hashes), _FREE, np.int64)
            _enter(self._hashes[: len(self)], self._table)


def _doubled(array: NDArray[T], least: int) -> NDArray[T]:
    grown = np.zeros(max(2 * len(array), least), array.dtype)
    grown[: len(array)] = array
    return grown


@inlined
def _mixed(hashed: np.uint64, part: np.uint64) -> np.uint64:
    product = (hashed ^ part) * _PRIME
    return (product ^ (product >> _HALF)) & _LOW


@inlined
def _hash(buffer: NDArray[np.uint8], start: int, end: int) -> np.uint64:
    hashed, i = np.uint64(end - start) & _LOW, start
    while i + 8 <= end:
        word = word_at(buffer, i)
        hashed = _mixed(_mixed(hashed, word & _LOW), word >> _HALF)
        i += 8
    while i < end:
        hashed = _mixed(hashed, np.uint64(buffer[i]))
        i += 1
    return hashed


@inlined
def _same(a: NDArray[np.uint8], at: int, b: NDArray[np.uint8], start: int, length: int) -> bool:
    i = 0
    while i + 8 <= length:
        if word_at(a, at + i) != word_at(b, start + i):
            return False
        i += 8
    while i < length:
        if a[at + i] != b[start + i]:
            return False
        i += 1
    return True


@borrowing
def _look_up(
    strings: tuple[NDArray[np.uint8], IntArray, IntArray],
    known: tuple[IntArray, NDArray[np.uint64], IntArray, NDArray[np.uint8], IntArray],
    numbers: IntArray,
    first: int,
) -> int:
    """Number the strings from ``first`` on; returns the one for which there is no room, or how many there are."""
    buffer, starts, ends = strings
    table, hashes, bounds, content, used = known
    mask = len(table) - 1
    for q in range(first, len(starts)):
        start, end = starts[q], ends[q]
        if end < 0:
            numbers[q] = -1
            continue
        hashed, length = _hash(buffer, start, end), end - start
        slot = np.int64(hashed) & mask
        number = table[slot]
        while number != _FREE:
            at = bounds[number]
            alike = hashes[number] == hashed and bounds[number + 1] - at == length
            if alike and _same(content, at, buffer, start, length):
                break
            slot = (slot + 1) & mask
            number = table[slot]
        if number == _FREE:
            number, at = used[_KNOWN], used[_BYTES]
            if number == len(hashes) or at + length > len(content):
                return q
            for i in range(length):
                content[at + i] = buffer[start + i]
            table[slot], hashes[number], bounds[number + 1] = number, hashed, at + length
            used[_KNOWN], used[_BYTES] = number + 1, at + length
        numbers[q] = number
    return len(starts)


@borrowing
def _enter(hashes: NDArray[np.uint64], table: IntArray) -> None:
    """Enter strings that all differ into an empty table."""
    mask = len(table) - 1
    for number in range(len(hashes)):
        slot = np.int64(hashes[number]) & mask
        while table[slot] != _FREE:
            slot = (slot + 1) & mask
        table[slot] = number
