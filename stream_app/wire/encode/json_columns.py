"""Columns of numbers and stamps as JSON, a few calls for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.byte_column import ByteColumn
from stream_app.columns.calendar import compiled_civil_from_days
from stream_app.columns.compiled import compiled

Name = TypeVar("Name")

_COMMA: Final = ord(",")
_ZERO, _DASH, _DOT, _COLON, _T, _Z = (ord(sign) for sign in "0-.:TZ")
_DAY_US: Final = 86_400_000_000
_STAMP_BYTES: Final = len("1970-01-01T00:00:00.000000Z")


def numbers(columns: Mapping[Name, FloatArray] | Mapping[Name, IntArray]) -> dict[Name, ByteColumn]:
    """JSON of numbers, each column ``(k,)`` or ``(k, bins)``; null where one is not finite.

    Bins have commas between them and no brackets around them. All columns are floats, or all are whole.
    """
    parts = [column.reshape(-1) for column in columns.values()]
    text = orjson.dumps(np.concatenate(parts), option=orjson.OPT_SERIALIZE_NUMPY)
    buffer = np.frombuffer(text, np.uint8)
    cuts = np.flatnonzero(buffer == _COMMA)
    starts = np.concatenate([np.ones(1, np.int64), cuts + 1])  # behind the bracket
    ends = np.append(cuts, len(buffer) - 1)
    texts, first = {}, 0
    for name, column in columns.items():
        bins, stop = max(column.size // max(len(column), 1), 1), first + column.size
        texts[name] = ByteColumn(buffer, starts[first:stop:bins], ends[first + bins - 1 : stop : bins])
        first = stop
    return texts


def stamps(time_us: IntArray) -> ByteColumn:
    """ISO 8601 in UTC without quotes, each with as many digits as it needs; years 0 to 9999."""
    out = np.empty((len(time_us), _STAMP_BYTES), np.uint8)
    lengths = np.empty(len(time_us), np.int64)
    _write_stamps(time_us, out, lengths)
    starts = np.arange(len(time_us)) * _STAMP_BYTES
    return ByteColumn(out.reshape(-1), starts, starts + lengths)


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
