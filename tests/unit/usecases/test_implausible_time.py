"""Rows whose stamps are ahead of their records' Kafka times, or that leap and come back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.asset import AssetSpec
from schemas.control import SpecControl
from schemas.rejected import HEADER_PREFIX
from tests.unit.usecases.site import START_S, Site

RECORD_S = START_S + 100_000


def a_row(time_s: float, current: float = 1.0) -> dict[str, Any]:
    return {"timestamp": time_s, "current": current, "voltage": 800, "soc": 50}


def letters(site: Site) -> list[dict[str, str]]:
    """What the headers of the dead letters say."""
    checkpoint = site.written()
    return [
        {name.removeprefix(HEADER_PREFIX): (value or b"").decode() for name, value in letter.headers}
        for letter in checkpoint.dead_letters
    ]


@pytest.mark.parametrize("wrong", [1, 2, 3])
@pytest.mark.parametrize("alone", [False, True])
def test_rows_ahead_of_their_records_are_refused_and_their_neighbours_count(wrong: int, alone: bool) -> None:
    """A clock that is wrong for one to three rows costs those rows alone, in one fetch or in a fetch each."""
    site = Site()
    site.record_ms = RECORD_S * 1000
    site.add("a", *(a_row(RECORD_S - 20 + i) for i in range(10)))
    site.add("a", *(a_row(RECORD_S + 173.5 * 31_557_600 + i, 500) for i in range(wrong)))
    site.add("a", *(a_row(RECORD_S - 10 + i) for i in range(10)))
    for i in range(len(site.log)) if alone else [0]:
        site.ingest.apply(site.fetch(i, i + 1) if alone else site.fetch())
    found = letters(site)
    assert [(each["code"], each["offset"]) for each in found] == [
        ("implausible_time", str(10 + i)) for i in range(wrong)
    ]
    assert "173 years ahead of the record's Kafka time" in found[0]["message"]
    summary = site.views.summary("a", site.tables.assets[b"a"])
    assert (summary.rows, summary.rows_rejected) == (20, wrong)
    assert summary.last_time == "2022-04-14T03:46:39Z"


def test_the_limit_is_the_records_and_the_specs() -> None:
    """An hour ahead is the last that counts; a spec may say another limit, and no Kafka time no limit."""
    site = Site()
    site.record_ms = RECORD_S * 1000
    spec = SpecControl(asset_id="b", spec=AssetSpec(max_ahead_s=10)).model_dump_json()
    site.log.append((b"b", spec.encode()))
    for asset in "ab":
        site.add(asset, a_row(RECORD_S + 10), a_row(RECORD_S + 11), a_row(RECORD_S + 3600), a_row(RECORD_S + 3601))
    site.ingest.apply(site.fetch())
    assert [each["offset"] for each in letters(site)] == ["4", "6", "7", "8"]
    site.record_ms = -1
    site.add("c", a_row(RECORD_S + 1_000_000_000))
    site.ingest.apply(site.fetch(9))
    assert letters(site) == []


def test_a_replay_decides_the_same() -> None:
    """The record decides, so rows that are read again years later are refused as they were."""
    first, again = Site(), Site()
    for site in (first, again):
        site.record_ms = RECORD_S * 1000
        site.add("a", a_row(RECORD_S), a_row(RECORD_S + 7200), a_row(RECORD_S + 1))
        site.now_s = 0.0 if site is first else 1e8
        site.ingest.apply(site.fetch())
    assert letters(first) == letters(again)
    assert first.tables.assets == again.tables.assets


def test_a_batch_names_the_rows_that_are_refused() -> None:
    """Rows of one message count but for those that are ahead."""
    site = Site()
    site.record_ms = RECORD_S * 1000
    stamps = [RECORD_S, RECORD_S + 90_000, RECORD_S + 1, RECORD_S + 86_400 * 3]
    ones = [1.0] * len(stamps)
    batch = {"asset_id": "a", "timestamp": stamps, "current": ones, "voltage": ones, "soc": ones}
    site.log.append((b"a", json.dumps(batch).encode()))
    site.ingest.apply(site.fetch())
    (letter,) = letters(site)
    assert (letter["row"], letter["code"]) == ("1,3", "implausible_time")
    assert "3 days ahead" in letter["message"]
    assert site.rows("a") == 2


@pytest.mark.parametrize("restarts", [False, True])
def test_a_leap_that_goes_back_is_a_dead_letter_of_its_own(restarts: bool) -> None:
    """The row as JSON and its place: its message may have come with an earlier fetch, or before a restart."""
    site = Site()
    site.add("a", *(a_row(START_S + i) for i in range(3)), a_row(START_S + 86_400, 500))
    site.ingest.apply(site.fetch())
    site.written()
    summary = site.views.summary("a", site.tables.assets[b"a"])
    assert (summary.rows, summary.rows_held, summary.rows_rejected) == (4, 1, 0)
    assert site.views.progress("a", site.tables.assets[b"a"]).rows == 4
    if restarts:
        site.restarted()
    site.add("a", a_row(START_S + 3))
    site.ingest.apply(site.fetch(4))
    (letter,) = site.written().dead_letters
    headers = {name.removeprefix(HEADER_PREFIX): (value or b"").decode() for name, value in letter.headers}
    assert (headers["code"], headers["topic"], headers["offset"]) == ("implausible_time", "measurements", "3")
    assert "23 hours" in headers["message"]
    assert letter.key == b"a"
    assert json.loads(letter.value or b"") == {
        "asset_id": "a", "timestamp": "2022-04-14T00:00:00Z", "current": 500.0, "voltage": 800.0, "soc": 50.0,
    }  # fmt: skip
    summary = site.views.summary("a", site.tables.assets[b"a"])
    assert (summary.rows, summary.rows_held, summary.rows_rejected) == (4, 0, 1)
