"""Raw messages to columns."""

from __future__ import annotations

import math

import numpy as np
import orjson
import pytest

from schemas.columns import BY_WIRE_NAME, REQUIRED
from schemas.control import AnyControl, CloseUntil, EndOfUpload, Forget, SpecControl
from stream_app.wire.batch import ControlRecord
from stream_app.wire.decode import Decoder, explain
from tests.messages import BATCH, ROW, STAMP_US, decode, dump, fetch, row


def test_single_rows_become_columns() -> None:
    """Rows come out in order, each with its offset, message, stamp and readings; assets are numbered."""
    batch = Decoder().decode(
        fetch((b"a", row()), (b"b", row(asset_id="b", timestamp=1_649_808_003, current=None)), (b"a", row(soc=52)))
    )
    assert [batch.assets[code] for code in batch.asset] == ["a", "b", "a"]
    assert batch.offset.tolist() == [100, 102, 104]
    assert batch.message.tolist() == [0, 1, 2]
    assert batch.row.tolist() == [0, 0, 0]
    assert batch.time_us.tolist() == [STAMP_US, STAMP_US + 1_000_000, STAMP_US]
    assert set(batch.columns) == {"current_a", "voltage_v", "soc_percent"}
    np.testing.assert_array_equal(batch.columns["current_a"], [-40.0, math.nan, -40.0])
    np.testing.assert_array_equal(batch.columns["soc_percent"], [51.0, 51.0, 52.0])
    assert not batch.rejects
    assert not batch.controls


def test_all_message_kinds_in_one_fetch() -> None:
    """Single rows, lists of rows, columnar batches and controls keep their order and their positions."""
    values = [
        row(),
        dump([ROW, {**ROW, "power": 5.5}, ROW]),
        dump({"control": "end_of_upload", "asset_id": "a", "rows": 7}),
        dump({**BATCH, "t_max": [30.5, None]}),
        row(),
    ]
    batch = decode(*values)
    assert batch.message.tolist() == [0, 1, 1, 1, 3, 3, 4]
    assert batch.row.tolist() == [0, 0, 1, 2, 0, 1, 0]
    assert batch.offset.tolist() == [100, 102, 102, 102, 106, 106, 108]
    nan = math.nan
    np.testing.assert_array_equal(batch.columns["power_w"], [nan, nan, 5.5, nan, nan, nan, nan])
    np.testing.assert_array_equal(batch.columns["t_max_c"], [nan, nan, nan, nan, 30.5, nan, nan])
    np.testing.assert_array_equal(batch.columns["voltage_v"], [890.5, 890.5, 890.5, 890.5, 3.5, nan, 890.5])
    (control,) = batch.controls
    assert control == ControlRecord(2, 104, 2, EndOfUpload(asset_id="a", rows=7))


def test_optional_columns_are_named_with_units() -> None:
    """Each column of the wire has its own column; null is "not measured"; what is not ours is ignored."""
    readings = {name: index + 1.5 for index, name in enumerate(BY_WIRE_NAME)}
    batch = decode(row(**readings, status="ok", nested={"a": [1]}), row(**dict.fromkeys(REQUIRED), power=None))
    assert {BY_WIRE_NAME[name].name: reading for name, reading in readings.items()} == {
        name: column[0] for name, column in batch.columns.items()
    }
    assert all(math.isnan(column[1]) for column in batch.columns.values())


@pytest.mark.parametrize(
    ("content", "control"),
    [
        (
            {"control": "asset_spec", "asset_id": "a", "spec": {"nominal_capacity_ah": 94, "windows": ["1h", "1d"]}},
            SpecControl.model_validate(
                {"asset_id": "a", "spec": {"nominal_capacity_ah": 94.0, "windows": ("1h", "1d")}},
            ),
        ),
        ({"control": "end_of_upload", "asset_id": "a", "rows": 3, "new": 1}, EndOfUpload(asset_id="a", rows=3)),
        ({"control": "forget", "asset_id": "a"}, Forget(asset_id="a")),
        ({**ROW, "control": "forget"}, Forget(asset_id="a")),
        (
            {"control": "close_until", "asset_id": "a", "until_us": STAMP_US},
            CloseUntil(asset_id="a", until_us=STAMP_US),
        ),
    ],
)
def test_control_records(content: dict[str, object], control: AnyControl) -> None:
    """An object with a control is a control record, whatever else it holds."""
    batch = decode(dump(content))
    assert [record.control for record in batch.controls] == [control]
    assert len(batch) == 0
    assert not batch.rejects


def test_asset_ids_may_be_any_script() -> None:
    """The key is the asset id's UTF-8."""
    batch = decode(row(asset_id="Speicher-Süd"), key="Speicher-Süd".encode())
    assert [batch.assets[code] for code in batch.asset] == ["Speicher-Süd"]


def test_rejected_messages_name_no_asset() -> None:
    """An asset of which nothing was accepted has no row."""
    batch = Decoder().decode(fetch((b"ghost", row()), (b"b", row(asset_id="b")), (b"c", row(asset_id="c", soc=1e6))))
    assert [batch.assets[code] for code in batch.asset] == ["b"]


def test_last_of_repeated_names_counts() -> None:
    """A name that an object repeats keeps its last value, fast path or slow."""
    value = row()[:-1] + b',"soc":7}'
    assert decode(value).columns["soc_percent"].tolist() == [7.0]
    assert decode(value[:-1] + b',"x":NaN}').columns["soc_percent"].tolist() == [7.0]


def test_empty_fetch() -> None:
    """A fetch without messages gives no rows."""
    batch = decode()
    assert len(batch) == 0


def test_fast_path_takes_what_is_right() -> None:
    """Right messages of every data kind never see the slow path."""
    values = [row(), row(power=1.5, extra="x"), dump([ROW, ROW]), dump(BATCH), orjson.dumps(BATCH)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explain, "read", lambda *_: pytest.fail("slow path"))
        assert len(decode(*values)) == 8
