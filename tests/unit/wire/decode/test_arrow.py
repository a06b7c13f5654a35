"""Arrow messages: the same rows as in JSON give the same batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.columns import BY_WIRE_NAME, REQUIRED
from stream_app.wire.decode import Decoder, arrow
from tests.messages import BATCH, ROW, STAMP, STAMP_US, TABLE, arrow_stream, decode, dump, fetch, row
from tests.unit.wire.decode.test_laws import rows_of

TIMES = [STAMP_US, STAMP_US + 1_500_000, STAMP_US + 3_000_000]
MESSAGE = arrow_stream(TABLE)
NOT_SENT = [None] * (len(BY_WIRE_NAME) - len(REQUIRED))
EXPECTED = [
    [STAMP_US, -40.0, 890.0, 51.0, *NOT_SENT],
    [STAMP_US + 1_500_000, None, 891.0, 51.5, *NOT_SENT],
    [STAMP_US + 3_000_000, 1.5, 892.0, 52.0, *NOT_SENT],
]


def test_rows_among_other_messages() -> None:
    """Rows of Arrow messages stand between those of the messages around them, with offset and position."""
    batch = decode(row(), MESSAGE, dump(BATCH), MESSAGE, dump([ROW, {**ROW, "soc": "x"}]), None)
    assert batch.message.tolist() == [0, 1, 1, 1, 2, 2, 3, 3, 3, 4]
    assert batch.row.tolist() == [0, 0, 1, 2, 0, 1, 0, 1, 2, 0]
    assert batch.offset.tolist() == [100, 102, 102, 102, 104, 104, 106, 106, 106, 108]
    assert rows_of(batch)[1:4] == rows_of(batch)[6:9] == EXPECTED
    assert [reject.message for reject in batch.rejects] == [4, 5]


def test_messages_of_several_assets() -> None:
    """The key says whose the rows are."""
    batch = Decoder().decode(fetch((b"b", MESSAGE), (b"a", MESSAGE)))
    assert [batch.assets[code] for code in batch.asset] == ["b"] * 3 + ["a"] * 3


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_several_record_batches(compression: str | None) -> None:
    """Positions count on over the record batches of a message, empty ones or not, compressed or not."""
    none = {name: column.slice(0, 0) for name, column in TABLE.items()}
    batch = decode(arrow_stream(TABLE, none, TABLE, compression=compression))
    assert not batch.rejects
    assert batch.row.tolist() == list(range(6))
    assert rows_of(batch) == EXPECTED * 2


def test_what_was_written_reads_back() -> None:
    """The writer's messages hold the rows that went in, NaN as not measured."""
    readings = {name: np.array([i + 0.1, math.nan]) for i, name in enumerate(BY_WIRE_NAME)}
    batch = decode(arrow.write(np.array(TIMES[:2], "datetime64[us]"), readings))
    assert batch.time_us.tolist() == TIMES[:2]
    for name, column in BY_WIRE_NAME.items():
        np.testing.assert_array_equal(batch.columns[column.name], readings[name])


_WHOLE = [STAMP_US // 10**6, STAMP_US // 10**6 + 1, STAMP_US // 10**6 + 3]


@pytest.mark.parametrize(
    "stamps",
    [
        pa.array(_WHOLE, pa.timestamp("s")),
        pa.array([each * 10**3 for each in _WHOLE], pa.timestamp("ms", tz="Europe/Berlin")),
        pa.array([each * 10**6 for each in _WHOLE], pa.timestamp("us", tz="+02:00")),
        pa.array([each * 10**9 + 999 for each in _WHOLE], pa.timestamp("ns")),
        pa.array(_WHOLE, pa.int64()),
        pa.array(_WHOLE, pa.uint32()),
        pa.array([each * 10**9 for each in _WHOLE], pa.uint64()),
        pa.array(map(float, _WHOLE), pa.float64()),
        pa.array([STAMP, "4/13/2022 0:00:03", "2022-04-13T02:00:05+02:00"]),
        pa.array([STAMP, "4/13/2022 0:00:03", "2022-04-13 00:00:05"], pa.large_string()),
        pa.array([STAMP, "4/13/2022 0:00:03", "2022-04-13 00:00:05"], pa.string_view()),
        pa.array([STAMP, "4/13/2022 0:00:03", "2022-04-13 00:00:05"]).dictionary_encode(),
        pa.array(_WHOLE, pa.timestamp("s")).dictionary_encode(),
    ],
    ids=lambda stamps: str(stamps.type),
)
def test_stamps_of_every_kind(stamps: Any) -> None:
    """Stamps of any type mean the same moment; naive ones are UTC, numbers and text are read as in JSON."""
    batch = decode(arrow_stream(TABLE | {"timestamp": stamps}))
    assert not batch.rejects
    assert batch.time_us.tolist() == [each * 10**6 for each in _WHOLE]


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint8(), pa.int64(), pa.uint64(), pa.float16(), pa.float32(), pa.float64()], ids=str
)
def test_readings_of_every_kind(kind: Any) -> None:
    """Any integer or float type carries readings and nulls, plainly or by a dictionary."""
    column = pa.array([3, None, 50], kind)
    columns = {"power": column, "soc": pa.nulls(3), "voltage": column}
    for content in (columns, columns | {"voltage": column.cast(pa.float64()).dictionary_encode()}):
        batch = decode(arrow_stream(TABLE | content))
        assert not batch.rejects
        np.testing.assert_array_equal(batch.columns["power_w"], [3.0, math.nan, 50.0])
        np.testing.assert_array_equal(batch.columns["voltage_v"], [3.0, math.nan, 50.0])
        np.testing.assert_array_equal(batch.columns["soc_percent"], [math.nan] * 3)


_numbers = st.one_of(st.none(), st.floats(-200, 200), st.sampled_from([-0.0, 5e-324, 120.0, 1e6, 1e11]))
_seconds = st.integers(1_649_808_000, 1_649_809_000)
_texts = st.sampled_from([STAMP, "4/13/2022 0:00", "", "?", "2022-04-13"])


def _columns(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=6, max_size=6)


_tables = st.fixed_dictionaries(
    {
        "timestamp": st.one_of(
            _columns(st.one_of(st.none(), _seconds, st.integers(-(2**63), 2**63 - 1))),
            _columns(st.one_of(st.none(), _seconds.map(float), st.floats(allow_nan=False))),
            _columns(st.one_of(st.none(), _texts)),
        ),
        **dict.fromkeys(REQUIRED, _columns(_numbers)),
    },
    optional={
        **dict.fromkeys(("power", "t_max", "cell_v_min"), _columns(_numbers)),
        "asset_id": _columns(st.sampled_from(["a", "a", "a", "a", "b", "a/b", "", None])),
    },
)


@given(_tables, st.sampled_from([None, "lz4", "zstd"]), st.integers(0, 6), st.booleans())
def test_arrow_says_what_json_says(table: dict[str, Any], compression: str | None, cut: int, encoded: bool) -> None:
    """A table gives the same rows, and the same rows refused, as a JSON list of its rows; however it is encoded."""
    kinds = {"timestamp": None, "asset_id": pa.string()}
    arrays = {name: pa.array(values, kinds.get(name, pa.float64())) for name, values in table.items()}
    parts = [{name: array.slice(*at) for name, array in arrays.items()} for at in ((0, cut), (cut,))]
    if encoded:  # each part has dictionaries of its own
        parts = [{name: array.dictionary_encode() for name, array in part.items()} for part in parts]
    by_arrow = decode(arrow_stream(*parts, compression=compression))
    columns = {"asset_id": ["a"] * 6, **table}
    by_json = decode(dump([{name: values[i] for name, values in columns.items()} for i in range(6)]))
    assert by_arrow.row.tolist() == by_json.row.tolist()
    assert rows_of(by_arrow) == rows_of(by_json)
    refused, by_list = ({i for reject in one.rejects for i in reject.rows or ()} for one in (by_arrow, by_json))
    assert refused == by_list == set(range(6)) - set(by_arrow.row.tolist())


def test_unknown_columns_are_ignored() -> None:
    """Columns that are not ours may be of any type."""
    other = {"status": pa.array(["ok"] * 3), "cells": pa.array([[1.0]] * 3), "raw": pa.array([b"\xff"] * 3)}
    assert rows_of(decode(arrow_stream(other | TABLE))) == EXPECTED


def test_the_largest_stream_of_nothing_is_read() -> None:
    """Readings that never change compress to a hundredth, and are no bomb."""
    n = 100_000
    still = pa.array(np.full(n, 50.0))
    table = {"timestamp": pa.array(_WHOLE[0] + np.arange(n), pa.timestamp("s"))}
    value = arrow_stream(table | {"current": still, "voltage": still, "soc": still}, compression="zstd")
    assert len(value) < 32 * n / 20
    batch = decode(value)
    assert not batch.rejects
    assert len(batch) == n
