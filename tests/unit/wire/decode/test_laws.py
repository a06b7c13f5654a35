"""The fast path, the slow path and the contract accept the same rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.columns import BY_WIRE_NAME, REQUIRED
from schemas.measurement import Measurement
from stream_app.domain.rows import COLUMNS
from stream_app.wire.batch import Batch
from stream_app.wire.decode.timestamps import TimestampError, parse_timestamp
from tests.messages import ROW, STAMP, decode, dump, row


def test_limits_are_those_of_the_contract() -> None:
    """The masks of the fast path and the contract's fields have the same bounds."""
    for name, column in BY_WIRE_NAME.items():
        for bound in (column.low, column.high):
            Measurement.model_validate({**ROW, name: bound})
            assert len(decode(row(**{name: bound}))) == 1
        for beyond in (np.nextafter(column.low, -np.inf), np.nextafter(column.high, np.inf)):
            with pytest.raises(ValueError, match=name):
                Measurement.model_validate({**ROW, name: float(beyond)})
            assert decode(row(**{name: float(beyond)})).rejects[0].code == "out_of_range"


_numbers = st.one_of(
    st.none(),
    st.floats(-1e6, 1e6),
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-200, 200),
    st.integers(),
)
_odd: st.SearchStrategy[object] = st.one_of(
    _numbers, st.booleans(), st.text(max_size=3), st.lists(st.integers(), max_size=2), st.just({})
)
_stamps = st.one_of(
    st.just(STAMP),
    st.sampled_from(["4/13/2022 0:00", "13/4/2022 0:00", "2022-04-13 00:00", "1649808002", ""]),
    st.integers(1_649_808_000, 1_649_809_000),
    st.tuples(st.integers(9, 20), st.integers(-2, 1_000)).map(lambda pair: 10 ** pair[0] + pair[1]),
    st.integers(10**8, 10**20),
    st.floats(1e9, 1e10),
    _odd,
)
_rows = st.fixed_dictionaries(
    {},
    optional={
        "asset_id": st.sampled_from(["a", "a", "a", "a", "b", "", None]),
        "timestamp": _stamps,
        **dict.fromkeys(REQUIRED, _numbers),
        "power": _odd,
        "t_max": _odd,
        "extra": _odd,
    },
).map(lambda changes: {**ROW, **changes})


def reference(content: dict[str, Any]) -> list[float | None] | None:
    """Stamp and columns of a row by the contract alone; None when it is refused."""
    try:
        parsed = Measurement.model_validate(content)
        time_us = parse_timestamp(parsed.timestamp)
    except (ValueError, TimestampError):
        return None
    if parsed.asset_id != "a":
        return None
    return [time_us, *(getattr(parsed, name) for name in BY_WIRE_NAME)]


def rows_of(batch: Batch) -> list[list[float | None]]:
    """Stamp and columns of each row of a batch."""
    absent = np.full(len(batch), np.nan)
    columns = [batch.columns.get(name, absent).tolist() for name in COLUMNS]
    rows: Sequence[tuple[float, ...]] = list(zip(batch.time_us.tolist(), *columns, strict=True))
    return [[None if reading != reading else reading for reading in row] for row in rows]  # noqa: PLR0124  # NaN


@given(st.lists(_rows, max_size=8))
@example([{**ROW, "current": -0.0, "soc": 5e-324}])
def test_every_form_accepts_exactly_what_the_contract_does(contents: list[dict[str, Any]]) -> None:
    """As single messages, as a list, and through the slow path alone: the same rows, the same numbers."""
    expected = [(i, found) for i, content in enumerate(contents) if (found := reference(content)) is not None]
    single = decode(*map(dump, contents))
    assert list(zip(single.message.tolist(), rows_of(single), strict=True)) == expected
    refused = {reject.message for reject in single.rejects}
    assert refused == set(range(len(contents))) - {i for i, _ in expected}
    if contents:
        listed = decode(dump(contents))
        assert list(zip(listed.row.tolist(), rows_of(listed), strict=True)) == expected
    # What JSON cannot say (NaN) sends a message to the slow path: there it must read the same.
    slow = decode(*(dump({**content, "unknown": math.nan}) for content in contents))
    assert list(zip(slow.message.tolist(), rows_of(slow), strict=True)) == expected


@given(st.lists(_rows.filter(lambda content: content["asset_id"] == "a"), min_size=1, max_size=8))
def test_columnar_batches_accept_exactly_what_the_contract_does(contents: list[dict[str, Any]]) -> None:
    """A columnar batch holds the rows that its columns spell."""
    names = {"power", "t_max", "timestamp", *REQUIRED}
    columns = {name: [content.get(name) for content in contents] for name in names}
    rows = [{"asset_id": "a", **{name: column[i] for name, column in columns.items()}} for i in range(len(contents))]
    expected = [(i, found) for i, content in enumerate(rows) if (found := reference(content)) is not None]
    batch = decode(dump({"asset_id": "a", **columns}))
    assert list(zip(batch.row.tolist(), rows_of(batch), strict=True)) == expected


@given(st.lists(st.one_of(st.none(), st.binary(max_size=40), _rows.map(dump)), max_size=6), st.data())
def test_no_message_raises_or_moves_another(values: list[bytes | None], data: st.DataObject) -> None:
    """Any bytes are a row, a control or a reject; good rows around them are read as if alone."""
    values = [value and value[: data.draw(st.integers(0, len(value)))] for value in values]
    mixed = [row(), *(value for bad in values for value in (bad, row()))]
    batch = decode(*mixed)
    assert set(range(0, len(mixed), 2)) <= set(batch.message.tolist())
    assert set(batch.message.tolist()) | {reject.message for reject in batch.rejects} == set(range(len(mixed)))
    assert "unexpected" not in {reject.code for reject in batch.rejects}


@given(st.lists(st.one_of(st.text(max_size=20).map(str.encode), st.binary(max_size=3)), max_size=20))
def test_no_text_is_unexpected(values: list[bytes]) -> None:
    """Whatever a text is, its reason names it: no step of the reading fails."""
    assert "unexpected" not in {reject.code for reject in decode(*values).rejects}
