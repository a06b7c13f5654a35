"""Keys of closed windows in their table: asset, size and start, so that an asset's windows of a size sort by time."""

from __future__ import annotations

from typing import Final

_SEPARATOR: Final = b"\0"
_SHIFT_US: Final = 10**19  # starts before 1970 sort as text too


def asset_prefix(asset_id: str) -> bytes:
    """Return what the keys of all of an asset's windows begin with."""
    return asset_id.encode() + _SEPARATOR


def size_prefix(asset_id: str, size_s: int) -> bytes:
    """Return what the keys of an asset's windows of one size begin with."""
    return asset_prefix(asset_id) + b"%010d" % size_s + _SEPARATOR


def window_key(prefix: bytes, start_us: int) -> bytes:
    """Return a window's key; ``prefix`` is the :func:`size_prefix` of its asset and size."""
    return prefix + b"%020d" % (start_us + _SHIFT_US)


def start_us(key: bytes) -> int:
    """Start of the window that has a key [us since 1970, UTC]."""
    return int(key.rpartition(_SEPARATOR)[2]) - _SHIFT_US
