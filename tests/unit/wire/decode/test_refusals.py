"""What is not applied, and what is said of it."""

from __future__ import annotations

import json
import math

import pytest

from stream_app.wire.batch import Reject
from stream_app.wire.decode import explain
from tests.messages import BATCH, ROW, STAMP, decode, dump, row, without


@pytest.mark.parametrize(
    ("value", "code", "reason"),
    [
        (None, "empty_message", "the message is empty"),
        (b"", "empty_message", "the message is empty"),
        (b" \n\t", "empty_message", "the message is empty"),
        (b"[]", "empty_message", "holds no rows"),
        (
            dump({**BATCH, **{name: [] for name in ("timestamp", "current", "voltage", "soc")}}),
            "empty_message",
            "no rows",
        ),
        (b"{", "bad_json", "not valid JSON at character 1 (Expecting property name"),
        (b"\x00\x01\x02", "bad_json", "not valid JSON"),
        (row()[:-1], "bad_json", "not valid JSON"),
        (row() + row(), "bad_json", "Extra data"),
        (row() + b"\n" + row(), "bad_json", "Extra data"),
        (b"\xef\xbb\xbf" + row(), "bad_json", "BOM"),
        (json.dumps(ROW).encode("utf-16"), "bad_json", "is not valid UTF-8"),
        (row(timestamp="\xff").replace(b"\\u00ff", b"\xff"), "bad_json", "is not valid UTF-8"),
        (b"[" * 100_000, "bad_json", "nested too deeply"),
        (row(current="x")[:-1] + b',"x":' + b"9" * 5000 + b"}", "bad_json", "a number has thousands of digits"),
        (b"5", "bad_row", "must be a JSON object"),
        (b'"text"', "bad_row", "must be a JSON object"),
        (without("soc"), "bad_row", "soc is missing: send it, or null if it was not measured"),
        (without("timestamp"), "bad_row", "timestamp is missing: send it"),
        (without("asset_id"), "bad_row", "asset_id is missing: send it"),
        (row(voltage="890"), "bad_row", "voltage must be a number or null, not the text '890'"),
        (row(voltage=True), "bad_row", "voltage must be a number or null, not true"),
        (row(voltage=[1]), "bad_row", "voltage must be a number or null, not a list"),
        (row(power="1", t_min={}), "bad_row", "power must be a number or null, not the text '1'; t_min must be"),
        (row(current=math.nan), "bad_row", "current is not a finite number: send null if it was not measured"),
        (row(current=-math.inf), "bad_row", "current is not a finite number"),
        (row().replace(b"-40.0", b"1e999"), "bad_row", "current is not a finite number"),
        (row(asset_id=7), "bad_row", "asset_id is 7"),
        (row(asset_id="a/b"), "bad_row", "asset_id is the text 'a/b'"),
        (row(asset_id="\ud800"), "bad_row", "asset_id is"),
        (row(timestamp=None), "bad_timestamp", "timestamp must be text or a number, not null"),
        (row(timestamp=True), "bad_timestamp", "timestamp must be text or a number, not true"),
        (
            row(timestamp="soon"),
            "bad_timestamp",
            "timestamp 'soon' is not a date or time in a known format; send ISO 8601",
        ),
        (row(timestamp=12), "bad_timestamp", "timestamp 12 is not an epoch time after 2001; send ISO"),
        (row(timestamp=10**30), "bad_timestamp", "beyond 1e20"),
        (row(soc=120.5), "out_of_range", "soc is 120.5, outside -10 to 120 %: check the unit"),
        (row(cell_v_min=3300), "out_of_range", "cell_v_min is 3300, outside -100 to 100 V"),
        (row(current=10**400), "bad_row", "current"),
        (row(asset_id="b"), "key_mismatch", "the row belongs to asset 'b', but the key names 'a'"),
        (row(timestamp="x" * 10_000_000), "bad_timestamp", "…"),
        (row(voltage="x" * 10_000_000), "bad_row", "…"),
        (
            dump({"control": "forget", "asset_id": "b"}),
            "key_mismatch",
            "the control record belongs to asset 'b', but the key names 'a'",
        ),
        (dump({"control": "explode", "asset_id": "a"}), "bad_control", "'forget'"),
        (dump({"control": "x" * 10_000_000, "asset_id": "a"}), "bad_control", "the control record is not valid"),
        (
            dump({"control": "asset_spec", "asset_id": "a", "spec": {"nominal_capacity_ah": -1}}),
            "bad_control",
            "asset_spec.spec.nominal_capacity_ah: Input should be greater than 0",
        ),
        (b"\x1c\x1f", "bad_json", "not valid JSON at character 0"),
        ("\u2003\u00a0".encode(), "bad_json", "not valid JSON at character 0"),
        (
            dump({"control": "close_until", "asset_id": "a", "until_us": 1 << 62}),
            "bad_control",
            "close_until.until_us: Input should be less than 7258118400000000",
        ),
        (
            dump({"control": "close_until", "asset_id": "a", "until_us": 7}),
            "bad_control",
            "close_until.until_us: Input should be greater than or equal to 631152000000000",
        ),
        (
            dump({"control": "end_of_upload", "asset_id": "a", "rows": 1, "error": "e" * 10_000_000}),
            "bad_control",
            "end_of_upload.error: String should have at most 2000 characters",
        ),
        (
            dump({"control": "end_of_upload", "asset_id": "a", "rows": 1, "error": "\ud800"}),
            "bad_control",
            "end_of_upload.error: Input should be a valid string",
        ),
        (
            dump({"control": "end_of_upload", "asset_id": "a", "rows": 10**40}),
            "bad_control",
            "end_of_upload.rows: Input should be less than",
        ),
        (dump({**BATCH, "soc": [1]}), "bad_row", "column soc has 1 values, timestamp has 2"),
        (
            dump({**BATCH, "soc": 50}),
            "bad_row",
            "column soc of a columnar batch must be a list, as timestamp is; it is 50",
        ),
        (dump({**BATCH, "soc": None}), "bad_row", "it is null"),
        (dump({k: v for k, v in BATCH.items() if k != "soc"}), "bad_row", "it is missing"),
        (dump({**BATCH, "power": "5"}), "bad_row", "column power of a columnar batch must be a list"),
        (dump({**BATCH, "asset_id": "b"}), "key_mismatch", "the batch's asset_id is the text 'b'"),
        (dump({**BATCH, "asset_id": None}), "bad_row", "the batch's asset_id is null"),
    ],
)
def test_refused_messages(value: bytes | None, code: str, reason: str) -> None:
    """A message that cannot be applied is rejected as a whole, says why, and leaves its neighbours alone."""
    batch = decode(row(), value, row(soc=52))
    (reject,) = batch.rejects
    assert (reject.message, reject.rows, reject.code) == (1, None, code)
    assert reason in reject.reason
    assert len(reject.reason) <= 600
    assert batch.message.tolist() == [0, 2]
    assert batch.columns["soc_percent"].tolist() == [51.0, 52.0]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (None, "the message has no key"),
        (b"", "the key b'' is not an asset id"),
        (b"\xff", "is not an asset id"),
        (b"a b", "is not an asset id"),
        (b"\x00position", "is not an asset id"),
        (b"x" * 201, "is not an asset id"),
    ],
)
def test_refused_keys(key: bytes | None, reason: str) -> None:
    """A key that is not an asset id makes every kind of message a key mismatch, even where the row repeats it."""
    same = row(asset_id=key.decode("latin-1")) if key is not None else row()
    for value in (row(), same, dump([ROW]), dump(BATCH), dump({"control": "forget", "asset_id": "a"})):
        (reject,) = decode(value, key=key).rejects
        assert (reject.rows, reject.code) == (None, "key_mismatch")
        assert reason in reject.reason


def test_rows_within_a_list_are_rejected_alone() -> None:
    """A bad row within a list is rejected by its position; one reject per reason code."""
    bad = [
        ROW,
        {**ROW, "soc": "x"},
        {**ROW, "asset_id": "b"},
        {**ROW, "soc": 500},
        {**ROW, "timestamp": "?"},
        7,
        {**ROW, "control": "forget"},
        {**ROW, "soc": 52},
    ]
    batch = decode(dump(bad), dump([ROW, {**ROW, "soc": 501}, {**ROW, "soc": 502}]))
    assert batch.row.tolist() == [0, 7, 0]
    assert batch.message.tolist() == [0, 0, 1]
    assert [(r.message, r.rows, r.code) for r in batch.rejects] == [
        (0, (1, 5, 6), "bad_row"),
        (0, (4,), "bad_timestamp"),
        (0, (2,), "key_mismatch"),
        (0, (3,), "out_of_range"),
        (1, (1, 2), "out_of_range"),
    ]
    assert batch.rejects[4].reason.endswith("(first of 2 rows)")


def test_rows_within_a_columnar_batch_are_rejected_alone() -> None:
    """A bad value within a columnar batch rejects its row only."""
    content = {
        "asset_id": "a",
        "timestamp": [STAMP, 1_649_808_003, None, "never", STAMP],
        "current": [1, "x", 3, 4, math.nan],
        "voltage": [1, 2, 3, 4, 5],
        "soc": [1, 2, 3, 4, 5],
        "power": None,
    }
    batch = decode(dump(content), dump({**BATCH, "soc": [500, 51]}))
    assert batch.row.tolist() == [0, 1]
    assert [(r.message, r.rows, r.code) for r in batch.rejects] == [
        (0, (1, 4), "bad_row"),
        (0, (2, 3), "bad_timestamp"),
        (1, (0,), "out_of_range"),
    ]


def test_a_failing_decoder_rejects_its_message_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the slow path itself fail, the message goes to the dead letters as unexpected."""

    def fail(*_: object) -> explain.Reading:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(explain, "read", fail)
    batch = decode(row(), b"?", row())
    assert batch.rejects == [
        Reject(
            1,
            None,
            "unexpected",
            "the message could not be decoded (ZeroDivisionError: boom); please report this as a bug",
        )
    ]
    assert batch.message.tolist() == [0, 2]
