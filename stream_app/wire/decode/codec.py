"""Fetches to batches.

One compiled pass (:mod:`stream_app.wire.decode.scan`) reads the messages that are written plainly; no Python code runs
per row. The others are decoded message by message: Arrow by :mod:`stream_app.wire.decode.arrow`, lists of rows and
columnar batches into structs, the rest by :mod:`stream_app.wire.decode.explain`. All rows then pass the same checks, as
columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import orjson

from schemas.asset import UPLOAD_HEADER
from schemas.columns import BY_WIRE_NAME
from schemas.rejected import RejectCode
from stream_app.columns.arrays import IntArray
from stream_app.columns.byte_column import ByteColumn
from stream_app.wire.batch import Batch, ControlRecord, Fetch, Reject
from stream_app.wire.decode import arrow, explain
from stream_app.wire.decode.arrow_plans import KnownPlans
from stream_app.wire.decode.explain import Reading, TranslateOf, no_translation
from stream_app.wire.decode.frames import MARKER
from stream_app.wire.decode.keys import KeyDictionary, Keys
from stream_app.wire.decode.limits import beyond
from stream_app.wire.decode.refusal import Refusal, bad_key, foreign_upload, implausible
from stream_app.wire.decode.replayed import meant_rows
from stream_app.wire.decode.row import COLUMN_BATCH, ROWS, ColumnBatch, Row, columns_of
from stream_app.wire.decode.scan import SEVERAL, UNUSUAL, Scanned, scan
from stream_app.wire.decode.table import Part, Table, joined, stacked
from stream_app.wire.decode.templates import KnownTemplates
from stream_app.wire.decode.timestamps import Stamp, read_timestamps

_REASON_MAX_LENGTH: Final = 500


class Decoder:
    """Decodes the fetches of a partition; what it has learnt of their form makes it fast, and changes no result.

    Parameters
    ----------
    translate_of
        Reads rows that the contract refuses, by their asset.
    """

    def __init__(self, translate_of: TranslateOf = no_translation) -> None:
        self._translate_of = translate_of
        self._templates = KnownTemplates()
        self._plans = KnownPlans()
        self._keys = KeyDictionary()

    def decode(self, fetch: Fetch) -> Batch:
        """Decode a fetch; the batch's assets are numbered as in the fetches before, if it has the very same ``assets``.

        What cannot be applied becomes a reject, never an exception, and leaves its neighbours alone.
        """
        keys = self._keys.read(ByteColumn.of(fetch.keys))
        return meant_rows(fetch, _Decoding(fetch, keys, self._templates, self._plans, self._translate_of).batch())


class _Decoding:
    """One fetch while it is decoded: rows that Python reads, until :meth:`batch` joins them with the scanned ones."""

    def __init__(
        self, fetch: Fetch, keys: Keys, templates: KnownTemplates, plans: KnownPlans, translate_of: TranslateOf
    ) -> None:
        self._fetch, self._translate_of = fetch, translate_of
        self._keys = keys
        #: Messages of producers that name an upload: these rows are the service's alone.
        self._foreign = {int(m) for m in keys.uploads() if all(name != UPLOAD_HEADER for name, _ in fetch.headers[m])}
        self._values = _without(ByteColumn.of(fetch.values), np.array(sorted(self._foreign), np.int64))
        self._templates = templates
        self._plans = plans
        self._stamps: list[Stamp] = []
        self._columns: dict[str, list[float | None]] = {}
        self._messages: list[IntArray] = []
        self._positions: list[IntArray] = []
        self._parts: list[Part] = []
        self._several: set[int] = set()  # messages that hold more than a row, so that a reject names its rows
        self._controls: list[ControlRecord] = []
        self._refused: dict[tuple[int, RejectCode], tuple[list[int], str]] = {}

    def batch(self) -> Batch:
        """Decode the fetch."""
        binary = _binary(self._values)
        scanned = scan(_without(self._values, binary), self._keys.plain(), self._templates)
        planned = self._plans.read(self._values, self._keys.named(binary))
        self._several.update(planned.message[planned.position == 0].tolist())
        for message in np.flatnonzero(scanned.kind == UNUSUAL).tolist():
            if message not in self._several:
                self._read(message, self._keys.asset_id(message))
        table = joined([self._scanned(scanned), planned, self._read_rows(), stacked(self._parts)])
        return self._checked(table, scanned)

    def _read(self, message: int, owner: str | None) -> None:
        """Decode a message that the scan left."""
        try:
            if message in self._foreign:
                raise foreign_upload(self._keys.asset_id(message))
            if self._read_arrow(message, owner):
                return
            value = self._values[message]
            if owner is None or value is None or not self._read_typed(message, value, owner):
                self._read_slowly(message, value, owner)
        except Refusal as refusal:
            self._refuse(message, None, refusal.code, refusal.reason)
        except MemoryError:
            raise  # the message is not at fault
        except Exception as error:  # the last resort: else one message stops its partition for good
            reason = f"the message could not be decoded ({type(error).__name__}: {error}); please report this as a bug"
            self._refuse(message, None, "unexpected", reason)

    def _read_typed(self, message: int, value: bytes, owner: str) -> bool:
        """Read a list of rows or a columnar batch into structs; False leaves the message to the slow path."""
        try:
            content = ROWS.decode(value) if value.lstrip()[:1] == b"[" else COLUMN_BATCH.decode(value)
        except Exception:  # whatever is wrong, the slow path explains it
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

    def _read_arrow(self, message: int, owner: str | None) -> bool:
        """Read the message if it is an Arrow stream, without a copy of its bytes; else False."""
        values = self._values
        value = values.buffer.data[int(values.starts[message]) : max(int(values.ends[message]), 0)]
        if bytes(value[: len(MARKER)]) != MARKER:
            return False
        if owner is None:
            raise bad_key(self._fetch.keys[message])
        try:
            self._parts += arrow.read(value, message, owner).parts
        except Refusal:
            if self._translate_of(owner) is None:
                raise
            self._add_reading(message, explain.read_rows(arrow.rows(value), owner, self._translate_of))
        self._several.add(message)
        return True

    def _read_slowly(self, message: int, value: bytes | None, owner: str | None) -> None:
        fetch = self._fetch
        reading = explain.read(value, fetch.keys[message], owner, self._translate_of)
        if reading.control is not None:
            offset, timestamp_ms = int(fetch.offsets[message]), int(fetch.timestamps_ms[message])
            self._controls.append(ControlRecord(message, offset, timestamp_ms, reading.control))
            return
        if not reading.single:
            self._several.add(message)
        self._add_reading(message, reading)

    def _add_reading(self, message: int, reading: Reading) -> None:
        self._add_rows(reading.rows, np.full(len(reading.rows), message), np.array(reading.positions, np.int64))
        for position, refusal in reading.refused:
            self._refuse(message, position, refusal.code, refusal.reason)

    def _add_rows(self, rows: Sequence[Row], messages: IntArray, positions: IntArray) -> None:
        if rows:
            self._add([row.timestamp for row in rows], columns_of(rows), messages, positions)

    def _add(
        self,
        stamps: list[Stamp],
        columns: Mapping[str, Sequence[float | None]],
        messages: IntArray,
        positions: IntArray,
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

    def _scanned(self, scanned: Scanned) -> Table:
        """Rows of the scan; Python reads the tokens that the scan did not."""
        buffer, time_us, columns = self._values.buffer.data, scanned.time_us, scanned.columns
        refused: dict[int, Refusal] = {}
        if len(scanned.stamps):
            rows = scanned.stamps[:, 0]
            stamps: list[Stamp] = [orjson.loads(buffer[a:b]) for a, b in scanned.stamps[:, 1:].tolist()]
            time_us[rows], unread = read_timestamps(stamps)
            refused = {int(rows[i]): refusal for i, refusal in unread.items()}
        if len(scanned.numbers):
            numbers = [float(bytes(buffer[a:b])) for a, b in scanned.numbers[:, 2:].tolist()]
            columns[scanned.numbers[:, 0], scanned.numbers[:, 1]] = numbers
        named = {
            name: column
            for name, column, measured in zip(BY_WIRE_NAME, columns, scanned.measured.tolist(), strict=True)
            if measured
        }
        return Table(scanned.message, scanned.position, time_us, named, refused)

    def _read_rows(self) -> Table:
        """Rows that Python has read."""
        columns = {name: np.array(values, np.float64) for name, values in self._columns.items()}
        time_us, refused = read_timestamps(self._stamps)
        none = np.zeros(0, np.int64)
        messages, positions = (np.concatenate([none, *some]) for some in (self._messages, self._positions))
        return Table(messages, positions, time_us, columns, refused)

    def _checked(self, table: Table, scanned: Scanned) -> Batch:
        """Check all rows as columns, drop the refused ones."""
        message, position, time_us, columns = table.message, table.position, table.time_us, table.columns
        keep = np.ones(len(message), np.bool_)
        for i, refusal in table.refused.items():
            keep[i] = False
            self._refuse(int(message[i]), int(position[i]), refusal.code, refusal.reason)
        for name, column in columns.items():
            low, high = BY_WIRE_NAME[name].low, BY_WIRE_NAME[name].high
            if not beyond(column, low, high):
                continue
            for i in np.flatnonzero(((column < low) | (column > high)) & keep).tolist():
                keep[i] = False
                refusal = implausible(name, float(column[i]))
                self._refuse(int(message[i]), int(position[i]), refusal.code, refusal.reason)
        if not keep.all():
            message, position, time_us = message[keep], position[keep], time_us[keep]
            columns = {name: column[keep] for name, column in columns.items()}
        return Batch(
            assets=self._keys.assets,
            asset=self._keys.numbers[message],
            offset=np.asarray(self._fetch.offsets, np.int64)[message],
            time_us=time_us,
            message=message,
            row=position,
            columns={BY_WIRE_NAME[name].name: column for name, column in columns.items()},
            controls=self._controls,
            rejects=self._rejects(scanned),
            record_ms=np.asarray(self._fetch.timestamps_ms, np.int64),
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


def _binary(values: ByteColumn) -> IntArray:
    """Messages that begin as Arrow streams do."""
    there = np.flatnonzero(values.ends > values.starts)
    binary: IntArray = there[values.buffer[values.starts[there]] == MARKER[0]]
    return binary


def _without(values: ByteColumn, messages: IntArray) -> ByteColumn:
    """The values, those of some messages empty: the scan need not look through their bytes."""
    if not len(messages):
        return values
    ends = values.ends.copy()
    ends[messages] = values.starts[messages]
    return ByteColumn(values.buffer, values.starts, ends)
