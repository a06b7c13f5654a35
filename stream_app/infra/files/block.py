"""Rows of a file, checked, as columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, overload

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.wire.decode.timestamps import Stamp

#: Rows of a block, and so of one message: few enough for any broker's size limit, enough to be fast.
BLOCK_ROWS: Final = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Cells(Sequence[str]):
    """Cells of a column, made into text when somebody asks: number ``i`` is ``text[starts[i]:ends[i]]``.

    Parameters
    ----------
    text
        UTF-8; may hold more than the cells.
    starts, ends
        Shape ``(n,)``.
    """

    text: bytes
    starts: IntArray
    ends: IntArray

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice | IntArray) -> Cells: ...
    def __getitem__(self, i: int | slice | IntArray) -> str | Cells:
        if isinstance(i, int):
            return self.text[int(self.starts[i]) : int(self.ends[i])].decode()
        return Cells(self.text, self.starts[i], self.ends[i])

    def __iter__(self) -> Iterator[str]:
        text = self.text
        return (text[start:end].decode() for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Owners:
    """Assets of rows.

    Parameters
    ----------
    names
        Each asset once; it may have no row.
    of_row
        Index into ``names``, shape ``(n,)``.
    """

    names: Sequence[str]
    of_row: IntArray


@dataclass(frozen=True, slots=True)
class Block:
    """At most :data:`BLOCK_ROWS` rows of a file, all of them valid.

    Parameters
    ----------
    timestamps
        As they are written in the file.
    time_us
        The same in microseconds since 1970 UTC, shape ``(n,)``.
    columns
        By wire name, in the units of messages, shape ``(n,)``; NaN means "not measured".
    owners
        Asset of each row, when the file names it.
    numbers
        Number of each row in the file, from 1, shape ``(n,)``.
    """

    timestamps: Sequence[Stamp]
    time_us: IntArray
    columns: Mapping[str, FloatArray]
    owners: Owners | None
    numbers: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.time_us)

    @property
    def asset_ids(self) -> list[str] | None:
        """Asset id of each row, when the file names it."""
        if self.owners is None:
            return None
        return [self.owners.names[i] for i in self.owners.of_row.tolist()]

    def number(self, numbers: IntArray) -> None:
        """Say which rows of the file these are."""
        object.__setattr__(self, "numbers", numbers)

    def take(self, rows: IntArray | list[int]) -> Block:
        """Some of the rows, by their places."""
        rows = np.asarray(rows, np.int64)
        stamps = self.timestamps
        taken = stamps[rows] if isinstance(stamps, Cells) else [stamps[i] for i in rows.tolist()]
        columns = {name: values[rows] for name, values in self.columns.items()}
        owners = None if self.owners is None else Owners(self.owners.names, self.owners.of_row[rows])
        numbers = self.numbers[rows] if len(self.numbers) else self.numbers
        return Block(taken, self.time_us[rows], columns, owners, numbers)


def owners_of(asset_ids: Sequence[str]) -> Owners:
    """Assets of rows, by the asset id of each."""
    codes: dict[str, int] = {}
    of_row = np.array([codes.setdefault(asset_id, len(codes)) for asset_id in asset_ids], np.int64)
    return Owners(list(codes), of_row)


def joined(blocks: Sequence[Block]) -> Block:
    """All rows of blocks of a file."""
    codes: dict[str, int] = {}
    owners = None
    if any(block.owners is not None for block in blocks):
        parts = [
            np.array([codes.setdefault(name, len(codes)) for name in block.owners.names], np.int64)[block.owners.of_row]
            for block in blocks
            if block.owners is not None
        ]
        owners = Owners(list(codes), np.concatenate(parts))
    return Block(
        [stamp for block in blocks for stamp in block.timestamps],
        np.concatenate([block.time_us for block in blocks]),
        {name: np.concatenate([block.columns[name] for block in blocks]) for name in blocks[0].columns},
        owners,
        np.concatenate([block.numbers for block in blocks]),
    )


def iso(time_us: IntArray) -> list[str]:
    """Times as ISO 8601 text in UTC."""
    return [f"{text}Z" for text in np.datetime_as_string(time_us.view("datetime64[us]")).tolist()]
