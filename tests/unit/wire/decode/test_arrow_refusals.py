"""Arrow messages that are refused, as a whole or in some rows."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import ipc

from stream_app.wire.decode.frames import MARKER
from tests.messages import STAMP, STAMP_US, TABLE, arrow_stream, decode, row

MESSAGE = arrow_stream(TABLE)


def test_nan_is_not_measured_and_infinity_is_refused() -> None:
    """NaN is how numpy and pandas write what is not there; infinity is a row that is wrong, as in JSON."""
    current = pa.array(np.array([math.nan, math.inf, -math.inf]))
    batch = decode(arrow_stream(TABLE | {"current": current}))
    assert batch.row.tolist() == [0]
    assert math.isnan(batch.columns["current_a"][0])
    (reject,) = batch.rejects
    assert (reject.rows, reject.code) == ((1, 2), "bad_row")
    assert reject.reason == "current is not a finite number: send null if it was not measured (first of 2 rows)"


def test_bad_rows_are_rejected_alone() -> None:
    """A bad row is rejected by its position, with the reason that a JSON row would get."""
    table = {
        "asset_id": pa.array(["a", "b", "a", "a", None, "a/b"]),
        "timestamp": pa.array([STAMP_US, STAMP_US, STAMP_US, None, STAMP_US, STAMP_US], pa.timestamp("us")),
        "current": pa.array([1.0] * 6),
        "voltage": pa.array([1, 2, 3, 4, 5, 6]),
        "soc": pa.array([50.0, 50.0, 500.0, 50.0, 50.0, 50.0]),
    }
    for content in (table, table | {"asset_id": table["asset_id"].dictionary_encode()}):
        batch = decode(arrow_stream(content))
        assert batch.row.tolist() == [0]
        assert [(reject.rows, reject.code) for reject in batch.rejects] == [
            ((4, 5), "bad_row"),
            ((3,), "bad_timestamp"),
            ((1,), "key_mismatch"),
            ((2,), "out_of_range"),
        ]
        assert [reject.reason[:50] for reject in batch.rejects] == [
            "asset_id is null: an asset id has 1 to 200 printab",
            "timestamp must be text or a number, not null",
            "the row belongs to asset 'b', but the key names 'a",
            "soc is 500, outside -10 to 120 %: check the unit, ",
        ]


@pytest.mark.parametrize(
    ("stamps", "reason"),
    [
        (pa.array([0] * 3, pa.timestamp("ns")), "timestamp 0 ns is outside the years 1990 to 2199"),
        (pa.array([2**62] * 3, pa.timestamp("s")), "timestamp 4611686018427387904 s is outside"),
        (pa.array([2**64 - 1] * 3, pa.uint64()), "timestamp 18446744073709551615 is outside the years"),
        (pa.array([12] * 3), "timestamp 12 is not an epoch time after 2001"),
        (pa.array([math.nan] * 3), "timestamp nan is not an epoch time after 2001"),
        (pa.array(["soon"] * 3), "timestamp 'soon' is not a date or time in a known format; send ISO 8601"),
        (
            pa.array(["soon"] * 3).dictionary_encode(),
            "timestamp 'soon' is not a date or time in a known format; send ISO 8601",
        ),
        (pa.nulls(3), "timestamp must be text or a number, not null"),
        (pa.nulls(3, pa.int64()), "timestamp must be text or a number, not null"),
        (pa.nulls(3, pa.string()), "timestamp must be text or a number, not null"),
        (pa.nulls(3, pa.string()).dictionary_encode(), "timestamp must be text or a number, not null"),
    ],
)
def test_stamps_that_are_none(stamps: Any, reason: str) -> None:
    """Each row with a stamp that cannot be read is refused."""
    (reject,) = decode(arrow_stream(TABLE | {"timestamp": stamps})).rejects
    assert (reject.rows, reject.code) == ((0, 1, 2), "bad_timestamp")
    assert reason in reject.reason


def _without(name: str) -> dict[str, Any]:
    return {key: column for key, column in TABLE.items() if key != name}


def _twice(name: str) -> bytes:
    arrays = [*TABLE.values(), TABLE[name]]
    batch = pa.record_batch(arrays, names=[*TABLE, name])
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _file() -> bytes:
    batch = pa.record_batch(TABLE)
    sink = pa.BufferOutputStream()
    with ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _bomb(compression: str) -> bytes:
    none = pa.array(np.zeros(1_000_000))
    stamps = pa.array(np.zeros(1_000_000, np.int64), pa.timestamp("s"))
    return arrow_stream({"timestamp": stamps, "current": none, "voltage": none, "soc": none}, compression=compression)


def _views() -> Any:
    """Many views of one long text."""
    text = STAMP.encode() + b" " * 2_000_000
    view = struct.pack("<i4sii", len(text), text[:4], 0, 0)
    return pa.Array.from_buffers(pa.string_view(), 100, [None, pa.py_buffer(view * 100), pa.py_buffer(text)])


@pytest.mark.parametrize(
    ("value", "code", "reason"),
    [
        (arrow_stream({name: column.slice(0, 0) for name, column in TABLE.items()}), "empty_message", "holds no rows"),
        (
            arrow_stream(_without("soc")),
            "bad_row",
            "column soc is missing: send it, with null where it was not measured",
        ),
        (arrow_stream(_without("timestamp")), "bad_row", "column timestamp is missing: send it"),
        (_twice("soc"), "bad_row", "column soc appears 2 times: send it once"),
        (
            arrow_stream(TABLE | {"voltage": pa.array(["1", "2", "3"])}),
            "bad_row",
            "column voltage has type string: send an integer or float type",
        ),
        (arrow_stream(TABLE | {"power": pa.array([True] * 3)}), "bad_row", "column power has type bool"),
        (
            arrow_stream(TABLE | {"power": pa.nulls(3, pa.decimal128(9, 2))}),
            "bad_row",
            "column power has type decimal128(9, 2): send an integer or float type",
        ),
        (arrow_stream(TABLE | {"power": pa.array([[1]] * 3)}), "bad_row", "column power has type list<"),
        (
            arrow_stream(TABLE | {"power": pa.array(["1"] * 3).dictionary_encode()}),
            "bad_row",
            "column power has type string",
        ),
        (
            arrow_stream(TABLE | {"timestamp": pa.array([1] * 3, pa.date32())}),
            "bad_row",
            "column timestamp has type",
        ),
        (
            arrow_stream(TABLE | {"timestamp": pa.array([True] * 3)}),
            "bad_row",
            "send a timestamp type, ISO 8601",
        ),
        (arrow_stream(TABLE | {"asset_id": pa.array([1] * 3)}), "bad_row", "asset_id has type int64: send text"),
        (
            arrow_stream(TABLE | {"asset_id": pa.array([1] * 3).dictionary_encode()}),
            "bad_row",
            "column asset_id has type",
        ),
        (MESSAGE[:-100], "bad_arrow", "it is cut off"),
        (MESSAGE[:20], "bad_arrow", "its lengths do not fit its bytes"),
        (b"\xff" * 4, "bad_arrow", "its lengths do not fit its bytes"),
        (b"\xff" * 400, "bad_arrow", "the Arrow stream cannot be read"),
        (MESSAGE + b"x", "bad_arrow", "1 bytes follow the end of the Arrow stream: send one stream per message"),
        (MESSAGE * 2, "bad_arrow", "bytes follow the end of the Arrow stream"),
        (arrow_stream(TABLE, metadata_version=ipc.MetadataVersion.V4), "bad_arrow", "write it with Arrow 1.0 or later"),
        (_file(), "bad_arrow", "the message is an Arrow file: send an Arrow IPC stream"),
        (_bomb("lz4"), "bad_arrow", "expands to 112000000 bytes, more than"),
        (_bomb("zstd"), "bad_arrow", "expands to 112000000 bytes, more than"),
        (arrow_stream({name: pa.nulls(10**9) for name in TABLE}), "bad_arrow", "expands to 80000000000 bytes"),
        (
            arrow_stream({name: pa.nulls(100) for name in TABLE} | {"timestamp": _views()}),
            "bad_arrow",
            "a text column expands to",
        ),
    ],
)
def test_refused_streams(value: bytes, code: str, reason: str) -> None:
    """A stream that cannot be read is one reject, which names what is wrong; its neighbours are read as ever."""
    batch = decode(row(), value, MESSAGE)
    (reject,) = batch.rejects
    assert (reject.message, reject.rows, reject.code) == (1, None, code)
    assert reason in reject.reason
    assert len(reject.reason) <= 600
    assert batch.message.tolist() == [0, 2, 2, 2]


@pytest.mark.parametrize("key", [None, b"", b"a b"])
def test_key_names_no_asset(key: bytes | None) -> None:
    """Rows of nobody are a key mismatch."""
    (reject,) = decode(MESSAGE, key=key).rejects
    assert (reject.rows, reject.code) == (None, "key_mismatch")


_SAMPLES = [
    arrow_stream(
        TABLE
        | {"asset_id": pa.array(["a"] * 3).dictionary_encode(), "timestamp": stamps, "cells": pa.array([[1]] * 3)},
        compression=compression,
    )
    for compression in (None, "lz4", "zstd")
    for stamps in (
        TABLE["timestamp"],
        pa.array([STAMP] * 3),
        pa.array([STAMP] * 3, pa.string_view()),
        pa.array([STAMP] * 3).dictionary_encode(),
    )
]


@given(st.sampled_from(_SAMPLES), st.data())
def test_damaged_streams_harm_nobody(value: bytes, data: st.DataObject) -> None:
    """Whatever happens to the bytes: rows or a reject that knows what it is, and the neighbours are read."""
    damaged = bytearray(value)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(len(MARKER), len(damaged) - 1))
        if data.draw(st.booleans()):
            damaged[at] = data.draw(st.integers(0, 255))
        else:
            del damaged[at : at + data.draw(st.integers(1, 16))]
            if len(damaged) <= len(MARKER):
                break
    batch = decode(MESSAGE, bytes(damaged), row())
    assert {0, 2} <= set(batch.message.tolist())
    assert all(reject.message == 1 and reject.code != "unexpected" for reject in batch.rejects)
    assert 1 in {*batch.message.tolist(), *(reject.message for reject in batch.rejects)}
