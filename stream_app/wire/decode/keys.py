"""Keys of messages: which asset each names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from pydantic import TypeAdapter, ValidationError

from schemas.asset import AssetId, is_upload
from stream_app.columns.arrays import BoolArray, IntArray
from stream_app.columns.byte_column import ByteColumn
from stream_app.wire.decode.key_numbers import KeyNumbers

_ASSET_ID: Final[TypeAdapter[str]] = TypeAdapter(AssetId)
#: A dictionary that has more is begun anew: keys of assets that are long gone do not fill the memory.
_MOST_KEYS: Final = 1 << 20


class KeyDictionary:
    """Keys of a partition, each looked at once: it keeps its number from fetch to fetch.

    Number 0 is a message without a key.
    """

    def __init__(self, most: int = _MOST_KEYS) -> None:
        self._most = most
        self._begin()

    def _begin(self) -> None:
        self._numbers = KeyNumbers()
        #: Asset of each number; empty where the key names none. Begun anew, it is another list.
        self.assets: list[str] = [""]
        self._named, self._plain, self._uploads = (np.zeros(1, np.bool_) for _ in range(3))

    def read(self, keys: ByteColumn) -> Keys:
        """Number the keys of a fetch."""
        if len(self._numbers) > self._most:
            self._begin()
        before = len(self._numbers)
        numbers = self._numbers.of(keys) + 1
        if len(self._numbers) > before:
            new = [asset_id(key) or "" for key in self._numbers.since(before)]
            self.assets += new
            self._named = np.append(self._named, [name != "" for name in new])
            self._plain = np.append(self._plain, [_is_plain(name) for name in new])
            self._uploads = np.append(self._uploads, [is_upload(name) for name in new])
        return Keys(keys, numbers, self.assets, self._named, self._plain, self._uploads)


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """Keys of the messages of a fetch.

    Parameters
    ----------
    keys
        One per message.
    numbers
        Number of each, shape (m,).
    assets
        Asset of each number, empty for none; longer by what later fetches bring.
    is_named, is_plain, is_upload
        Whether the key of each number names an asset, one that stands in JSON as it is, and one that is an upload.
    """

    keys: ByteColumn
    numbers: IntArray
    assets: list[str]
    is_named: BoolArray
    is_plain: BoolArray
    is_upload: BoolArray

    def asset_id(self, message: int) -> str | None:
        """Asset that a message's key names; None when it names none."""
        return self.assets[int(self.numbers[message])] or None

    def uploads(self) -> IntArray:
        """Messages whose key names an upload."""
        return np.flatnonzero(self.is_upload[self.numbers])

    def named(self, messages: IntArray) -> IntArray:
        """Those of the messages whose key names an asset."""
        return messages[self.is_named[self.numbers[messages]]]

    def plain(self) -> ByteColumn:
        """The keys that stand in JSON as they are; the others empty."""
        plain, keys = self.is_plain[self.numbers], self.keys
        return keys if plain.all() else ByteColumn(keys.buffer, keys.starts, np.where(plain, keys.ends, keys.starts))


@lru_cache(maxsize=1 << 18)
def asset_id(key: bytes | None) -> str | None:
    """Asset that a key names; None when it names none."""
    try:
        return None if key is None else _ASSET_ID.validate_python(key.decode())
    except (UnicodeDecodeError, ValidationError):
        return None


def _is_plain(name: str) -> bool:
    return name != "" and '"' not in name and "\\" not in name
