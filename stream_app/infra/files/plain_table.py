"""Rows of a CSV table that are written plainly, read a block at a time."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.columns import BY_WIRE_NAME
from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.words import PADDING
from stream_app.infra.files import csv_scan
from stream_app.infra.files.block import BLOCK_ROWS, Block, Cells, Owners
from stream_app.infra.files.csv_header import Layout
from stream_app.wire.decode.keys import asset_id
from stream_app.wire.decode.limits import beyond
from stream_app.wire.decode.timestamps import parse_timestamps
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

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._kinds = np.full(layout.width, csv_scan.UNUSED)
        self._kinds[layout.stamps.index] = csv_scan.STAMP
        if layout.assets is not None:
            self._kinds[layout.assets.index] = csv_scan.ASSET
        self._kinds[[column.index for column in layout.readings]] = np.arange(len(layout.readings))
        self._mark = ord("," if layout.decimal_comma else ".")
        self._long = np.empty((BLOCK_ROWS * len(layout.readings), 4), np.int64)

    def block(self, text: Text, at: int) -> Scanned:
        """Read lines from a position on: as many as a block has, or up to the end of the text."""
        readings = np.empty((len(self._layout.readings), BLOCK_ROWS))
        time_us, places = np.empty(BLOCK_ROWS, np.int64), np.empty((BLOCK_ROWS, 4), np.int64)
        behind, lines, rows, unread, longs = csv_scan.scan(
            text.buffer,
            at,
            text.end,
            ord(self._layout.separator),
            self._mark,
            self._kinds,
            readings,
            time_us,
            places,
            self._long,
        )
        if behind == ODD:
            return self._odd(text, at)
        stamps = Cells(text.bytes, places[:rows, csv_scan.STAMP_START], places[:rows, csv_scan.STAMP_END])
        times: IntArray | None = time_us[:rows]
        if unread:
            times = _times(stamps)
        if longs:
            self._read_long(text, longs, readings)
        columns = self._columns(readings[:, :rows])
        owners = None if self._layout.assets is None else _owners(text, places, rows)
        if times is None or columns is None or (owners is None and self._layout.assets is not None):
            return self._odd(text, at)
        return Scanned(behind, lines, Block(stamps, times, columns, owners))

    @staticmethod
    def _odd(text: Text, at: int) -> Scanned:
        behind, lines = csv_scan.after_lines(text.buffer, at, text.end, BLOCK_ROWS)
        return Scanned(behind, lines, None)

    def _read_long(self, text: Text, count: int, readings: FloatArray) -> None:
        """Read numbers of many digits, which take more than one rounding."""
        long = self._long[:count]
        size = int((long[:, csv_scan.LONG_END] - long[:, csv_scan.LONG_START]).sum())
        gathered, bounds = np.empty(size, np.uint8), np.empty(count + 1, np.int32)
        csv_scan.gather(text.buffer, long, count, self._mark, gathered, bounds)
        texts = pa.StringArray.from_buffers(count, pa.py_buffer(bounds), pa.py_buffer(gathered))
        numbers: NDArray[np.float64] = texts.cast(pa.float64()).to_numpy()
        readings[long[:, csv_scan.LONG_READING], long[:, csv_scan.LONG_ROW]] = numbers

    def _columns(self, readings: FloatArray) -> dict[str, FloatArray] | None:
        """Readings by wire name, in the units of messages; None when one is beyond its limits."""
        columns = {}
        for column, values in zip(self._layout.readings, readings, strict=True):
            if (column.scale, column.offset) != (1.0, 0.0):
                values = values * column.scale + column.offset
            limits = BY_WIRE_NAME[column.name]
            if beyond(values, limits.low, limits.high):
                return None
            columns[column.name] = values
        return columns


def _times(stamps: Cells) -> IntArray | None:
    """Times of stamps in any form; None when one cannot be read."""
    time_us, ok = parse_timestamps([stamp.strip() for stamp in stamps])
    return time_us if ok.all() else None


def _owners(text: Text, places: IntArray, rows: int) -> Owners | None:
    """Assets of rows; None when one is not an asset id."""
    changed = np.empty(rows, np.int64)
    changed = changed[: csv_scan.changes(text.buffer, places, rows, changed)]
    bounds = places[changed, csv_scan.ASSET_START :].tolist()
    codes: dict[str | None, int] = {}
    of_change = [codes.setdefault(asset_id(text.bytes[start:end]), len(codes)) for start, end in bounds]
    names = [name for name in codes if name is not None]
    if len(names) < len(codes):
        return None
    return Owners(names, np.repeat(np.array(of_change, np.int64), np.diff(changed, append=rows)))
