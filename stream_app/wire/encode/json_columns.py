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
from stream_app.columns.compiled import borrowing, compiled, inlined
from stream_app.columns.memory_copy import copy_bytes

_ZERO, _DASH, _DOT, _COLON, _T, _Z = (ord(sign) for sign in "0-.:TZ")
_DAY_US: Final = 86_400_000_000
#: Bytes of the longest stamp.
STAMP_BYTES: Final = len("1970-01-01T00:00:00.000000Z")


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


@inlined
def put_text(out: NDArray[np.uint8], at: int, texts: Texts, i: int) -> int:
    """Copy text ``i``; returns where it ends."""
    length: int = texts.ends[i] - texts.starts[i]
    copy_bytes(out, at, texts.buffer, texts.starts[i], length)
    return at + length


def column(room: NDArray[np.uint8], ends: IntArray) -> ByteColumn:
    """Texts that stand one after the other, copied: their room is larger than they are, and the next take it over."""
    starts = np.zeros_like(ends)
    starts[1:] = ends[:-1]
    return ByteColumn(room[: ends.max(initial=0)].copy(), starts, ends)


def numbers(array: FloatArray | IntArray) -> NDArray[np.uint8]:
    """JSON array of the numbers, flat; null where one is not finite."""
    return np.frombuffer(orjson.dumps(array.reshape(-1), option=orjson.OPT_SERIALIZE_NUMPY), np.uint8)


def stamps(time_us: IntArray) -> ByteColumn:
    """ISO 8601 in UTC without quotes, each with as many digits as it needs; years 0 to 9999."""
    out = np.empty(len(time_us) * STAMP_BYTES, np.uint8)
    ends = np.empty(len(time_us), np.int64)
    _write_stamps(time_us, out, ends)
    return column(out, ends)


@borrowing
def write_digits(out: NDArray[np.uint8], at: int, count: int, number: int) -> None:
    """Write the last ``count`` digits of a number that is not negative."""
    for k in range(at + count - 1, at - 1, -1):
        out[k] = _ZERO + number % 10
        number //= 10


@borrowing
def write_stamp(out: NDArray[np.uint8], at: int, time_us: int) -> int:
    """Write a stamp, of at most STAMP_BYTES; returns where it ends."""
    day = time_us // _DAY_US
    rest_us = time_us - day * _DAY_US
    year, month, day_of_month = compiled_civil_from_days(day)
    write_digits(out, at, 4, year)
    write_digits(out, at + 5, 2, month)
    write_digits(out, at + 8, 2, day_of_month)
    second = rest_us // 1_000_000
    write_digits(out, at + 11, 2, second // 3600)
    write_digits(out, at + 14, 2, second // 60 % 60)
    write_digits(out, at + 17, 2, second % 60)
    out[at + 4] = out[at + 7] = _DASH
    out[at + 10] = _T
    out[at + 13] = out[at + 16] = _COLON
    end = at + 19
    if rest_us % 1_000_000:
        out[end] = _DOT
        write_digits(out, end + 1, 6, rest_us % 1_000_000)
        end += 7
    out[end] = _Z
    return end + 1


@compiled
def _write_stamps(time_us: IntArray, out: NDArray[np.uint8], ends: IntArray) -> None:
    at = 0
    for i in range(len(time_us)):
        at = ends[i] = write_stamp(out, at, time_us[i])
