"""Records that a seed draws: the fleet's good rows, and what every other program might write between them."""

from __future__ import annotations

import gzip
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from tests.chaos.traffic import START_S, fleet
from tests.fuzz.batches import FuzzRecord

ASSETS = 50
#: Keys of records that may be valid by chance.
STRANGERS = tuple(b"stranger-%02d" % number for number in range(40))
_GOOD = 0.6  # share of the fleet's messages
_LARGE = 0.002  # share of records of megabytes among the others
_HOUR_MS = 3_600_000
_NUMBERS = (
    "NaN",
    "-Infinity",
    "1e400",
    "9" * 400,
    "true",
    '"5"',
    "[]",
    "{}",
    "1e7",
    "-1e999999999",
    "0x10",
    "٣",
    "1_0",
)
_STAMPS = ('""', "0", "-1", "1e300", "[2026,3,1,0,0]", '"2026-13-01T00:00:00Z"', '"9999-12-31T23:59:59Z"', "1" * 30)
_ODD_KEYS = (None, b"", b" ", b"a b", b"a/b", b"\xff\xfe", b"\xed\xa0\x80", b'"bess-001"', b"x" * 201, b"\x00", b"\n")
_ODD_NAMES = (b"", b"\xff\xfe", b"traceparent", b"__stream_app.errors.code", b"\xed\xa0\x80", b"n" * 300)

_Value = Callable[[random.Random, str], bytes | None]


def records(seed: int, count: int) -> Iterator[FuzzRecord]:
    """About ``count`` records, the same for the same seed but for their Kafka times; the fleet's are in order."""
    dice = random.Random(seed)
    good = iter(fleet(seed, 2 * count, ASSETS))
    for _ in range(count):
        if dice.random() < _GOOD:
            message = next(good)
            record = FuzzRecord(message.key, message.value, "fleet", good=True, time_ms=_now_ms())
        else:
            record = _other(dice)
            record = replace(record, time_ms=_time_ms(dice), attributes=dice.choice((0, 0, 0, 1, 0x7F)))
        yield replace(record, headers=_headers(dice))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _time_ms(dice: random.Random) -> int:
    return dice.choice((-1, 0, 1, _now_ms(), _now_ms() - 365 * 24 * _HOUR_MS, _now_ms() + _HOUR_MS // 2, 1 << 41))


def _headers(dice: random.Random) -> list[tuple[bytes, bytes | None]]:
    chance = dice.random()
    if chance < 0.7:
        return []
    count = 3000 if chance > 0.9995 else dice.randint(1, 4)
    return [(dice.choice(_ODD_NAMES), dice.choice((None, b"", b"x", dice.randbytes(9)))) for _ in range(count)]


def _other(dice: random.Random) -> FuzzRecord:
    key = f"bess-{dice.randrange(ASSETS):03d}"
    if dice.random() < _LARGE:
        name, large = dice.choice(_LARGE_VALUES)
        return FuzzRecord(key.encode(), large(dice, key), name, hopeless=True)
    if dice.random() < 0.5:
        name, hopeless = dice.choice(_HOPELESS)
        return FuzzRecord(key.encode(), hopeless(dice, key), name, hopeless=True)
    if dice.random() < 0.2:
        odd = dice.choice((*_ODD_KEYS, b"k" * 1_000_000 if dice.random() < 0.02 else b"\xc3\x28"))
        return FuzzRecord(odd, _text(_row(dice, key)), f"key {odd and odd[:20]!r}", hopeless=True)
    stranger = dice.choice(STRANGERS)
    name, made = dice.choice(_STRANGE)
    return FuzzRecord(stranger, made(dice, stranger.decode()), name)


def _row(dice: random.Random, key: str) -> dict[str, Any]:
    second = dice.randrange(1_000_000)
    return {"asset_id": key, "timestamp": START_S + second, "current": 5.5, "voltage": 800.0, "soc": 50.0}


def _text(content: object) -> bytes:
    return json.dumps(content).encode()


def _columns(dice: random.Random, key: str, n: int) -> dict[str, Any]:
    rows = [_row(dice, key) for _ in range(n)]
    return {"asset_id": key} | {name: [row[name] for row in rows] for name in rows[0] if name != "asset_id"}


def _arrow(dice: random.Random, key: str, n: int = 20, codec: str | None = None) -> bytes:
    second = dice.randrange(1_000_000)
    stamps = [(START_S + second + i) * 1_000_000 for i in range(n)]
    table = {
        "timestamp": pa.array(stamps, pa.timestamp("us", tz="UTC")),
        "current": pa.array([5.0] * n, pa.float32()),
        "voltage": pa.array([800] * n, pa.int16()),
        "soc": pa.array([50.0] * (n - 1) + [None]),
    }
    batch = pa.record_batch(table)
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, batch.schema, options=ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_batch(batch)
    stream: bytes = sink.getvalue().to_pybytes()
    return stream


def _odd_arrow(dice: random.Random, key: str) -> bytes:
    """A sound stream whose columns are of types or names that no row has."""
    column = dice.choice(
        [
            pa.array(["a", None]),
            pa.array([[1], []]),
            pa.array([{"x": 1}, None]),
            pa.array([b"\xff", b""]),
            pa.nulls(2),
            pa.array(["x", "y"]).dictionary_encode(),
        ]
    )
    sink = pa.BufferOutputStream()
    batch = pa.record_batch({dice.choice(("timestamp", "x", "")): column})
    with ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    stream: bytes = sink.getvalue().to_pybytes()
    return stream


def _flipped(dice: random.Random, text: bytes) -> bytes:
    changed = bytearray(text)
    for _ in range(dice.choice((1, 1, 2, 8))):
        changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


def _cut(dice: random.Random, text: bytes) -> bytes:
    return text[: dice.randrange(len(text))]


def _replaced(name: str, texts: tuple[str, ...]) -> _Value:
    """A row with another text for a reading."""

    def make(dice: random.Random, key: str) -> bytes:
        row = _text(_row(dice, key) | {name: "?"})
        return row.replace(b'"?"', dice.choice(texts).encode())

    return make


def _control(dice: random.Random, key: str) -> bytes:
    return _text({"asset_id": key} | dice.choice(_ODD_CONTROLS))


_ODD_CONTROLS: tuple[dict[str, Any], ...] = (
    {"control": "explode"},
    {"control": ["forget"]},
    {"control": 7},
    {"control": {}},
    {"control": "forget", "asset_id": "somebody-else"},
    {"control": "forget", "asset_id": None},
    {"control": "asset_spec"},
    {"control": "asset_spec", "spec": {"nominal_capacity_ah": -1}},
    {"control": "asset_spec", "spec": {"windows": ["1m"] * 2}},
    {"control": "asset_spec", "spec": {"windows": ["7y"]}},
    {"control": "asset_spec", "spec": {"unknown": 1}},
    {"control": "end_of_upload", "rows": -1},
    {"control": "end_of_upload", "rows": 10**40},
    {"control": "end_of_upload", "rows": 1, "error": "e" * 3000},
    {"control": "end_of_upload", "rows": 1, "error": "\ud800"},
    {"control": "close_until", "until_us": 10**40},
    {"control": "close_until", "until_us": -(10**40)},
    {"control": "close_until", "until_us": 1 << 62},
    {"control": "close_until", "until_us": "soon"},
    {"control": "close_until"},
)
_VALID_CONTROLS: tuple[dict[str, Any], ...] = (
    {"control": "asset_spec", "spec": {"nominal_capacity_ah": 1e-300, "sampling_period_s": 1e-300}},
    {"control": "asset_spec", "spec": {"max_gap_s": 1e-300, "soc_scale": "fraction"}},
    {"control": "close_until", "until_us": (START_S + 500_000) * 1_000_000},
)


def _failed(key: str, error: str) -> dict[str, Any]:
    return {"asset_id": key, "control": "end_of_upload", "rows": 1, "error": error}


#: Values of which nothing may count, whichever asset the key names.
_HOPELESS: tuple[tuple[str, _Value], ...] = (
    ("null", lambda dice, key: None),
    ("empty", lambda dice, key: b""),
    ("blank", lambda dice, key: b" \r\n\t"),
    ("empty list", lambda dice, key: b"[]"),
    ("scalar", lambda dice, key: dice.choice((b"null", b"17", b'"text"', b"true", b"[[]]", b"[null]", b"{}"))),
    ("random bytes", lambda dice, key: dice.randbytes(dice.choice((1, 7, 100, 5000)))),
    ("arrow marker and noise", lambda dice, key: b"\xff" * 4 + dice.randbytes(dice.choice((0, 4, 300)))),
    ("arrow cut", lambda dice, key: _arrow(dice, key)[: dice.randrange(4, 300)]),
    ("arrow of odd types", _odd_arrow),
    ("arrow file", lambda dice, key: b"ARROW1\x00\x00" + dice.randbytes(50)),
    ("row cut", lambda dice, key: _text(_row(dice, key))[:-1]),
    ("list cut", lambda dice, key: _cut(dice, _text([_row(dice, key)] * 3))),
    ("columns cut", lambda dice, key: _cut(dice, _text(_columns(dice, key, 9)))),
    ("columns of unequal length", lambda dice, key: _text(_columns(dice, key, 5) | {"soc": [1.0]})),
    ("odd number", _replaced("current", _NUMBERS)),
    ("odd stamp", _replaced("timestamp", _STAMPS)),
    ("somebody else's", lambda dice, key: _text(_row(dice, "somebody-else"))),
    ("without a reading", lambda dice, key: _text({"asset_id": key, "timestamp": START_S, "soc": 5})),
    ("nested", lambda dice, key: b"[" * 100_000),
    ("nested objects", lambda dice, key: b'{"a":' * 5000 + b"1" + b"}" * 5000),
    ("control", _control),
    ("schema registry", lambda dice, key: b"\x00" + dice.randbytes(4) + _text(_row(dice, key))),
    ("gzip", lambda dice, key: gzip.compress(_text(_row(dice, key)))),
    ("lines", lambda dice, key: _text(_row(dice, key)) + b"\n" + _text(_row(dice, key)) + b"\n"),
    ("BOM", lambda dice, key: b"\xef\xbb\xbf" + _text(_row(dice, key))),
    ("Connect", lambda dice, key: _text({"schema": {"type": "struct"}, "payload": _row(dice, key)})),
    ("Telegraf", lambda dice, key: _text({"fields": {"current": 1.0}, "name": key, "tags": {}, "timestamp": START_S})),
)
#: Values that are valid in part or by chance.
_STRANGE: tuple[tuple[str, _Value], ...] = (
    ("row", lambda dice, key: _text(_row(dice, key))),
    ("row flipped", lambda dice, key: _flipped(dice, _text(_row(dice, key)))),
    ("list flipped", lambda dice, key: _flipped(dice, _text([_row(dice, key) for _ in range(5)]))),
    ("columns flipped", lambda dice, key: _flipped(dice, _text(_columns(dice, key, 9)))),
    ("arrow", lambda dice, key: _arrow(dice, key, codec=dice.choice((None, "lz4", "zstd")))),
    ("arrow flipped", lambda dice, key: _flipped(dice, _arrow(dice, key, codec=dice.choice((None, "lz4", "zstd"))))),
    ("arrow cut anywhere", lambda dice, key: _cut(dice, _arrow(dice, key))),
    ("half a list", lambda dice, key: _text([_row(dice, key), 5, _row(dice, key) | {"soc": "?"}, None])),
    ("control flipped", lambda dice, key: _flipped(dice, _text({"asset_id": key} | dice.choice(_VALID_CONTROLS)))),
    ("valid control", lambda dice, key: _text({"asset_id": key} | dice.choice(_VALID_CONTROLS))),
    ("unknown fields", lambda dice, key: _text(_row(dice, key) | {"x" * 5000: [{}], "control": None})),
)
_LARGE_VALUES: tuple[tuple[str, _Value], ...] = (
    ("megabytes of blanks", lambda dice, key: b" " * dice.choice((1 << 20, 9 << 20, 20 << 20))),
    ("megabytes of noise", lambda dice, key: dice.randbytes(4 << 20)),
    ("megabytes of text", lambda dice, key: b'"' + b"x" * (9 << 20) + b'"'),
    ("megabytes of rows", lambda dice, key: _text([_row(dice, "somebody-else")] * 30_000)),
    ("megabytes of digits", lambda dice, key: b"9" * (2 << 20)),
    ("megabytes of error", lambda dice, key: _text(_failed(key, "e" * (9 << 20)))),
)
