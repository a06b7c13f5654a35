"""Waiting rows of assets as bytes: of each asset those columns that any of its rows has."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

from stream_app.columns.arrays import IntArray
from stream_app.domain.pending import TimedColumns
from stream_app.domain.state import Fleet
from stream_app.domain.value_reader import ValueReader


class StoredRows:
    """Waiting rows of assets: for each asset their count and columns (as bits), and what is stored of them."""

    def __init__(self, fleet: Fleet, slots: IntArray) -> None:
        self._count = fleet.pending.count[slots]
        self._rows = fleet.pending.get(slots)
        owner = np.repeat(np.arange(len(slots)), self._count)
        there = ~np.isnan(self._rows.values)
        #: Columns that any of an asset's rows has: those are stored, with all of its rows.
        self._measured = np.array([np.bincount(owner[has], minlength=len(slots)) > 0 for has in there])
        column, row = np.nonzero(self._measured[:, owner])
        by_asset = np.argsort(owner[row], kind="stable")
        self._values = self._rows.values[column[by_asset], row[by_asset]]

    def __iter__(self) -> Iterator[tuple[tuple[int, int], tuple[memoryview, ...]]]:
        times, offsets = bytes_of(little(self._rows.time_us)), bytes_of(little(self._rows.offset))
        values = bytes_of(little(self._values))
        bits = (self._measured << np.arange(len(self._measured))[:, None]).sum(axis=0).tolist()
        sizes = (8 * self._count * self._measured.sum(axis=0)).tolist()
        row = value = 0
        for count, columns, size in zip(self._count.tolist(), bits, sizes, strict=True):
            rows = slice(row, row + 8 * count)
            yield (count, columns), (times[rows], offsets[rows], values[value : value + size])
            row, value = rows.stop, value + size


def read_rows(reader: ValueReader, count: int, stored: list[str], columns: tuple[str, ...]) -> TimedColumns:
    """Waiting rows of one asset; columns that are gone are dropped."""
    time_us, offset = reader.integers(count), reader.integers(count)
    values = np.full((len(columns), count), np.nan)
    for name in stored:
        column = reader.floats(count)
        if name in columns:
            values[columns.index(name)] = column
    return TimedColumns(time_us, offset, values)


def little(numbers: np.ndarray) -> np.ndarray:
    """Numbers in the order of bytes and lines in which they are stored; most machines have them so."""
    if sys.byteorder == "little" and numbers.flags.c_contiguous:
        return numbers
    return np.ascontiguousarray(numbers, numbers.dtype.newbyteorder("<"))


def bytes_of(numbers: np.ndarray) -> memoryview:
    """Contiguous numbers as bytes."""
    return numbers.reshape(-1).view(np.uint8).data
