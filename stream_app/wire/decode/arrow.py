"""Arrow messages: an IPC stream of one asset's rows, read and written as columns without a Python value per row.

Columns have the wire names; others are ignored. Null means "not measured"; so does NaN, since numpy and pandas write it
for a missing value. Columns may have any integer or float type, stamps may also be timestamps or text, and each column
may be dictionary-encoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import ipc

from schemas.columns import BY_WIRE_NAME, REQUIRED
from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.wire.decode.frames import END, MAX_BYTES, check, unreadable
from stream_app.wire.decode.refusal import Refusal, bad_timestamp, other_asset
from stream_app.wire.decode.table import Part
from stream_app.wire.decode.timestamps import MAX_TIME_US, MIN_TIME_US, UNREAD, read_timestamps

_ASSET, STAMP = "asset_id", "timestamp"
_NAMES: Final = (_ASSET, STAMP, *BY_WIRE_NAME)

_SIGNED, _UNSIGNED = (
    (pa.int8(), pa.int16(), pa.int32(), pa.int64()),
    (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
)
_INTEGERS: Final = {kind.id for kind in (*_SIGNED, *_UNSIGNED)}
_FLOATS: Final = {kind.id for kind in (pa.float16(), pa.float32(), pa.float64())}
_NUMBERS: Final = _INTEGERS | _FLOATS
_VIEW: Final = pa.string_view().id
_TEXTS: Final = {pa.string().id, pa.large_string().id, _VIEW}
_NULL: Final = pa.null().id
_TIMESTAMP: Final = pa.timestamp("us").id
_DICTIONARY: Final = pa.dictionary(pa.int8(), pa.int8()).id

#: Of each unit of timestamps: first tick, tick behind the last, and how many us a tick has or ticks a us has.
TICKS: Final = {
    unit: (MIN_TIME_US * per_s // 10**6, MAX_TIME_US * per_s // 10**6, max(10**6 // per_s, 1), max(per_s // 10**6, 1))
    for unit, per_s in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9))
}

_NO_STAMP: Final = bad_timestamp("must be text or a number, not null")
OPTIONS: Final = ipc.IpcReadOptions(use_threads=False)  # messages are small: handing work over costs more


@dataclass(slots=True)
class Reading:
    """Rows of a message, a part per record batch.

    Parameters
    ----------
    message
        Number of the message, for the parts.
    asset_id
        Asset that the key names.
    """

    message: int
    asset_id: str
    rows: int = 0
    parts: list[Part] = field(default_factory=list)

    def take(self, batch: Any, places: Mapping[str, int]) -> None:
        """Read a record batch, whose columns stand at the given places."""
        if batch.num_rows == 0:
            return
        batch.validate()
        time_us, refused = _times(batch.column(places[STAMP]))
        columns = {name: _readings(name, batch.column(at)) for name, at in places.items() if name in BY_WIRE_NAME}
        if _ASSET in places:
            refused |= _others(batch.column(places[_ASSET]), self.asset_id)
        self.parts.append(Part(self.message, self.rows, time_us, columns, refused))
        self.rows += batch.num_rows


def read(value: memoryview, message: int, asset_id: str) -> Reading:
    """Read a stream; limits of readings are the caller's to check.

    Raises
    ------
    Refusal
        When nothing of the message can be applied.
    """
    check(value)
    reading = Reading(message, asset_id)
    try:
        stream = ipc.open_stream(value, options=OPTIONS)
        places = places_of(stream.schema.names)
        for batch in stream:
            reading.take(batch, places)
    except MemoryError:
        raise  # the message is not at fault
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise unreadable(str(error).partition("\n")[0]) from None
    if not reading.rows:
        raise Refusal("empty_message", "the message holds no rows: send at least one")
    return reading


def rows(value: memoryview) -> list[dict[str, object]]:
    """Rows of a stream whatever its columns are called: numbers, texts and times, which are epoch us.

    Raises
    ------
    Refusal
        When the stream cannot be read, or two columns have one name.
    """
    check(value)
    found: list[dict[str, object]] = []
    try:
        stream = ipc.open_stream(value, options=OPTIONS)
        names = stream.schema.names
        for name in names:
            if names.count(name) > 1:
                raise Refusal("bad_row", f"column {name} appears {names.count(name)} times: send it once")
        for batch in stream:
            batch.validate()
            columns = {name: cells for name, column in zip(names, batch, strict=True) if (cells := _cells(column))}
            found += (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    except MemoryError:
        raise  # the message is not at fault
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise unreadable(str(error).partition("\n")[0]) from None
    return found


def _cells(column: Any) -> list[Any] | None:
    """A column as Python values, None where it is null; no list of a kind that is never a reading, a time or an id."""
    kind = column.type.id
    if kind in _NUMBERS or kind == _NULL:
        numbers: list[Any] = column.to_pylist()
        return numbers
    if kind in _TEXTS:
        return _texts(column)
    if kind == _TIMESTAMP:
        time_us, refused = _times(column)
        return [None if i in refused else us for i, us in enumerate(time_us.tolist())]
    if kind == _DICTIONARY and (each := _cells(column.dictionary)) is not None:
        each.append(None)
        return [each[code] for code in _codes(column).tolist()]
    return None


def write(stamps: NDArray[np.datetime64], columns: Mapping[str, FloatArray]) -> bytes:
    """Encode rows of one asset, whose id is to be the message's key; NaN stays NaN.

    Parameters
    ----------
    stamps
        UTC, in seconds, ms, us or ns.
    columns
        By wire name.
    """
    head = _head(np.datetime_data(stamps.dtype)[0], len(stamps), tuple(columns))
    ticks = np.ascontiguousarray(stamps).view(np.int64)
    values = (np.ascontiguousarray(readings, np.float64).data for readings in columns.values())
    return b"".join((head, ticks.data, *values, END))


@lru_cache(maxsize=256)
def _head(unit: str, rows: int, names: tuple[str, ...]) -> bytes:
    """What stands before the values, all of 64 bits, in a stream of one batch: streams differ in the values alone."""
    values = pa.py_buffer(bytes(8 * rows))
    kinds = [pa.timestamp(unit, tz="UTC"), *(pa.float64() for _ in names)]
    columns = [pa.Array.from_buffers(kind, rows, [None, values], 0) for kind in kinds]
    batch = pa.RecordBatch.from_arrays(columns, [STAMP, *names])
    content = bytes(batch.schema.serialize()) + bytes(batch.serialize())
    return content[: len(content) - 8 * rows * len(columns)]


def places_of(names: list[str]) -> dict[str, int]:
    """Where our columns stand in the schema."""
    places = {name: names.index(name) for name in _NAMES if name in names}
    for name in places:
        if names.count(name) > 1:
            raise Refusal("bad_row", f"column {name} appears {names.count(name)} times: send it once", name)
    for name in (STAMP, *REQUIRED):
        if name not in places:
            cure = "send it" if name == STAMP else "send it, with null where it was not measured"
            raise Refusal("bad_row", f"column {name} is missing: {cure}", name)
    return places


def _readings(name: str, column: Any) -> FloatArray:
    """A column as floats, NaN where it is null."""
    kind = column.type.id
    if kind in _NUMBERS:
        readings: FloatArray = column.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
        return readings
    if kind == _NULL:
        return np.full(len(column), np.nan)
    if kind == _DICTIONARY:
        codes = _codes(column)
        return np.append(_readings(name, column.dictionary), np.nan)[codes]
    reason = f"column {name} has type {column.type}: send an integer or float type, with null where it was not measured"
    raise Refusal("bad_row", reason, name)


def _times(column: Any) -> tuple[IntArray, dict[int, Refusal]]:
    """A column as microseconds, UNREAD where it cannot be read; and why, by position."""
    kind = column.type.id
    if kind == _TIMESTAMP:
        time_us, refused = _ticks(column)
    elif kind in _INTEGERS:
        time_us, refused = _epochs(column.fill_null(0) if column.null_count else column)
    elif kind in _FLOATS:
        time_us, refused = read_timestamps(_readings(STAMP, column))
    elif kind in _TEXTS:
        time_us, refused = read_timestamps([text or "" for text in _texts(column)])
    elif kind == _DICTIONARY:
        codes, (each_us, why) = _codes(column), _times(column.dictionary)
        why[len(each_us)] = _NO_STAMP
        time_us = np.append(each_us, UNREAD)[codes]
        return time_us, {i: why[int(codes[i])] for i in np.flatnonzero(time_us == UNREAD).tolist()}
    elif kind == _NULL:
        time_us, refused = np.full(len(column), UNREAD), {}
    else:
        reason = f"column timestamp has type {column.type}: send a timestamp type, ISO 8601 text or epoch numbers"
        raise Refusal("bad_row", reason, STAMP)
    if column.null_count:
        nulls = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))
        time_us[nulls] = UNREAD
        refused |= dict.fromkeys(nulls.tolist(), _NO_STAMP)
    return time_us, refused


def _ticks(column: Any) -> tuple[IntArray, dict[int, Refusal]]:
    unit = column.type.unit
    low, high, us, per_us = TICKS[unit]
    ticks: IntArray = column.to_numpy(zero_copy_only=False).view(np.int64)
    time_us = ticks * us if per_us == 1 else ticks // per_us  # of ticks beyond the bounds it may run over
    if not len(ticks) or (low <= ticks.min() and ticks.max() < high):
        return time_us, {}
    outside = np.flatnonzero((ticks < low) | (ticks >= high))
    time_us[outside] = UNREAD
    return time_us, {
        i: bad_timestamp(f"{ticks[i]} {unit} is outside the years 1990 to 2199: check the unit of the column")
        for i in outside.tolist()
    }


def _epochs(column: Any) -> tuple[IntArray, dict[int, Refusal]]:
    numbers = column.to_numpy()
    time_us, refused = read_timestamps(numbers.astype(np.int64))
    if numbers.dtype == np.uint64:  # the largest have turned negative: say what was sent
        refused = {i: read_timestamps([int(numbers[i])])[1][0] for i in refused}
    return time_us, refused


def _others(column: Any, asset_id: str) -> dict[int, Refusal]:
    """Rows that are not of the key's asset, by position."""
    if column.type.id in _TEXTS:
        column = _checked(column).dictionary_encode()
    elif column.type.id == _NULL:
        return {i: other_asset(None, asset_id) for i in range(len(column))}
    if column.type.id != _DICTIONARY or column.type.value_type.id not in _TEXTS:
        reason = f"column asset_id has type {column.type}: send text, or leave the column out: the key names the asset"
        raise Refusal("bad_row", reason, _ASSET)
    codes, names = _codes(column), [*_texts(column.dictionary), None]
    other = np.array([name != asset_id for name in names])[codes]
    return {i: other_asset(names[codes[i]], asset_id) for i in np.flatnonzero(other).tolist()}


def _codes(column: Any) -> IntArray:
    """Positions of a dictionary column in its dictionary; one behind its end for null."""
    column = _checked(column)
    codes: IntArray = column.indices.cast(pa.int64()).fill_null(len(column.dictionary)).to_numpy()
    return codes


def _texts(column: Any) -> list[str | None]:
    texts: list[str | None] = _checked(column).to_pylist()
    return texts


def _checked(column: Any) -> Any:
    """A column whose offsets, indices and text have been checked: those of a damaged one may point anywhere."""
    column.validate(full=True)
    if column.type.id == _VIEW:  # many views of one long text are short, and the texts are not
        lengths = np.frombuffer(column.buffers()[1], np.int32, 4 * len(column))[::4]
        if lengths.sum(dtype=np.int64) > MAX_BYTES:
            raise Refusal(
                "bad_arrow", f"a text column expands to more than {MAX_BYTES} bytes: send fewer rows per message"
            )
    return column
