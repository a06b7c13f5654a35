"""What other tools write is refused with its name and its cure, and no sound row is taken for it."""

from __future__ import annotations

import bz2
import gzip
import json
import zlib

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.wire.batch import Fetch
from stream_app.wire.decode import Decoder

ROW = {"asset_id": "x", "timestamp": 1_772_323_200, "current": 10.0, "voltage": 800.0, "soc": 50.0}
TEXT = json.dumps(ROW).encode()


def reasons(value: bytes | None, key: bytes | None = b"x") -> list[str]:
    fetch = Fetch("t", 0, 0, 1, [0], [key], [value], [0], [()])
    return [reject.reason for reject in Decoder().decode(fetch).rejects]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Schema Registry", b"\0\0\0\0\x2a" + TEXT),
        ("Schema Registry", b"\0\0\0\0\x2a\x02x\xc0\x80"),
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("zstd", bytes(cramjam.zstd.compress(TEXT))),
        ("lz4", bytes(cramjam.lz4.compress(TEXT))),
        ("snappy", bytes(cramjam.snappy.compress(TEXT))),
        ("zlib", zlib.compress(TEXT)),
        ("bzip2", bz2.compress(TEXT)),
        ("one row a line", TEXT + b"\n" + TEXT),
        ("one row a line", TEXT + b"\r\n" + TEXT + b"\r\n"),
        ("BOM", b"\xef\xbb\xbf" + TEXT),
        ("UTF-16", TEXT.decode().encode("utf-16")),
        ("UTF-16", TEXT.decode().encode("utf-16-le")),
        ("UTF-16", TEXT.decode().encode("utf-16-be")),
        ("Avro container", b"Obj\x01\x04\x14avro.codec"),
        ("Parquet", b"PAR1\x15\x04"),
        ("MessagePack", b"\x85\xa8asset_id\xa1x\xcb\xc0"),
        ("CBOR", b"\xa5\x68asset_id\x61x\xfb\xc0"),
        ("Protobuf", b"\x0a\x01x\x11\x00\x00\x80\xff\xff\xff\xf0\x3f"),
        ("XML", b"<row asset_id='x'/>"),
        ("CSV", b"x,2026-03-01T00:00:00Z,10,800,50"),
        ("line protocol", b"battery,asset_id=x current=10,voltage=800 1772323200000000000"),
        ("single quotes", str(ROW).encode()),
        ("encoded twice", json.dumps(TEXT.decode()).encode()),
        ("payload", json.dumps({"schema": {}, "payload": ROW}).encode()),
        ("payload", json.dumps({"payload": ROW}).encode()),
        ("fields", json.dumps({"name": "b", "tags": {}, "fields": ROW, "timestamp": 1}).encode()),
        ("fields", json.dumps([{"name": "b", "tags": {}, "fields": ROW, "timestamp": 1}]).encode()),
        ("CloudEvents", json.dumps({"specversion": "1.0", "id": "1", "data": ROW}).encode()),
        ("Debezium", json.dumps({"before": None, "after": ROW, "op": "c"}).encode()),
        ("Debezium", json.dumps({"schema": {}, "payload": {"before": None, "after": ROW, "op": "c"}}).encode()),
        ("records", json.dumps({"records": [ROW]}).encode()),
        ("timestamp must", json.dumps(ROW | {"timestamp": [2026, 3, 1, 0, 0]}).encode()),
        ("timestamp must", json.dumps([ROW | {"timestamp": [2026, 3, 1, 0, 0]}]).encode()),
        ("current is not a finite number", json.dumps(ROW | {"current": float("nan")}).encode()),
        ("current is not a finite number", json.dumps(ROW | {"current": float("inf")}).encode()),
    ],
)
def test_a_foreign_form_is_named(name: str, value: bytes) -> None:
    """With what to send instead."""
    (reason,) = reasons(value)
    assert name in reason
    assert "send" in reason or ": " in reason


@pytest.mark.parametrize(
    ("name", "key"),
    [("quoted", b'"x"'), ("Schema Registry", b"\0\0\0\0\x01x"), ("Schema Registry", b"\0\0\0\0\x01\x02x")],
)
@pytest.mark.parametrize("value", [TEXT, b"[" + TEXT + b"]"])
def test_a_foreign_form_of_a_key_is_named(name: str, key: bytes, value: bytes) -> None:
    """The serializer of the key is chosen apart from that of the value."""
    (reason,) = reasons(value, key)
    assert name in reason


@given(st.binary(max_size=60), st.sampled_from([b"x", b'"x"', None, b"\0\0\0\0\1x"]))
def test_whatever_comes_is_a_row_or_has_a_reason(value: bytes, key: bytes | None) -> None:
    """Never an exception, nor a defect's reason."""
    assert all(reason and "report" not in reason for reason in reasons(value, key))


@pytest.mark.parametrize("more", ["payload", "fields", "data", "schema", "specversion", "op", "after"])
def test_a_row_with_a_column_of_an_envelope_s_name_is_a_row(more: str) -> None:
    """What is not known is left aside."""
    row = ROW | {more: {"a": 1}}
    assert reasons(json.dumps(row).encode()) == []
    assert reasons(json.dumps([row]).encode()) == []
    (reason,) = reasons(json.dumps(row | {"soc": "high"}).encode())
    assert reason.startswith("soc must be a number")
