"""Rows read by template: the same batches as token by token, and nearly all rows of a producer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.columns import BY_WIRE_NAME, REQUIRED
from stream_app.columns.byte_column import ByteColumn
from stream_app.wire.batch import Batch
from stream_app.wire.decode import Decoder
from stream_app.wire.decode.fitting import ROWS
from stream_app.wire.decode.scan import UNUSUAL, scan
from stream_app.wire.decode.templates import MAX_TEMPLATES, KnownTemplates
from tests.messages import ROW, fetch

START = datetime(2022, 4, 13, 23, 59, 58, tzinfo=UTC)
Content = dict[str, Any]

_STAMPS: dict[str, Callable[[datetime], str | int]] = {
    "zulu": lambda at: f"{at:%Y-%m-%dT%H:%M:%S}Z",
    "python": lambda at: at.isoformat(),
    "offset": lambda at: at.astimezone(timezone(timedelta(hours=-5, minutes=-30))).isoformat(),
    "blank": lambda at: f"{at:%Y-%m-%d %H:%M:%S.%f}",
    "UTC": lambda at: f"{at:%Y-%m-%d %H:%M:%S} UTC",
    "american": lambda at: f"{at:%m/%d/%Y %H:%M:%S}",
    "s": lambda at: int(at.timestamp()),
    "ms": lambda at: int(at.timestamp() * 1000),
    "us": lambda at: int(at.timestamp() * 1000) * 1000,
    "ns": lambda at: int(at.timestamp() * 1000) * 10**6,
}
_WRITERS: list[Callable[..., str]] = [
    json.dumps,
    partial(json.dumps, separators=(",", ":")),
    partial(json.dumps, indent=1),
    partial(json.dumps, separators=(" ,", " : ")),
]


def columnar(rows: Sequence[Content]) -> Content:
    """The rows as one object of columns."""
    return {
        name: value if name == "asset_id" or name not in {*BY_WIRE_NAME, "timestamp"} else [row[name] for row in rows]
        for name, value in rows[0].items()
    }


_readings = st.one_of(
    st.integers(-200, 10**9),
    st.decimals(-1000, 1000, places=3).map(float),
    st.floats(-1e3, 1e3),
    st.sampled_from([0, -0.0, 0.5, None, 1e-7, 1e300, 12345678.5, 1234567.1234567]),
)
_texts = st.sampled_from(["x", "ok, 1", "é", 'a"'])
_others = st.one_of(st.integers(-5, 10**9), st.floats(-1e3, 1e3), st.booleans(), st.none(), _texts)


@st.composite
def producers(draw: st.DrawFn) -> list[bytes]:
    """Some messages of one producer, all written alike."""
    stamp, write = _STAMPS[draw(st.sampled_from(sorted(_STAMPS)))], draw(st.sampled_from(_WRITERS))
    optional = [name for name in BY_WIRE_NAME if name not in REQUIRED]
    extra = ["seq", "note"]
    names = draw(st.permutations(["asset_id", "timestamp", *REQUIRED]))
    names += draw(st.lists(st.sampled_from([*optional, *extra]), unique=True, max_size=2))
    seconds = st.one_of(st.integers(0, 200_000), st.sampled_from([0.5, 1.25, -(10**9), 10**10]))

    def row() -> Content:
        at = START + timedelta(seconds=draw(seconds))
        values: Content = {"asset_id": draw(st.sampled_from(["a", "a", "a", "b"])), "timestamp": stamp(at)}
        values |= {name: draw(_others if name in extra else _readings) for name in names if name not in values}
        return {name: values[name] for name in names}

    messages = []
    for _ in range(draw(st.integers(1, 4))):
        rows = [row() for _ in range(draw(st.integers(1, 3)))]
        form = draw(st.sampled_from([rows[0], rows, columnar(rows)]))
        messages.append(write(form).encode())
    return messages


_bytes = st.sampled_from([b"", b" ", b"9", b'"', b"}", b"]", b",", b"e5", b".", b"\xc3"])
_damage = st.tuples(st.integers(0, 400), _bytes)


def assert_equal(batch: Batch, expected: Batch) -> None:
    """Field by field, bit by bit."""
    for field in fields(Batch):
        got, want = getattr(batch, field.name), getattr(expected, field.name)
        if field.name == "columns":
            assert list(got) == list(want)
            got, want = np.array(list(got.values())), np.array(list(want.values()))
        if isinstance(want, np.ndarray):
            assert (got.dtype, got.tobytes()) == (want.dtype, want.tobytes()), field.name
        else:
            assert list(got) == list(want), field.name


#: A columnar batch whose last stamp has a zone of its own.
_BY_ZONE = (
    b'{"asset_id": "a", "current": [0, 0], "voltage": [0, 0], "soc": [50, 50], '
    b'"timestamp": ["2022-04-13 23:59:58 UTC", "2022-04-13 23:59:58 %b"], "power": [0, 0]}'
)


@given(st.lists(producers(), min_size=1, max_size=4), st.lists(_damage, max_size=3), st.randoms(use_true_random=False))
@example([[json.dumps([ROW, {**ROW, "power": 1}]).encode()], [json.dumps(ROW).encode()]], [], Random(0))
@example([[_BY_ZONE % b"UTC", _BY_ZONE % b"TC"]], [], Random(0))
def test_what_was_learnt_changes_no_batch(
    written: list[list[bytes]], damage: list[tuple[int, bytes]], random: Random
) -> None:
    """Fetches of several producers, some messages damaged: as by a decoder that has learnt nothing."""
    messages = [message for each in written for message in each]
    for at, text in damage:
        whole = random.choice(messages)
        messages.append(whole[:at] + text + whole[at + 1 :])
    decoder = Decoder()
    for _ in range(5):
        random.shuffle(messages)
        for end in (len(messages), 1):
            fetched = fetch(*((b"a", message) for message in messages[:end]))
            assert_equal(decoder.decode(fetched), Decoder().decode(fetched))


def by_template(messages: Sequence[bytes]) -> tuple[int, int]:
    """Rows of messages, and how many of them are read by template once such messages have been seen."""
    templates = KnownTemplates()
    keys, values = ByteColumn.of([b"a"] * len(messages)), ByteColumn.of(messages)
    scan(values, keys, templates)
    scanned = scan(values, keys, templates)
    assert UNUSUAL not in scanned.kind
    return len(scanned.message), int(templates.compiled.table[:, ROWS].sum())


@pytest.mark.parametrize("write", _WRITERS, ids=["python", "compact", "indented", "odd"])
@pytest.mark.parametrize("stamp", sorted(set(_STAMPS) - {"american"}))
@pytest.mark.parametrize("form", ["rows", "lists", "columns"])
def test_all_rows_of_a_producer_fit(form: str, stamp: str, write: Any) -> None:
    """However it writes them: over midnight, with readings that are missing, with fields that are not ours."""
    rows: list[Content] = [
        {**ROW, "timestamp": _STAMPS[stamp](START + timedelta(seconds=i)), "current": None if i % 5 == 0 else i / 8,
         "power": i * 1000, "seq": i, "note": f"row {i}", "fine": True}
        for i in range(20)
    ]  # fmt: skip
    forms: dict[str, list[Any]] = {
        "rows": rows,
        "lists": [rows[:7], rows[7:]],
        "columns": [columnar(rows[:7]), columnar(rows[7:])],
    }
    contents = forms[form]
    assert by_template([write(content).encode() for content in contents]) == (20, 20)


def test_an_odd_message_costs_the_others_nothing() -> None:
    """What does not fit is read token by token, object by object."""
    rows = [json.dumps({**ROW, "soc": i}).encode() for i in range(50)]
    odd = json.dumps([ROW, {**ROW, "t_max": 1}, ROW]).encode()
    assert by_template([*rows[:20], odd, *rows[20:]]) == (53, 52)


def test_the_end_of_a_buffer_is_not_passed() -> None:
    """Without padding behind the last message it is read token by token."""
    message = json.dumps(ROW).encode()
    keys, templates = ByteColumn.of([b"a"] * 2), KnownTemplates()
    padded = ByteColumn.of([message] * 2)
    bare = ByteColumn(padded.buffer[: int(padded.ends[-1])], padded.starts, padded.ends)
    for expected in (0, 1):
        assert len(scan(bare, keys, templates).message) == 2
        assert templates.compiled.table[:, ROWS].sum() == expected


def test_a_few_templates_are_kept() -> None:
    """Of many ways to write rows the last ones, and those that serve the most rows."""
    templates = KnownTemplates()
    keys = ByteColumn.of([b"a"] * 100)
    many = ByteColumn.of([json.dumps(ROW).encode()] * 100)
    for i in range(3 * MAX_TEMPLATES):
        scan(many, keys, templates)
        scan(ByteColumn.of([json.dumps({**ROW, f"field_{i}": 1}).encode()]), keys[:1], templates)
    assert len(templates) == MAX_TEMPLATES
    before = templates.compiled.table[:, ROWS].copy()
    scan(many, keys, templates)
    assert (templates.compiled.table[:, ROWS] - before).max() == 100
