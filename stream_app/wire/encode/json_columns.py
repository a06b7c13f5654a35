"""Columns of numbers and stamps as JSON, a few calls for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.byte_column import ByteColumn
from stream_app.columns.calendar import compiled_civil_from_days
from stream_app.columns.compiled import compiled

_COMMA: Final = ord(",")
_ZERO, _DASH, _DOT, _COLON, _T, _Z = (ord(sign) for sign in "0-.:TZ")
_DAY_US: Final = 86_400_000_000
_STAMP_BYTES: Final = len("1970-01-01T00:00:00.000000Z")


class Texts(NamedTuple):
    """Texts in one buffer: number ``i`` is ``buffer[starts[i]:ends[i]]``."""

    buffer: NDArray[np.uint8]
    starts: IntArray
    ends: IntArray


def texts(items: Sequence[bytes]) -> Texts:
    """Put texts into one buffer."""
    lengths = np.fromiter(map(len, items), np.int64, len(items))
    ends = lengths.cumsum()
    return Texts(np.frombuffer(b"".join(items), np.uint8), ends - lengths, ends)


def numbers(floats: FloatArray, whole: IntArray) -> Texts:
    """JSON of each of the numbers, floats first, both ``(n,)``; null where one is not finite.

    Neighbours have a comma between them: the text from one to another is that of a JSON array without its brackets.
    """
    buffers, starts, ends, size = [], [], [], 0
    for array in (floats, whole):
        buffer = np.frombuffer(orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY), np.uint8)
        commas = np.flatnonzero(buffer == _COMMA) + size
        starts += [np.array([size + 1]), commas + 1]  # behind the bracket
        ends += [commas, np.array([size + len(buffer) - 1])]
        buffers.append(buffer)
        size += len(buffer)
    return Texts(np.concatenate(buffers), np.concatenate(starts), np.concatenate(ends))


def stamps(time_us: IntArray) -> ByteColumn:
    """ISO 8601 in UTC without quotes, each with as many digits as it needs; years 0 to 9999."""
    lines, lengths = stamp_lines(time_us)
    starts = np.arange(len(time_us)) * _STAMP_BYTES
    return ByteColumn(lines.reshape(-1), starts, starts + lengths)


def stamp_lines(time_us: IntArray) -> tuple[NDArray[np.uint8], IntArray]:
    """The same as lines ``(n, bytes)``, and how much of each is text, ``(n,)``."""
    out = np.empty((len(time_us), _STAMP_BYTES), np.uint8)
    lengths = np.empty(len(time_us), np.int64)
    _write_stamps(time_us, out, lengths)
    return out, lengths


@compiled
def _write_digits(line: NDArray[np.uint8], at: int, count: int, number: int) -> None:
    for k in range(at + count - 1, at - 1, -1):
        line[k] = _ZERO + number % 10
        number //= 10


@compiled
def _write_stamps(time_us: IntArray, out: NDArray[np.uint8], lengths: IntArray) -> None:
    for i in range(len(time_us)):
        line = out[i]
        day = time_us[i] // _DAY_US
        rest_us = time_us[i] - day * _DAY_US
        year, month, day_of_month = compiled_civil_from_days(day)
        _write_digits(line, 0, 4, year)
        _write_digits(line, 5, 2, month)
        _write_digits(line, 8, 2, day_of_month)
        second = rest_us // 1_000_000
        _write_digits(line, 11, 2, second // 3600)
        _write_digits(line, 14, 2, second // 60 % 60)
        _write_digits(line, 17, 2, second % 60)
        line[4] = line[7] = _DASH
        line[10] = _T
        line[13] = line[16] = _COLON
        end = 19
        if rest_us % 1_000_000:
            line[19] = _DOT
            _write_digits(line, 20, 6, rest_us % 1_000_000)
            end = 26
        line[end] = _Z
        lengths[i] = end + 1
