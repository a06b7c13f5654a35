"""Arrow messages of a known kind are read as Arrow reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.columns import BY_WIRE_NAME, REQUIRED
from stream_app.columns.byte_column import ByteColumn
from stream_app.wire.decode import arrow
from stream_app.wire.decode.arrow_plans import KnownPlans
from stream_app.wire.decode.frames import END
from stream_app.wire.decode.refusal import Refusal
from stream_app.wire.decode.table import Table, stacked
from tests.messages import STAMP_US, arrow_stream, decode

_US = {"s": 10**6, "ms": 10**3, "us": 1}


def table(rows: int, unit: str = "ms", **changes: Any) -> dict[str, Any]:
    """Columns of a plain message."""
    ticks = [STAMP_US // _US[unit] + i if unit in _US else STAMP_US * 1000 + i for i in range(rows)]
    columns = {"timestamp": pa.array(ticks, pa.timestamp(unit, tz="UTC"))}
    columns |= {name: pa.array([i + n / 7 for i in range(rows)]) for n, name in enumerate(REQUIRED)}
    return {name: column for name, column in {**columns, **changes}.items() if column is not None}


def read(messages: Sequence[bytes], plans: KnownPlans) -> Table:
    return plans.read(ByteColumn.of(messages), np.arange(len(messages)))


_ODD = ("float32", "null", "text", "asset", "lz4", "twice", "empty", "missing", "stamps")
_readings = st.sampled_from([0.0, -0.0, 1.5, -1e300, math.nan, math.inf])


@st.composite
def kinds(draw: st.DrawFn) -> list[bytes]:
    """Some messages of one producer: most are plain."""
    rows, unit = draw(st.integers(1, 5)), draw(st.sampled_from(["s", "ms", "us", "ns"]))
    optional = draw(st.lists(st.sampled_from([*BY_WIRE_NAME, "other"]), unique=True, max_size=3))
    odd = draw(st.sampled_from(["", "", "", *_ODD]))
    messages = []
    for _ in range(draw(st.integers(1, 4))):
        columns = table(rows, unit)
        for name in optional:
            columns[name] = pa.array(draw(st.lists(_readings, min_size=rows, max_size=rows)), pa.float64())
        if odd == "float32":
            columns["soc"] = columns["soc"].cast(pa.float32())
        elif odd == "null":
            columns["soc"] = pa.array([None] * rows, pa.float64())
        elif odd == "text":
            columns["timestamp"] = pa.array(["2022-04-13T00:00:02Z"] * rows)
        elif odd == "asset":
            columns["asset_id"] = pa.array(["a"] * rows)
        elif odd == "missing":
            del columns["soc"]
        elif odd == "stamps" and draw(st.booleans()):
            columns["timestamp"] = pa.array([-1] * rows, pa.timestamp(unit))
        tables = [columns, columns] if odd == "twice" else [columns]
        if odd == "empty":
            tables = [{name: column.slice(0, 0) for name, column in columns.items()}]
        messages.append(arrow_stream(*tables, **({"compression": "lz4"} if odd == "lz4" else {})))
    return messages


_damage = st.tuples(st.integers(0, 3000), st.integers(0, 255))


@given(st.lists(kinds(), min_size=1, max_size=4), st.lists(_damage, max_size=3))
@example([[arrow_stream(table(3)), arrow_stream(table(3, timestamp=pa.array([0] * 3, pa.timestamp("ms"))))]], [])
def test_known_kinds_are_read_as_arrow_reads_them(written: list[list[bytes]], damage: list[tuple[int, int]]) -> None:
    """Whatever is read at all has the rows that Arrow's reader finds, none of them refused."""
    messages = [message for each in written for message in each]
    for number, (at, value) in enumerate(damage):
        whole = bytearray(messages[number % len(messages)])
        whole[at % len(whole)] = value
        messages.append(bytes(whole))
    plans = KnownPlans()
    for _ in range(3):
        found = read(messages, plans)
        parts = []
        for message in dict.fromkeys(found.message.tolist()):
            parts += arrow.read(memoryview(messages[message]), message, "a").parts
        expected = stacked(parts)
        assert not expected.refused
        assert not found.refused
        for name in ("message", "position", "time_us"):
            assert getattr(found, name).tobytes() == getattr(expected, name).tobytes()
        assert list(found.columns) == list(expected.columns)
        for name, column in expected.columns.items():
            np.testing.assert_array_equal(found.columns[name], column)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_all_messages_of_plain_kinds_are_read(unit: str) -> None:
    """Different numbers of rows and columns, at any place of the buffer."""
    kinds = [table(3, unit), table(4, unit), table(4, unit, power=pa.array([1.0, 2.0, 3.0, 4.0]))]
    messages = [message for columns in kinds for message in [arrow_stream(columns), b"x"] * 2]
    values = ByteColumn.of(messages)
    places = np.arange(0, len(messages), 2)
    plans = KnownPlans()
    found = plans.read(values, places)
    assert len(plans) == len(kinds)
    assert found.message.tolist() == np.repeat(places, [3, 3, 4, 4, 4, 4]).tolist()
    assert np.isnan(found.columns["power"][:14]).all()
    assert found.columns["power"][14:].tolist() == [1, 2, 3, 4] * 2


def test_what_is_not_plain_is_not_tried_for_ever() -> None:
    """Messages that give no plan cost Arrow's reader once or twice, and none of them is read."""
    plans = KnownPlans()
    odd = arrow_stream(table(3, soc=pa.array([1.0, None, 2.0])))
    for _ in range(5):
        assert len(read([odd] * 3, plans)) == 0
    assert len(plans) == 0


def test_a_few_plans_are_kept() -> None:
    """Of ever new kinds the last ones; one that is in use stays."""
    plans, used = KnownPlans(), arrow_stream(table(3))
    for rows in range(4, 60):
        assert len(read([used, arrow_stream(table(rows))], plans)) == 3 + rows
    assert len(plans) < 56


def test_limits_of_readings_hold() -> None:
    """They are looked at for all rows alike; the reject names the rows."""
    bad = arrow_stream(table(3, soc=pa.array([1.0, 1e9, 2.0])))
    batch = decode(arrow_stream(table(3)), bad, bad)
    (reject, _) = batch.rejects
    assert (reject.message, reject.rows, reject.code) == (1, (1,), "out_of_range")
    assert batch.row.tolist() == [0, 1, 2, 0, 2, 0, 2]


def test_a_stream_with_bytes_behind_its_end_is_not_of_a_kind() -> None:
    """What a plan does not know, Arrow's reader judges."""
    plain = arrow_stream(table(3))
    plans = KnownPlans()
    assert len(read([plain], plans)) == 3
    with pytest.raises(Refusal):
        arrow.read(memoryview(plain + bytes(8)), 0, "a")
    assert len(read([plain + bytes(8), plain[:-8]], plans)) == 3


@pytest.mark.parametrize("ending", [b"", END], ids=["cut", "ended"])
def test_a_stream_that_ends_anywhere_is_told(ending: bytes) -> None:
    """Also right behind its schema, where its frames fit together: it is refused, and leaves its neighbours alone."""
    whole = arrow_stream(table(3)).removesuffix(END)
    for at in range(4, len(whole) - len(END)):  # its last bytes are padding
        batch = decode(whole, whole[:at] + ending, whole)
        assert (batch.message.tolist(), [reject.message for reject in batch.rejects]) == ([0, 0, 0, 2, 2, 2], [1]), at
