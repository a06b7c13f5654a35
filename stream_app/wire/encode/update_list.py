"""Updates as they are written: keys and texts in a few large buffers, without an object for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

from stream_app.columns.byte_column import ByteColumn


class UpdateBlock(NamedTuple):
    """Some updates: asset id and JSON of each, both of the same length."""

    keys: ByteColumn
    texts: ByteColumn


@dataclass(frozen=True, slots=True, eq=False)
class UpdateList(Sequence[tuple[bytes, bytes]]):
    """Asset id and JSON of updates, block by block; as a sequence, one by one."""

    blocks: Sequence[UpdateBlock] = ()

    @classmethod
    def of(cls, updates: Sequence[tuple[bytes, bytes]]) -> UpdateList:
        """Take any updates; an ``UpdateList`` stays as it is."""
        if isinstance(updates, UpdateList):
            return updates
        columns = (ByteColumn.of([update[i] for update in updates]) for i in range(2))
        return cls([UpdateBlock(*columns)])

    @classmethod
    def joined(cls, parts: Iterable[UpdateList]) -> UpdateList:
        """All updates of the parts, in order."""
        return cls([block for part in parts for block in part.blocks])

    @property
    def size_bytes(self) -> int:
        """Size of the texts in memory."""
        return sum(block.texts.buffer.nbytes for block in self.blocks)

    def __len__(self) -> int:
        return sum(len(block.keys) for block in self.blocks)

    @overload
    def __getitem__(self, i: int) -> tuple[bytes, bytes]: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[tuple[bytes, bytes]]: ...
    def __getitem__(self, i: int | slice) -> tuple[bytes, bytes] | Sequence[tuple[bytes, bytes]]:
        return list(self)[i]

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        for block in self.blocks:
            for key, text in zip(*block, strict=True):
                if key is not None and text is not None:  # none is
                    yield key, text
