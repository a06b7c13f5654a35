"""Stored values as the tables keep them in memory: packed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from stream_app.domain.snapshot import header
from stream_app.usecases.entry import unpacked


class _Packed(Mapping[bytes, bytes]):
    """Values by key, each unpacked when it is read."""

    def __init__(self, packed: dict[bytes, bytes]) -> None:
        self._packed = packed

    def __getitem__(self, key: bytes) -> bytes:
        return unpacked(self._packed[key])

    def __contains__(self, key: object) -> bool:
        return key in self._packed

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)


class PackedValues(_Packed):
    """Values by key, as entries bring them."""

    def __init__(self) -> None:
        super().__init__({})
        #: Size of all values as they are kept.
        self.size_bytes = 0

    def offset(self, key: bytes) -> int | None:
        """Source offset of a value; None: there is no such value."""
        packed = self._packed.get(key)
        return None if packed is None else header(packed)

    def some(self, keys: Iterable[bytes]) -> Mapping[bytes, bytes]:
        """Values of these keys as they are now, each unpacked when it is read."""
        return _Packed({key: self._packed[key] for key in keys})

    def put(self, key: bytes, packed: bytes) -> None:
        """Set a value."""
        self.size_bytes += len(packed) - len(self._packed.get(key, b""))
        self._packed[key] = packed

    def remove(self, key: bytes) -> None:
        """Remove a value that is there."""
        self.size_bytes -= len(self._packed.pop(key))
