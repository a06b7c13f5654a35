"""Stamps that the compiled code reads, and those that it leaves to Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream_app.wire.decode.plain_stamps import stamp
from stream_app.wire.decode.timestamps import MAX_TIME_US, MIN_TIME_US, UNREAD, TimestampError, parse_timestamp
from tests.messages import decode, row

_zones = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_moments = st.datetimes(datetime(1989, 12, 31), datetime(2200, 1, 2), timezones=_zones)


def read(text: str) -> int:
    token = f'"{text}"'.encode()
    end, time_us = stamp(np.frombuffer(token, np.uint8), 0, len(token))
    assert end == len(token)
    return int(time_us)


@given(_moments, st.sampled_from(["T", " "]), st.sampled_from(["auto", "seconds", "milliseconds", "microseconds"]))
def test_what_isoformat_writes_is_read(moment: datetime, separator: str, precision: str) -> None:
    """Any offset, any precision, as the parser for single stamps reads it; what lies outside the years is left."""
    text = moment.isoformat(separator, precision)
    try:
        expected = parse_timestamp(text)
    except TimestampError:
        expected = UNREAD
    assert read(text) == expected


_parts = st.sampled_from(
    ["2022-04-13", "T", " ", "00:00:02", ".5", ".123456789", ".", "Z", "+01:00", "-0330", "+24:00", "x"]
)


@given(st.lists(_parts, max_size=5).map("".join))
@example("2022-04-13T00:00:02")
@example("2022-04-13T00:00:02+01")
@example("2022-04-13T00:00:02-01:")
@example("2022-02-29T00:00:02Z")
@example("2022-04-13T00:00:02.1234567890Z")
def test_what_is_read_is_what_the_parser_reads(text: str) -> None:
    """Whatever a stamp looks like: it is left to the parser for single stamps, or has the value that it gives."""
    time_us = read(text)
    if time_us != UNREAD:
        assert time_us == parse_timestamp(text)


@pytest.mark.parametrize("zone", ["Z", "+00:00", "-00:00", "+05:30", "-0330", "+01", ""])
def test_offsets_do_not_leave_the_compiled_path(zone: str) -> None:
    """None of the usual ways to write a zone costs a Python call per row."""
    assert read(f"2022-04-13T00:00:02{zone}") != UNREAD


def test_limits_hold_for_the_time_in_utc() -> None:
    """An offset may move a stamp into the years that are taken, or out of them."""
    first = datetime.fromtimestamp(MIN_TIME_US / 1e6, UTC).astimezone(timezone(timedelta(hours=-1)))
    last = datetime.fromtimestamp(MAX_TIME_US / 1e6 - 1, UTC).astimezone(timezone(timedelta(hours=1)))
    for inside, outside in ((first, first - timedelta(seconds=1)), (last, last + timedelta(seconds=1))):
        assert len(decode(row(timestamp=inside.isoformat()))) == 1
        assert decode(row(timestamp=outside.isoformat())).rejects[0].code == "bad_timestamp"
