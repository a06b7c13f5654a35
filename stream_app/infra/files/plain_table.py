"""Rows of a CSV table that are written plainly, read a block at a time."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from schemas.columns import BY_WIRE_NAME
from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.words import PADDING
from stream_app.infra.files import csv_scan
from stream_app.infra.files.block import BLOCK_ROWS, Block, Cells, Owners
from stream_app.infra.files.layout import Layout
from stream_app.infra.files.stamps import Stamps
from stream_app.wire.decode.keys import asset_id
from stream_app.wire.decode.limits import beyond
from stream_app.wire.decode.tokens import ODD


class Text:
    """Lines of a file, for compiled code to read.

    Parameters
    ----------
    lines
        Each ends in a line feed.
    """

    def __init__(self, lines: bytes) -> None:
        self.bytes: Final = lines + bytes(PADDING)
        self.buffer: Final = np.frombuffer(self.bytes, np.uint8)
        self.end: Final = len(lines)


class Scanned(NamedTuple):
    """What was read of a text: position behind it, lines and rows; None instead of rows that are not plain."""

    at: int
    lines: int
    block: Block | None


class PlainTable:
    """Reads lines below a header by compiled code. It vouches for what it reads, and never says what is wrong."""

    def __init__(self, layout: Layout, stamps: Stamps) -> None:
        self._layout, self._stamps = layout, stamps
        self._kinds = np.full(layout.width, csv_scan.UNUSED)
        if layout.stamps is not None:
            self._kinds[layout.stamps.index] = csv_scan.STAMP
        if layout.assets is not None:
            self._kinds[layout.assets.index] = csv_scan.ASSET
        self._kinds[[column.index for column in layout.readings]] = np.arange(len(layout.readings))
        self._mark = ord(layout.numbers.mark)
        self._counts = np.zeros(4, np.int64)
        self._long = np.empty((BLOCK_ROWS * len(layout.readings), 4), np.int64)

    def block(self, text: Text, at: int) -> Scanned:
        """Read lines from a position on: as many as a block has, or up to the end of the text."""
        readings = np.empty((len(self._layout.readings), BLOCK_ROWS))
        time_us, owner = np.empty((2, BLOCK_ROWS), np.int64)
        stamps, owners = np.empty((2, BLOCK_ROWS, 2), np.int64)
        behind, lines, rows = csv_scan.scan(
            text.buffer,
            at,
            text.end,
            ord(self._layout.separator),
            self._mark,
            self._kinds,
            readings,
            time_us,
            stamps,
            owner,
            owners,
            self._long,
            self._counts,
        )
        if behind == ODD:
            return self.skipped(text, at)
        unreads, changes, longs, _ = self._counts.tolist()
        if longs:
            self._read_long(text, longs, readings)
        written = Cells(text.bytes, *stamps[:rows].T)
        times = self._times(written) if unreads else time_us[:rows]
        columns = self._columns(readings[:, :rows])
        if times is None or columns is None:
            return self.skipped(text, at)
        if self._layout.assets is None:
            return Scanned(behind, lines, Block(written, times, columns, None))
        assets = _owners(text, owners[:changes], owner[:rows])
        return (
            self.skipped(text, at) if assets is None else Scanned(behind, lines, Block(written, times, columns, assets))
        )

    @staticmethod
    def skipped(text: Text, at: int) -> Scanned:
        """Lines of a block, left to be read cell by cell."""
        behind, lines = csv_scan.after_lines(text.buffer, at, text.end, BLOCK_ROWS)
        return Scanned(behind, lines, None)

    def _read_long(self, text: Text, count: int, readings: FloatArray) -> None:
        """Read numbers of many digits, which take more than one rounding."""
        long = self._long[:count]
        size = int((long[:, csv_scan.LONG_END] - long[:, csv_scan.LONG_START]).sum())
        gathered, bounds = np.empty(size, np.uint8), np.empty(count + 1, np.int32)
        csv_scan.gather(text.buffer, long, count, self._mark, gathered, bounds)
        texts = pa.StringArray.from_buffers(count, pa.py_buffer(bounds), pa.py_buffer(gathered))
        # The values' buffer itself: to_numpy() would import pandas first, for a quarter of a second.
        numbers = np.frombuffer(texts.cast(pa.float64()).buffers()[1], np.float64, count)
        readings[long[:, csv_scan.LONG_READING], long[:, csv_scan.LONG_ROW]] = numbers

    def _times(self, written: Cells) -> IntArray | None:
        """Times of stamps in any form; None when one cannot be read, or not as it is written."""
        if self._stamps.clock is not None:  # it takes each row once, in their order
            return None
        time_us, ok, as_written = self._stamps.read([stamp.strip() for stamp in written], None)
        return time_us if as_written and ok.all() else None

    def _columns(self, readings: FloatArray) -> dict[str, FloatArray] | None:
        """Readings by wire name, in the units of messages; None when one is beyond its limits."""
        columns = {}
        for column, written in zip(self._layout.readings, readings, strict=True):
            unchanged = (column.scale, column.offset) == (1.0, 0.0)
            values = written if unchanged else written * column.scale + column.offset
            limits = BY_WIRE_NAME[column.name]
            if beyond(values, limits.low, limits.high):
                return None
            columns[column.name] = values
        return columns


def _owners(text: Text, places: IntArray, owner: IntArray) -> Owners | None:
    """Assets of rows, of which those of each place follow each other; None when one is not an asset id."""
    codes: dict[str | None, int] = {}
    of_place = [codes.setdefault(asset_id(text.bytes[start:end]), len(codes)) for start, end in places.tolist()]
    names = [name for name in codes if name is not None]
    if len(names) < len(codes):
        return None
    return Owners(names, owner if len(of_place) == len(names) else np.array(of_place, np.int64)[owner])
