"""Reads a stored value from its first byte to its last."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.domain.errors import CorruptStateError
from stream_app.domain.pending import TimedColumns

LENGTH = struct.Struct(">I")


class ValueReader:
    """Takes parts of a value one after the other; ValueError where it ends too early or too late."""

    def __init__(self, value: bytes, at: int) -> None:
        self._value, self._at = value, at

    def take(self, size: int) -> bytes:
        """Take so many bytes."""
        part = self._value[self._at : self._at + size]
        if size < 0 or len(part) != size:
            msg = f"of {len(self._value)} bytes there are no {size} at {self._at}"
            raise ValueError(msg)
        self._at += size
        return part

    def text(self) -> bytes:
        """Take a text behind its length."""
        return self.take(LENGTH.unpack(self.take(LENGTH.size))[0])

    def integers(self, count: int) -> IntArray:
        """Take whole numbers."""
        return np.frombuffer(self.take(8 * count), "<i8").astype(np.int64)

    def floats(self, count: int) -> FloatArray:
        """Take numbers."""
        return np.frombuffer(self.take(8 * count), "<f8").astype(np.float64)

    def end(self) -> None:
        """Make sure that all was taken."""
        if self._at != len(self._value):
            msg = f"{len(self._value)} bytes should end at {self._at}"
            raise ValueError(msg)


def read_rows(reader: ValueReader, count: int, stored: Sequence[str], columns: tuple[str, ...]) -> TimedColumns:
    """Waiting rows of one asset; columns that are gone are dropped."""
    time_us, offset = reader.integers(count), reader.integers(count)
    values = np.full((len(columns), count), np.nan)
    for name in stored:
        column = reader.floats(count)
        if name in columns:
            values[columns.index(name)] = column
    return TimedColumns(time_us, offset, values)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Raise CorruptStateError, which names the value, for whatever fails on what was read."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error) as error:
        msg = f"{name} cannot be read ({type(error).__name__}: {' '.join(str(error).split())})"
        raise CorruptStateError(msg) from error
