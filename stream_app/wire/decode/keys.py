"""Keys of a fetch's messages: which asset each names."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from schemas.asset import AssetId
from stream_app.columns.arrays import IntArray
from stream_app.columns.byte_column import ByteColumn
from stream_app.columns.compiled import compiled

_ASSET_ID: Final[TypeAdapter[str]] = TypeAdapter(AssetId)
_FNV_BASIS: Final = np.uint64(14_695_981_039_346_656_037)
_FNV_PRIME: Final = np.uint64(1_099_511_628_211)


class Keys:
    """Keys, each different one looked at once.

    Parameters
    ----------
    keys
        One per message.
    """

    def __init__(self, keys: ByteColumn) -> None:
        self._keys = keys
        code, firsts = _distinct(keys.buffer, keys.starts, keys.ends)
        self._code: IntArray = code
        data, bounds = keys.buffer.data, zip(keys.starts[firsts].tolist(), keys.ends[firsts].tolist(), strict=True)
        self._asset_ids: list[str | None] = [
            asset_id(bytes(data[start:end])) if end >= 0 else None for start, end in bounds
        ]

    def asset_id(self, message: int) -> str | None:
        """Asset that a message's key names; None when it names none."""
        return self._asset_ids[int(self._code[message])]

    def named(self, messages: IntArray) -> IntArray:
        """Those of the messages whose key names an asset."""
        return messages[np.array([name is not None for name in self._asset_ids], np.bool_)[self._code[messages]]]

    def plain(self) -> ByteColumn:
        """The keys that stand in JSON as they are; the others empty."""
        plain = np.array([_is_plain(name) for name in self._asset_ids], np.bool_)[self._code]
        keys = self._keys
        return keys if plain.all() else ByteColumn(keys.buffer, keys.starts, np.where(plain, keys.ends, keys.starts))

    def assets(self, message: IntArray) -> tuple[list[str], IntArray]:
        """Assets of rows of the given messages, and each row's index into them."""
        code = self._code[message]
        used = np.flatnonzero(np.bincount(code, minlength=len(self._asset_ids)))
        renumbered = np.zeros(len(self._asset_ids), np.int64)
        renumbered[used] = np.arange(len(used))
        return [name for c in used.tolist() if (name := self._asset_ids[c]) is not None], renumbered[code]


@lru_cache(maxsize=1 << 18)
def asset_id(key: bytes | None) -> str | None:
    """Asset that a key names; None when it names none."""
    try:
        return None if key is None else _ASSET_ID.validate_python(key.decode())
    except (UnicodeDecodeError, ValidationError):
        return None


def _is_plain(name: str | None) -> bool:
    return name is not None and '"' not in name and "\\" not in name


@compiled
def _distinct(buffer: NDArray[np.uint8], starts: IntArray, ends: IntArray) -> tuple[IntArray, IntArray]:
    """Code of each string, by first appearance, and where each code appeared first."""
    m = len(starts)
    code, firsts, known = np.empty(m, np.int64), np.empty(m, np.int64), 0
    mask = 1
    while mask < 2 * m:
        mask *= 2
    mask -= 1
    table = np.full(mask + 1, -1, np.int64)
    for q in range(m):
        start, end = starts[q], ends[q]
        hashed = _FNV_BASIS
        for i in range(start, end):
            hashed = (hashed ^ np.uint64(buffer[i])) * _FNV_PRIME
        slot = np.int64((hashed ^ (hashed >> np.uint64(32))) & np.uint64(0x7FFFFFFF)) & mask
        while table[slot] >= 0:
            other = firsts[table[slot]]
            length = end - start
            same = (ends[other] < 0) == (end < 0) and (end < 0 or ends[other] - starts[other] == length)
            if same:
                for x in range(length):
                    if buffer[start + x] != buffer[starts[other] + x]:
                        same = False
                        break
            if same:
                break
            slot = (slot + 1) & mask
        if table[slot] < 0:
            table[slot] = known
            firsts[known] = q
            known += 1
        code[q] = table[slot]
    return code, firsts[:known].copy()
