"""Updates as they are written: a few large buffers, without an object for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

from stream_app.columns.byte_column import ByteColumn


class UpdateRecord(NamedTuple):
    """A record of the metrics topic; its partition is that of the asset id, whatever the key is.

    ``headers`` are as a record has them (KIP-82).
    """

    asset_id: bytes
    key: bytes
    value: bytes
    headers: bytes


class UpdateBlock(NamedTuple):
    """Some records of the metrics topic: fields as of :class:`UpdateRecord`, all of the same length, none null."""

    asset_ids: ByteColumn
    keys: ByteColumn
    values: ByteColumn
    headers: ByteColumn


@dataclass(frozen=True, slots=True, eq=False)
class UpdateList(Sequence[UpdateRecord]):
    """Updates block by block; as a sequence, one by one."""

    blocks: Sequence[UpdateBlock] = ()

    @classmethod
    def of(cls, updates: Sequence[UpdateRecord]) -> UpdateList:
        """Take any updates."""
        columns = (ByteColumn.of([update[i] for update in updates]) for i in range(len(UpdateBlock._fields)))
        return cls([UpdateBlock(*columns)])

    @classmethod
    def joined(cls, parts: Iterable[UpdateList]) -> UpdateList:
        """All updates of the parts, in order."""
        return cls([block for part in parts for block in part.blocks])

    def __len__(self) -> int:
        return sum(len(block.keys) for block in self.blocks)

    @overload
    def __getitem__(self, i: int) -> UpdateRecord: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[UpdateRecord]: ...
    def __getitem__(self, i: int | slice) -> UpdateRecord | Sequence[UpdateRecord]:
        return list(self)[i]

    def __iter__(self) -> Iterator[UpdateRecord]:
        for block in self.blocks:
            for fields in zip(*block, strict=True):
                yield UpdateRecord(*(field or b"" for field in fields))
