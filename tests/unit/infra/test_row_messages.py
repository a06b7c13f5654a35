"""Rows of files and of posted bodies to messages."""

from __future__ import annotations

import io
import json
import math
import uuid
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.asset import AssetSpec
from schemas.file import FileSpec
from stream_app.infra.files import Block
from stream_app.infra.files.block import owners_of
from stream_app.infra.row_messages import MAX_UPLOAD_ASSETS, Form, RowMessages, encode
from stream_app.usecases.errors import InvalidError
from stream_app.usecases.ports import PostedKind, RowMessage
from stream_app.wire.batch import Batch, Fetch
from stream_app.wire.decode import Decoder
from stream_app.wire.decode.timestamps import parse_timestamps

STAMP = "2022-04-13T00:00:02Z"
ROW: dict[str, Any] = {"asset_id": "a", "timestamp": STAMP, "current": -40.0, "voltage": 890.5, "soc": 51.0}


def block(n: int, asset_ids: list[str] | None = None, **columns: list[float]) -> Block:
    """Rows a second apart, their number as current."""
    readings = {"current": [float(i) for i in range(n)], "voltage": [800.0] * n, "soc": [50.0] * n, **columns}
    stamps = [f"4/13/2022 0:00:{i:02}" for i in range(n)]
    time_us, _ = parse_timestamps(stamps)
    owners = None if asset_ids is None else owners_of(asset_ids)
    return Block(stamps, time_us, {name: np.array(values) for name, values in readings.items()}, owners)


def decode(messages: list[tuple[str, RowMessage]]) -> Batch:
    """What the codec makes of messages."""
    n = len(messages)
    keys, values = [name.encode() for name, _ in messages], [message.value for _, message in messages]
    return Decoder().decode(Fetch("measurements", 0, 0, n, range(n), keys, values, [0] * n, [()] * n))


@pytest.mark.parametrize(("form", "messages"), [("rows", 3), ("columns", 1), ("arrow", 1)])
def test_block_reads_back(form: Form, messages: int) -> None:
    """Each form carries every row, stamp and reading; what is not measured arrives as not measured."""
    rows = block(3, power=[math.nan, 2.5, 1e-300])
    encoded = list(encode(rows, "a", form))
    assert len(encoded) == messages
    assert sum(message.rows for _, message in encoded) == 3
    batch = decode(encoded)
    assert not batch.rejects
    assert np.diff(batch.time_us).tolist() == [1_000_000, 1_000_000]
    np.testing.assert_array_equal(batch.columns["current_a"], [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(batch.columns["power_w"], [math.nan, 2.5, 1e-300])


@pytest.mark.parametrize("form", ["rows", "columns", "arrow"])
def test_asset_column_decides_the_key(form: Form) -> None:
    """Without a given asset each row goes to its own, in its order; a given asset takes all rows."""
    rows = block(4, ["b", "a", "b", "a"])
    batch = decode(list(encode(rows, None, form)))
    assert not batch.rejects
    by_asset: dict[str, list[float]] = {}
    for code, current in zip(batch.asset.tolist(), batch.columns["current_a"].tolist(), strict=True):
        by_asset.setdefault(batch.assets[code], []).append(current)
    assert by_asset == {"a": [1.0, 3.0], "b": [0.0, 2.0]}
    assert {name for name, _ in encode(rows, "z", form)} == {"z"}


def test_single_rows_keep_the_order_of_the_file() -> None:
    """A feed of single rows interleaves assets as the file does."""
    assert [name for name, _ in encode(block(3, ["b", "a", "b"]), None, "rows")] == ["b", "a", "b"]


def test_rows_of_nobody() -> None:
    """Rows without an asset cannot be sent."""
    with pytest.raises(InvalidError, match="name the asset of the rows"):
        encode(block(1), None, "rows")


@given(st.lists(st.one_of(st.just(math.nan), st.floats(-1e6, 1e6)), min_size=1, max_size=20))
def test_numbers_arrive_exactly(readings: list[float]) -> None:
    """Every double keeps its value on the way, in each form."""
    rows = block(len(readings), current=readings)
    forms: tuple[Form, ...] = ("rows", "columns", "arrow")
    for form in forms:
        batch = decode(list(encode(rows, "a", form)))
        np.testing.assert_array_equal(batch.columns["current_a"], readings)


def test_csv_is_one_assets() -> None:
    """An upload's rows belong to the upload, whatever its asset column says; a thousand rows a message."""
    text = "asset_id,timestamp,current,voltage,soc\n" + f"x,{STAMP},1,2,3\n" * 1500
    file = RowMessages().check(io.BytesIO(text.encode()), FileSpec())
    assert file.rows == 1500
    messages = list(file.messages(["upload-1"]))
    assert [message.rows for _, message in messages] == [1000, 500]
    batch = decode(messages)
    assert {batch.assets[number] for number in batch.asset.tolist()} == {"upload-1"}
    assert len(batch) == 1500


def test_csv_of_several_assets() -> None:
    """Each asset's rows go to the upload that is given for it."""
    text = "asset_id,timestamp,current,voltage,soc\n" + "".join(f"{name},{STAMP},1,2,3\n" for name in "xyx")
    file = RowMessages().check(io.BytesIO(text.encode()), FileSpec())
    assert file.assets == ["x", "y"]
    assert [(name, message.rows) for name, message in file.messages(["u-1", "u-2"])] == [("u-1", 2), ("u-2", 1)]


def test_csv_of_too_many_assets_is_refused() -> None:
    """The message says what to do instead."""
    lines = "".join(f"{number},{STAMP},1,2,3\n" for number in range(MAX_UPLOAD_ASSETS + 1))
    text = f"asset_id,timestamp,current,voltage,soc\n{lines}"
    with pytest.raises(InvalidError, match="stream-app produce"):
        RowMessages().check(io.BytesIO(text.encode()), FileSpec())


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"rows": rows}])
def test_posted_rows(wrap: Any) -> None:
    """Posted rows of several assets become messages by asset, in order."""
    rows = [ROW, {**ROW, "asset_id": "b", "soc": None}, {**ROW, "soc": 52, "t_min": 20, "unknown": 1}]
    by_asset = RowMessages().posted(json.dumps(wrap(rows)).encode())
    assert {name: [message.rows for message in messages] for name, messages in by_asset.items()} == {"a": [2], "b": [1]}
    batch = decode([(name, message) for name, messages in by_asset.items() for message in messages])
    assert not batch.rejects
    np.testing.assert_array_equal(batch.columns["soc_percent"], [51.0, 52.0, math.nan])
    np.testing.assert_array_equal(batch.columns["t_min_c"], [math.nan, 20.0, math.nan])


def test_many_posted_rows_are_split() -> None:
    """At most a thousand rows a message."""
    messages = RowMessages().posted(json.dumps([ROW] * 1001).encode())["a"]
    assert [message.rows for message in messages] == [1000, 1]


@pytest.mark.parametrize(
    ("body", "code", "detail"),
    [
        (b"", "bad_json", "not valid JSON"),
        (b"\xff", "bad_json", "not valid UTF-8"),
        (b"5", "bad_body", "the body must be an array of rows"),
        (b"{}", "bad_body", "the body must be an array of rows"),
        (b'{"rows":{}}', "bad_body", "the body must be an array of rows"),
        (b"[]", "no_rows", "the body holds no rows"),
        (b"[5]", "bad_row", "row 0: a row must be a JSON object"),
    ],
)
def test_bad_bodies(body: bytes, code: str, detail: str) -> None:
    """A body that holds no rows says what it must be."""
    with pytest.raises(InvalidError, match=detail) as caught:
        RowMessages().posted(body)
    assert caught.value.code == code


def test_bad_posted_rows_are_told_together() -> None:
    """Every bad row is listed with its index and column, up to twenty; none of the rows is taken."""
    rows = [ROW, {**ROW, "soc": 500}, {**ROW, "timestamp": "?"}] + [{**ROW, "voltage": "x"}] * 50
    with pytest.raises(InvalidError) as caught:
        RowMessages().posted(json.dumps(rows).encode())
    error = caught.value
    assert (error.code, error.row, error.column) == ("out_of_range", 1, "soc")
    assert error.detail.endswith("nothing was stored")
    assert len(error.errors) == 20
    assert [(row, column) for row, column, _ in error.errors[:3]] == [(1, "soc"), (2, "timestamp"), (3, "voltage")]


@pytest.mark.parametrize(
    ("name", "code"),
    [("upload-0c9f7f0e-8f0b-4c1c-9d55-1b8d5d0d5c0f", "reserved_asset"), (".", "bad_row"), ("..", "bad_row")],
)
def test_rows_of_an_upload_and_of_ids_that_no_url_keeps_are_not_posted(name: str, code: str) -> None:
    """With their reason."""
    with pytest.raises(InvalidError, match=r"asset_id|upload") as error:
        RowMessages().posted(json.dumps([ROW, {**ROW, "asset_id": name}]).encode())
    assert (error.value.code, error.value.row) == (code, 1)


LINES = "\n".join(json.dumps({**ROW, "asset_id": name, "current": float(i)}) for i, name in enumerate("aab"))
COLUMNS = {
    "asset_id": "a",
    "timestamp": [STAMP, 1649808004],
    "current": [0.0, 1.0],
    "voltage": [8, None],
    "soc": [5, 5.5],
}
CSV = """asset_id,timestamp,current,voltage,soc
a,2022-04-13T00:00:04Z,1,8,5
b,2022-04-13T00:00:02Z,2,8,5
a,2022-04-13T00:00:02Z,0,,5
"""


def currents(by_asset: Any) -> dict[str, list[float]]:
    """Currents of posted rows by asset, as the decoder reads them."""
    found = {}
    for name, messages in by_asset.items():
        batch = decode([(name, message) for message in messages])
        assert not batch.rejects
        assert sum(message.rows for message in messages) == len(batch.time_us)
        found[name] = batch.columns["current_a"].tolist()
    return found


def test_posted_lines_columns_and_tables_are_rows() -> None:
    """A row of JSON in each line; an asset's columns; a file, whose rows come in time order."""
    read = RowMessages().posted
    assert currents(read(LINES.encode(), "lines")) == {"a": [0.0, 1.0], "b": [2.0]}
    assert currents(read(LINES.replace("\n", "\r\n\r\n").encode() + b"\n", "lines")) == {"a": [0.0, 1.0], "b": [2.0]}
    assert currents(read(json.dumps(COLUMNS).encode())) == {"a": [0.0, 1.0]}
    assert currents(read(CSV.encode(), "table")) == {"a": [0.0, 1.0], "b": [2.0]}
    nameless = "".join(line.partition(",")[2] for line in CSV.splitlines(keepends=True)).encode()
    assert currents(read(nameless, "table", "c")) == {"c": [0.0, 2.0, 1.0]}  # the newest row comes first
    table = pa.table({"timestamp": [1649808002, 1649808004], "current": [0, 1], "voltage": [8.0, None], "soc": [5, 6]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    assert currents(read(sink.getvalue().to_pybytes(), "table", "c")) == {"c": [0.0, 1.0]}


FOREIGN = {"time": STAMP, "Current (mA)": 1000, "Spannung [V]": 8}
POWERWALL = "timestamp,solar_power,battery_power,grid_services_power\n2022-04-13T00:00:02Z,10,800,0\n"


def spec_of(asset_id: str) -> AssetSpec:
    """The asset f has a profile, p another one, and s says its sign."""
    said: dict[str, Any] = {"f": {"profile": "none"}, "s": {"current_sign": "discharge_positive"}}
    return AssetSpec.model_validate(said.get(asset_id, {}))


def test_posted_rows_are_read_by_the_profile_of_their_asset() -> None:
    """Rows, lines and columns; beside rows with our names."""
    read = partial(RowMessages().posted, spec_of=spec_of)
    rows = [{"asset_id": "f", **FOREIGN}, ROW, {**ROW, "asset_id": "f", "current": 3.0}]
    expected = {"f": [1.0, 3.0], "a": [float(ROW["current"])]}
    assert currents(read(json.dumps(rows).encode())) == expected
    assert currents(read("\n".join(map(json.dumps, rows)).encode(), "lines")) == expected
    columns = {name: [value] for name, value in FOREIGN.items()}
    assert currents(read(json.dumps({"asset_id": "f", **columns}).encode())) == {"f": [1.0]}
    columns["timestamp"] = columns.pop("time")
    assert currents(read(json.dumps({"asset_id": "f", **columns}).encode())) == {"f": [1.0]}


@pytest.mark.parametrize(
    ("asset_id", "body", "reason"),
    [
        ("a", [{"asset_id": "a", **FOREIGN}], "timestamp is missing"),
        ("a", {"asset_id": "a", "time": [STAMP], "I": [1]}, "the body must be an array of rows"),
        ("f", [{"asset_id": "f", **FOREIGN, "Current (mA)": "hot"}], r"row 0: Current \(mA\) must be a number"),
        ("f", [{"asset_id": "f", "Current (mA)": 5}], "names no time|header has no column"),
        ("", [{"asset_id": "\ud800", **FOREIGN}], "asset_id"),
    ],
)
def test_posted_rows_that_no_profile_reads_are_refused(asset_id: str, body: Any, reason: str) -> None:
    """As ever where the spec names none; else with the reason, by the row's own title."""
    with pytest.raises(InvalidError, match=reason):
        RowMessages().posted(json.dumps(body).encode(), spec_of=spec_of)


def test_the_sign_of_the_spec_stands_above_the_profile_of_a_posted_table() -> None:
    """It is applied to the rows later, and not twice."""
    read = partial(RowMessages().posted, POWERWALL.encode(), "table", spec_of=spec_of)
    for asset_id, power_w in (("a", -800), ("s", 800)):
        (message,) = read(asset_id)[asset_id]
        assert decode([(asset_id, message)]).columns["power_w"].tolist() == [power_w]


@pytest.mark.parametrize(
    ("body", "kind", "asset_id", "code", "row"),
    [
        (LINES + "\n{", "lines", None, "bad_json", 3),
        (LINES + "\n[]", "lines", None, "bad_row", 3),
        ("\n", "lines", None, "no_rows", None),
        (json.dumps(COLUMNS | {"soc": [5]}), "json", None, "bad_row", None),
        (json.dumps(COLUMNS | {"soc": [5, "x"]}), "json", None, "bad_row", 1),
        (json.dumps(COLUMNS | {"asset_id": None}), "json", None, "bad_row", None),
        (json.dumps(COLUMNS | {"timestamp": []}), "json", None, "bad_row", None),
        (CSV + "b,2022-04-13T00:00:06Z,x,8,5\n", "table", None, "bad_number", 4),
        (CSV, "table", "a", "bad_request_field", None),
        (CSV.replace("asset_id", "note"), "table", None, "no_asset", None),
        (CSV.replace("b,", f"upload-{uuid.uuid4()},"), "table", None, "reserved_asset", None),
        ("x" * 99, "table", "c", "missing_column", 0),
    ],
)
def test_posted_rows_of_which_one_is_wrong_are_all_refused(
    body: str, kind: PostedKind, asset_id: str | None, code: str, row: int | None
) -> None:
    """In whatever form; the row is named where one is at fault."""
    with pytest.raises(InvalidError) as caught:
        RowMessages().posted(body.encode(), kind, asset_id)
    assert (caught.value.code, caught.value.row) == (code, row)
