"""Event time in every notation that users send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.wire.decode.timestamps import (
    MAX_TIME_US,
    MIN_TIME_US,
    TimestampError,
    parse_timestamp,
    parse_timestamps,
)

APRIL_13_US = 1_649_808_000_000_000


@pytest.mark.parametrize(
    ("stamp", "after_us"),
    [
        ("2022-04-13T00:00:02Z", 2_000_000),
        ("2022-04-13t00:00:02z", 2_000_000),
        ("2022-04-13 00:00:02", 2_000_000),
        (" 2022-04-13 00:00:02\t", 2_000_000),
        ("2022-04-13 00:00:02 UTC", 2_000_000),
        ("2022-04-13 00:00", 0),
        ("2022-04-13", 0),
        ("4/13/2022", 0),
        ("13.4.2022", 0),
        ("2022-04-13T00:00Z", 0),
        ("2022-04-13T00:00:02.5", 2_500_000),
        ("2022-04-13T00:00:02,5Z", 2_500_000),
        ("2022-04-13T00:00:02.123456789Z", 2_123_456),
        ("2022-04-13T02:00:02+02:00", 2_000_000),
        ("2022-04-13T02:00:02 +0200", 2_000_000),
        ("2022-04-12T19:30:02-04:30", 2_000_000),
        ("2022-04-13T02:00+02", 0),
        ("4/13/2022 0:00", 0),
        ("04/13/2022 00:00:02", 2_000_000),
        ("4/13/2022, 12:00:02 AM", 2_000_000),
        ("4/13/2022 12:01 pm", 43_260_000_000),
        ("4/13/2022 1:00:00\u202fPM", 46_800_000_000),
        ("13.4.2022 0:00", 0),
        ("13.04.2022 00:00:02.25", 2_250_000),
        (1_649_808_002, 2_000_000),
        (1_649_808_002.25, 2_250_000),
        (1_649_808_002_250, 2_250_000),
        (1_649_808_002_250_001, 2_250_001),
        (1_649_808_002_250_001_999, 2_250_001),
        (1_649_808_002_250.5, 2_250_500),
        ("1649808002", 2_000_000),
        ("1649808002250", 2_250_000),
        ("1649808002.25", 2_250_000),
    ],
)
def test_notation_is_read(stamp: str | float, after_us: int) -> None:
    """Every notation gives the same moment; without an offset it means UTC."""
    assert parse_timestamp(stamp) == APRIL_13_US + after_us


@pytest.mark.parametrize(
    ("stamp", "message"),
    [
        ("", "'' is not a date or time in a known format"),
        ("yesterday", "not a date or time in a known format"),
        ("2022-04", "not a date or time in a known format"),
        ("13/4/2022 0:00", "13 is not a month; send ISO 8601"),
        ("4/31/2022 0:00", "not a valid date or time"),
        ("4/13/2022 13:00 PM", "not an hour of AM or PM"),
        ("2022-02-29T00:00:00Z", "not a valid date or time"),
        ("2022-04-13T24:00:00Z", "not a valid date or time"),
        ("2022-04-13T00:00:60Z", "not a valid date or time"),
        ("2022-04-13T00:00:00+24:00", "not a valid offset from UTC"),
        ("1989-12-31T23:59:59Z", "outside the years"),
        ("2200-01-01T00:00:00Z", "outside the years"),
        ("0000-01-01T00:00:00Z", "not a valid date or time"),
        ("٢٠٢٢-04-13T00:00:00Z", "not a date or time in a known format"),
        (0, "not an epoch time after 2001"),
        (-1_649_808_002, "not an epoch time after 2001"),
        (44_664.5, "not an epoch time after 2001"),
        (500_000_000_000, "not an epoch time after 2001"),
        (9_999_999_999, "outside the years"),
        (10**400, "beyond 1e20"),
        (1e300, "beyond 1e20"),
        (float("nan"), "not an epoch time after 2001"),
        (float("inf"), "beyond 1e20"),
        ("9" * 10_000_000, "'9999999999999999999999999999999999999999'…"),
    ],
)
def test_bad_stamp_is_explained(stamp: str | float, message: str) -> None:
    """What cannot be read, or is no plausible time, says why in a short message."""
    with pytest.raises(TimestampError, match=message) as caught:
        parse_timestamp(stamp)
    assert len(str(caught.value)) < 250


def test_first_and_last_moment() -> None:
    """The years 1990 to 2199 are read, to the microsecond."""
    assert parse_timestamp("1990-01-01T00:00:00Z") == MIN_TIME_US
    assert parse_timestamp("2199-12-31T23:59:59.999999Z") == MAX_TIME_US - 1


_moments = st.datetimes(datetime(1985, 1, 1), datetime(2205, 1, 1))  # hypothesis wants them naive
_zones = st.one_of(
    st.sampled_from(["", "Z"]),
    st.integers(-1439, 1439).map(lambda m: f"{'-' if m < 0 else '+'}{abs(m) // 60:02}:{abs(m) % 60:02}"),
)
_iso = st.tuples(
    _moments, st.sampled_from(["T", " "]), st.sampled_from(["minutes", "seconds", "milliseconds", "auto"]), _zones
).map(lambda t: t[0].isoformat(t[1], t[2]) + t[3])
_others = st.one_of(
    _moments.map(lambda t: f"{t.month}/{t.day}/{t.year} {t.hour}:{t.minute:02}"),
    _moments.map(
        lambda t: f"{t.month}/{t.day}/{t.year} {t.hour % 12 or 12}:{t.minute:02} {'AM' if t.hour < 12 else 'PM'}"
    ),
    _moments.map(lambda t: f"{t.day}.{t.month}.{t.year} {t.hour}:{t.minute:02}:{t.second:02}"),
    st.integers(-(10**21), 10**21),
    st.integers(9, 21).flatmap(lambda e: st.integers(10**e - 5, 8 * 10**e)),
    st.floats(),
    st.floats(1e9, 1e11),
    st.integers(0, 10**20).map(str),
    st.text(max_size=20),
    st.from_regex(r"\A[0-2][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-2][0-9]:[0-9]{2}:[0-9]{2}Z\Z"),
)


def _reference(stamp: str | float) -> int:
    try:
        return parse_timestamp(stamp)
    except TimestampError:
        return 0


@given(
    st.one_of(
        st.lists(_iso, max_size=20), st.lists(_others, max_size=20), st.lists(st.one_of(_iso, _others), max_size=20)
    )
)
def test_columns_agree_with_single_stamps(stamps: list[str | float]) -> None:
    """A column is read exactly as its stamps one by one, mixed or uniform."""
    time_us, ok = parse_timestamps(stamps)
    assert time_us.tolist() == [_reference(stamp) for stamp in stamps]
    assert ok.tolist() == [time != 0 for time in time_us.tolist()]


@given(st.lists(st.tuples(_moments, st.integers(0, 99)), min_size=1), st.integers(0, 9), _zones)
def test_uniform_columns_agree_with_datetime(moments: list[tuple[datetime, int]], digits: int, zone: str) -> None:
    """Uniform ISO columns, each with a stray digit now and then, agree with the standard library's calendar."""
    offset = (
        timedelta()
        if zone in ("", "Z")
        else timedelta(hours=int(zone[1:3]), minutes=int(zone[4:])) * (-1 if zone[0] == "-" else 1)
    )
    stamps, expected = [], []
    for moment, day in moments:
        if digits == 0:
            kept = moment.replace(microsecond=0)
        else:
            kept = moment.replace(microsecond=moment.microsecond // 10 ** max(6 - digits, 0) * 10 ** max(6 - digits, 0))
        text = kept.isoformat(timespec="microseconds")
        text = text[:19] if digits == 0 else (text + "000")[: 20 + digits]
        text = f"{text[:8]}{day:02}{text[10:]}{zone}"
        try:
            since = kept.replace(day=day, tzinfo=timezone(offset)) - datetime(1970, 1, 1, tzinfo=UTC)
            time_us = since // timedelta(microseconds=1)
        except ValueError:
            time_us = 0
        stamps.append(text)
        expected.append(time_us if MIN_TIME_US <= time_us < MAX_TIME_US else 0)
    assert parse_timestamps(stamps)[0].tolist() == expected


def test_no_stamps() -> None:
    """An empty column stays empty."""
    time_us, ok = parse_timestamps([])
    assert time_us.shape == ok.shape == (0,)
    assert time_us.dtype == np.int64
