"""Fetches to batches.

A fetch of single rows, the common case, is decoded by one C loop into typed structs and from there column by column;
no Python code runs per row. What the loop refuses is decoded message by message: lists of rows and columnar batches
still typed, the rest by :mod:`stream_app.infra.codec.explain`. All rows then pass the same checks, as columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from pydantic import TypeAdapter, ValidationError

from schemas.asset import AssetId
from schemas.rejected import RejectCode
from stream_app.app.batch import Batch, ControlRecord, Fetch, Reject
from stream_app.domain.rows import IntArray
from stream_app.infra.codec import explain
from stream_app.infra.codec.wire import COLUMN_NAMES, LIMITS, ColumnBatch, Row, columns_of
from stream_app.infra.timestamps import Stamp, TimestampError, parse_timestamp, parse_timestamps

_ASSET_ID: Final[TypeAdapter[str]] = TypeAdapter(AssetId)
_ROW: Final = msgspec.json.Decoder(Row)
_ROWS: Final = msgspec.json.Decoder(list[Row])
_BATCH: Final = msgspec.json.Decoder(ColumnBatch)
#: Stands for a message that is no single row. No key says "", so that the comparison with the keys finds it.
_ODD: Final = Row("", 0, None, None, None)
_REASON_MAX_LENGTH: Final = 500


class Codec:
    """Decodes messages of the measurements topic (a :class:`stream_app.app.ports.Decoder`)."""

    def decode(self, fetch: Fetch) -> Batch:
        """Decode; what cannot be applied becomes a reject and leaves its neighbours alone."""
        return _Decoding(fetch).batch()


class _Decoding:
    """One fetch on its way: rows as Python values, in order, until :meth:`batch` makes arrays of them."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._stamps: list[Stamp] = []
        self._columns: dict[str, list[float | None]] = {}
        self._messages: list[IntArray] = []
        self._positions: list[IntArray] = []
        self._several: set[int] = set()  # messages that hold more than a row, so that a reject names its rows
        self._controls: list[ControlRecord] = []
        self._refused: dict[tuple[int, RejectCode], tuple[list[int], str]] = {}

    def batch(self) -> Batch:
        """Decode the fetch."""
        keys = self._fetch.keys
        asset_ids = {key: _asset_id(key) for key in dict.fromkeys(keys)}
        owners = list(map(asset_ids.__getitem__, keys))
        rows = _decode_rows(self._fetch.values)
        done = 0
        for message in _differing([row.asset_id for row in rows], owners):
            self._add_rows(rows[done:message], np.arange(done, message), np.zeros(message - done, np.int64))
            self._read(message, owners[message])
            done = message + 1
        last = len(rows)
        self._add_rows(rows[done:], np.arange(done, last), np.zeros(last - done, np.int64))
        return self._finish(asset_ids)

    def _read(self, message: int, owner: str | None) -> None:
        """Decode a message that is no single row of its key's asset."""
        value = self._fetch.values[message]
        try:
            if owner is None or value is None or not self._read_typed(message, value, owner):
                self._read_slowly(message, value, owner)
        except explain.Refusal as refusal:
            self._refuse(message, None, refusal.code, refusal.reason)
        except MemoryError:
            raise  # says nothing about the message
        except Exception as error:  # the last resort: else one message stops its partition for good
            reason = f"the message could not be decoded ({type(error).__name__}: {error}); please report it"
            self._refuse(message, None, "unexpected", reason)

    def _read_typed(self, message: int, value: bytes, owner: str) -> bool:
        """Take a list of rows or a columnar batch that is right in form; False leaves it to the slow path."""
        try:
            content = _ROWS.decode(value) if value.lstrip()[:1] == b"[" else _BATCH.decode(value)
        except Exception:  # whatever it is, the slow path says it better
            return False
        if isinstance(content, ColumnBatch):
            columns, n = content.columns(), len(content.timestamp)
            if n == 0 or content.asset_id != owner or any(len(values) != n for values in columns.values()):
                return False
            self._add(content.timestamp, columns, np.full(n, message), np.arange(n))
        else:
            n = len(content)
            if n == 0 or not all(row.asset_id == owner for row in content):
                return False
            self._add_rows(content, np.full(n, message), np.arange(n))
        self._several.add(message)
        return True

    def _read_slowly(self, message: int, value: bytes | None, owner: str | None) -> None:
        fetch = self._fetch
        reading = explain.read(value, fetch.keys[message], owner)
        if reading.control is not None:
            record = ControlRecord(message, fetch.offsets[message], fetch.timestamps_ms[message], reading.control)
            self._controls.append(record)
            return
        if not reading.single:
            self._several.add(message)
        self._add_rows(reading.rows, np.full(len(reading.rows), message), np.array(reading.positions, np.int64))
        for position, refusal in reading.refused:
            self._refuse(message, position, refusal.code, refusal.reason)

    def _add_rows(self, rows: Sequence[Row], messages: IntArray, positions: IntArray) -> None:
        if rows:
            self._add([row.timestamp for row in rows], columns_of(rows), messages, positions)

    def _add(
        self, stamps: list[Stamp], columns: dict[str, list[float | None]], messages: IntArray, positions: IntArray
    ) -> None:
        before, n = len(self._stamps), len(stamps)
        for name in columns:
            if name not in self._columns:
                self._columns[name] = [None] * before
        for name, column in self._columns.items():
            column.extend(columns.get(name) or [None] * n)
        self._stamps += stamps
        self._messages.append(messages)
        self._positions.append(positions)

    def _finish(self, asset_ids: Mapping[bytes | None, str | None]) -> Batch:
        """Check all rows as columns, drop the refused ones."""
        message, position = _concatenated(self._messages), _concatenated(self._positions)
        time_us, keep = parse_timestamps(self._stamps)
        for i in np.flatnonzero(~keep).tolist():
            self._refuse(int(message[i]), int(position[i]), "bad_timestamp", _explain_stamp(self._stamps[i]))
        columns = {name: np.array(values, np.float64) for name, values in self._columns.items()}
        for name, column in columns.items():
            low, high, _ = LIMITS[name]
            for i in np.flatnonzero(((column < low) | (column > high)) & keep).tolist():
                keep[i] = False
                reason = explain.out_of_range(name, float(column[i]))
                self._refuse(int(message[i]), int(position[i]), "out_of_range", reason)
        if not keep.all():
            message, position, time_us = message[keep], position[keep], time_us[keep]
            columns = {name: column[keep] for name, column in columns.items()}
        assets, asset = _asset_codes(self._fetch.keys, asset_ids, message)
        return Batch(
            assets=assets,
            asset=asset,
            offset=np.array(self._fetch.offsets, np.int64)[message],
            time_us=time_us,
            message=message,
            row=position,
            columns={COLUMN_NAMES[name]: column for name, column in columns.items()},
            controls=self._controls,
            rejects=self._rejects(),
        )

    def _refuse(self, message: int, position: int | None, code: RejectCode, reason: str) -> None:
        if len(reason) > _REASON_MAX_LENGTH:  # it may repeat what was sent, and becomes a header
            reason = f"{reason[:_REASON_MAX_LENGTH]}…"
        positions, _ = self._refused.setdefault((message, code), ([], reason))
        if position is not None:
            positions.append(position)

    def _rejects(self) -> list[Reject]:
        """One reject per message and code, in the messages' order."""
        rejects = []
        for (message, code), (positions, first) in sorted(self._refused.items()):
            rows = tuple(sorted(positions)) if message in self._several and positions else None
            reason = f"{first} (first of {len(rows)} rows)" if rows and len(rows) > 1 else first
            rejects.append(Reject(message, rows, code, reason))
        return rejects


def _asset_id(key: bytes | None) -> str | None:
    """Asset that a key names; None when it names none."""
    try:
        return None if key is None else _ASSET_ID.validate_python(key.decode())
    except (UnicodeDecodeError, ValidationError):
        return None


def _decode_rows(values: Iterable[bytes | None]) -> list[Row]:
    """Decode single rows; :data:`_ODD` stands where a message is none."""
    rows: list[Row] = []
    left = map(_ROW.decode, values)  # type: ignore[arg-type]  # None is refused like all else that is no row
    while True:
        try:
            rows.extend(left)  # what precedes an exception stays, and the iterator then stands behind its cause
        except Exception:  # the slow path explains it
            rows.append(_ODD)
        else:
            return rows


def _differing(left: Sequence[str | None], right: Sequence[str | None]) -> list[int]:
    return [] if left == right else [i for i, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]


def _concatenated(parts: Sequence[IntArray]) -> IntArray:
    return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.int64), *parts])


def _explain_stamp(stamp: Stamp) -> str:
    try:
        parse_timestamp(stamp)
    except TimestampError as error:
        return f"timestamp {error}"
    msg = f"the column parser refuses {stamp!r}, the single parser does not"
    raise AssertionError(msg)


def _asset_codes(
    keys: Sequence[bytes | None], asset_ids: Mapping[bytes | None, str | None], message: IntArray
) -> tuple[list[str], IntArray]:
    """Assets that have rows left, and each row's index into them."""
    code_of_key = {key: code for code, key in enumerate(asset_ids)}
    asset = np.fromiter(map(code_of_key.__getitem__, keys), np.int64, len(keys))[message]
    used = np.flatnonzero(np.bincount(asset, minlength=len(code_of_key)))
    renumbered = np.zeros(len(code_of_key), np.int64)
    renumbered[used] = np.arange(len(used))
    names = list(asset_ids.values())
    return [name for code in used.tolist() if (name := names[code]) is not None], renumbered[asset]
