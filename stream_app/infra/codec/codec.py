"""Fetches to batches.

One compiled pass takes what is plainly right; no Python code runs per row. What it leaves is decoded message by
message: lists of rows and columnar batches still typed, the rest by :mod:`stream_app.infra.codec.explain`. All rows
then pass the same checks, as columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import orjson

from schemas.rejected import RejectCode
from stream_app.app.batch import Batch, ControlRecord, Fetch, Reject
from stream_app.app.byte_column import ByteColumn
from stream_app.domain.rows import FloatArray, IntArray
from stream_app.infra.codec import explain
from stream_app.infra.codec.keys import Keys
from stream_app.infra.codec.scan import SEVERAL, UNUSUAL, Scanned, scan
from stream_app.infra.codec.tokens import UNREAD
from stream_app.infra.codec.wire import COLUMN_NAMES, LIMITS, REQUIRED, ColumnBatch, Row, columns_of
from stream_app.infra.timestamps import Stamp, TimestampError, parse_timestamp, parse_timestamps

_ROWS: Final = msgspec.json.Decoder(list[Row])
_BATCH: Final = msgspec.json.Decoder(ColumnBatch)
_REASON_MAX_LENGTH: Final = 500


class Codec:
    """Decodes messages of the measurements topic (a :class:`stream_app.app.ports.Decoder`)."""

    def decode(self, fetch: Fetch) -> Batch:
        """Decode; what cannot be applied becomes a reject and leaves its neighbours alone."""
        return _Decoding(fetch).batch()


@dataclass(frozen=True, slots=True)
class _Table:
    """Rows in the messages' order; ``time_us`` is UNREAD where ``bad`` has the stamp that cannot be read."""

    message: IntArray
    position: IntArray
    time_us: IntArray
    columns: dict[str, FloatArray]  # by wire name
    bad: dict[int, Stamp]


class _Decoding:
    """One fetch on its way: what was scanned, and other rows as Python values, until :meth:`batch` joins them."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._values = ByteColumn.of(fetch.values)
        self._keys = Keys(ByteColumn.of(fetch.keys))
        self._stamps: list[Stamp] = []
        self._columns: dict[str, list[float | None]] = {}
        self._messages: list[IntArray] = []
        self._positions: list[IntArray] = []
        self._several: set[int] = set()  # messages that hold more than a row, so that a reject names its rows
        self._controls: list[ControlRecord] = []
        self._refused: dict[tuple[int, RejectCode], tuple[list[int], str]] = {}

    def batch(self) -> Batch:
        """Decode the fetch."""
        scanned = scan(self._values, self._keys.plain())
        unusual = np.flatnonzero(scanned.kind == UNUSUAL).tolist()
        for message in unusual:
            self._read(message, self._keys.asset_id(message))
        table = self._scanned(scanned)
        if self._stamps:
            table = _joined(table, self._read_rows())
        return self._checked(table, scanned)

    def _read(self, message: int, owner: str | None) -> None:
        """Decode a message that the scan left."""
        value = self._values[message]
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
            offset, timestamp_ms = int(fetch.offsets[message]), int(fetch.timestamps_ms[message])
            self._controls.append(ControlRecord(message, offset, timestamp_ms, reading.control))
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

    def _scanned(self, scanned: Scanned) -> _Table:
        """Rows of the scan, with the tokens that it left read by Python."""
        buffer, time_us, columns = self._values.buffer.data, scanned.time_us, scanned.columns
        bad: dict[int, Stamp] = {}
        if len(scanned.stamps):
            rows = scanned.stamps[:, 0]
            stamps: list[Stamp] = [orjson.loads(buffer[a:b]) for a, b in scanned.stamps[:, 1:].tolist()]
            time_us[rows], bad = _times(stamps)
            bad = {int(rows[i]): stamp for i, stamp in bad.items()}
        if len(scanned.numbers):
            numbers = [float(bytes(buffer[a:b])) for a, b in scanned.numbers[:, 2:].tolist()]
            columns[scanned.numbers[:, 0], scanned.numbers[:, 1]] = numbers
        named = {
            name: column
            for name, column, measured in zip(COLUMN_NAMES, columns, scanned.measured.tolist(), strict=True)
            if measured or name in REQUIRED
        }
        return _Table(scanned.message, scanned.position, time_us, named, bad)

    def _read_rows(self) -> _Table:
        """Rows that Python has read."""
        columns = {name: np.array(values, np.float64) for name, values in self._columns.items()}
        time_us, bad = _times(self._stamps)
        return _Table(np.concatenate(self._messages), np.concatenate(self._positions), time_us, columns, bad)

    def _checked(self, table: _Table, scanned: Scanned) -> Batch:
        """Check all rows as columns, drop the refused ones."""
        message, position, time_us, columns = table.message, table.position, table.time_us, table.columns
        keep = np.ones(len(message), np.bool_)
        for i, stamp in table.bad.items():
            keep[i] = False
            self._refuse(int(message[i]), int(position[i]), "bad_timestamp", _explain_stamp(stamp))
        for name, column in columns.items():
            low, high, _ = LIMITS[name]
            for i in np.flatnonzero(((column < low) | (column > high)) & keep).tolist():
                keep[i] = False
                reason = explain.out_of_range(name, float(column[i]))
                self._refuse(int(message[i]), int(position[i]), "out_of_range", reason)
        if not keep.all():
            message, position, time_us = message[keep], position[keep], time_us[keep]
            columns = {name: column[keep] for name, column in columns.items()}
        assets, asset = self._keys.assets(message)
        return Batch(
            assets=assets,
            asset=asset,
            offset=np.asarray(self._fetch.offsets, np.int64)[message],
            time_us=time_us,
            message=message,
            row=position,
            columns={COLUMN_NAMES[name]: column for name, column in columns.items()},
            controls=self._controls,
            rejects=self._rejects(scanned),
        )

    def _refuse(self, message: int, position: int | None, code: RejectCode, reason: str) -> None:
        if len(reason) > _REASON_MAX_LENGTH:  # it may repeat what was sent, and becomes a header
            reason = f"{reason[:_REASON_MAX_LENGTH]}…"
        positions, _ = self._refused.setdefault((message, code), ([], reason))
        if position is not None:
            positions.append(position)

    def _rejects(self, scanned: Scanned) -> list[Reject]:
        """One reject per message and code, in the messages' order."""
        rejects = []
        for (message, code), (positions, first) in sorted(self._refused.items()):
            several = message in self._several or scanned.kind[message] == SEVERAL
            rows = tuple(sorted(positions)) if several and positions else None
            reason = f"{first} (first of {len(rows)} rows)" if rows and len(rows) > 1 else first
            rejects.append(Reject(message, rows, code, reason))
        return rejects


def _times(stamps: Sequence[Stamp]) -> tuple[IntArray, dict[int, Stamp]]:
    """Stamps as microseconds, UNREAD where they cannot be read; those that cannot, by position."""
    time_us, ok = parse_timestamps(stamps)
    return np.where(ok, time_us, UNREAD), {i: stamps[i] for i in np.flatnonzero(~ok).tolist()}


def _joined(left: _Table, right: _Table) -> _Table:
    """Rows of both, in the messages' order; each message is in one of them."""
    message = np.concatenate([left.message, right.message])
    order = np.argsort(message, kind="stable")
    n, m = len(left.message), len(right.message)
    columns = {
        name: np.concatenate([left.columns.get(name, np.full(n, np.nan)), right.columns.get(name, np.full(m, np.nan))])
        for name in COLUMN_NAMES
        if name in left.columns or name in right.columns
    }
    place = np.empty(n + m, np.int64)
    place[order] = np.arange(n + m)
    bad = left.bad | {n + i: stamp for i, stamp in right.bad.items()}
    return _Table(
        message[order],
        np.concatenate([left.position, right.position])[order],
        np.concatenate([left.time_us, right.time_us])[order],
        {name: column[order] for name, column in columns.items()},
        {int(place[i]): stamp for i, stamp in bad.items()},
    )


def _explain_stamp(stamp: Stamp) -> str:
    try:
        parse_timestamp(stamp)
    except TimestampError as error:
        return f"timestamp {error}"
    msg = f"the column parser refuses {stamp!r}, the single parser does not"
    raise AssertionError(msg)
