"""Updates of open windows and lifetimes at most once in ten seconds per asset; the last one always comes."""

from __future__ import annotations

import json

import pytest

from stream_app.domain.snapshot import Marker
from stream_app.usecases.ports import MARKER_KEY, WholeCheckpoint
from tests.unit.usecases.site import Site, a_row


def lifetimes(checkpoint: WholeCheckpoint | None) -> dict[str, int]:
    """Asset and seq of the lifetimes that a checkpoint publishes."""
    assert checkpoint is not None
    told = [json.loads(update.value) for update in checkpoint.updates]
    return {u["asset_id"]: u["seq"] for u in told if u["window"]["size"] == "lifetime"}


def sending(site: Site, asset: str, second: int) -> None:
    """One more row."""
    site.add(asset, a_row(second))
    site.ingest.apply(site.fetch(len(site.log) - 1))


@pytest.fixture
def site() -> Site:
    """Asset a was published at 0 s, and then changed; asset b was not yet seen."""
    site = Site(emit_interval_s=10)
    sending(site, "a", 0)
    assert lifetimes(site.written()) == {"a": 0}
    site.now_s = 4
    sending(site, "a", 1)
    return site


def test_an_update_is_held_back_and_published_in_its_time(site: Site) -> None:
    """The state is written at once; the update comes when ten seconds are over, though the asset went quiet."""
    held = site.written()
    assert (list(held.updates), [entry.key for entry in held.assets]) == ([], [b"a", MARKER_KEY])
    assert site.rows("a") == 2
    assert site.ingest.next_update_s(0) == 10
    site.now_s = 9.99
    assert site.ingest.checkpoint(0) is None
    site.now_s = 10
    last = site.written()
    assert lifetimes(last) == {"a": 1}
    assert ([entry.key for entry in last.assets], last.windows) == ([MARKER_KEY], [])
    assert site.ingest.next_update_s(0) is None
    assert site.ingest.checkpoint(0) is None


def test_each_asset_has_its_own_time(site: Site) -> None:
    """A new asset is published at once, while the other waits."""
    sending(site, "b", 0)
    assert lifetimes(site.written()) == {"b": 2}
    site.now_s = 10
    sending(site, "b", 1)
    assert lifetimes(site.written()) == {"a": 1}
    assert site.ingest.next_update_s(0) == 14


def test_a_closed_window_is_published_at_once(site: Site) -> None:
    """It never changes; the open ones wait."""
    sending(site, "a", 60)
    sending(site, "a", 61)
    (closed,) = [json.loads(update.value) for update in site.written().updates]
    assert (closed["window"]["size"], closed["final"]) == ("1m", True)


def test_the_end_of_an_upload_is_published_at_once(site: Site) -> None:
    """Its lifetime is final."""
    site.add("a", {"control": "end_of_upload", "rows": 2})
    site.ingest.apply(site.fetch(2))
    assert lifetimes(site.written()) == {"a": 2}
    assert site.ingest.next_update_s(0) is None


def test_nothing_is_published_of_an_asset_that_was_forgotten(site: Site) -> None:
    """What was held back of it is dropped."""
    site.written()
    site.add("a", {"control": "forget"})
    site.ingest.apply(site.fetch(2))
    assert list(site.written().updates) == []
    assert site.ingest.next_update_s(0) is None


@pytest.mark.parametrize("end", ["restarted", "released"])
def test_what_was_held_back_survives(site: Site, end: str) -> None:
    """Whoever starts from the tables publishes it at once, without any further row; what was published is not told."""
    sending(site, "b", 0)
    site.written()
    site.restarted() if end == "restarted" else site.ingest.release(0)
    next_s = site.ingest.next_update_s(0)
    assert next_s is not None
    assert next_s <= site.now_s
    told = site.written()
    assert lifetimes(told) == {"a": 1, "b": 2}, "from offset 1 on: b's as well, which is a repetition"
    assert Marker.load(site.tables.assets[MARKER_KEY]).held_from is None
    site.restarted()
    assert site.ingest.next_update_s(0) is None


def test_what_was_held_back_before_an_asset_was_forgotten_does_not_come_back(site: Site) -> None:
    """Between the start and the first checkpoint it is forgotten: it is not begun anew."""
    site.written()
    site.restarted()
    site.add("a", {"control": "forget"})
    site.ingest.apply(site.fetch(2))
    assert list(site.written().updates) == []
    assert list(site.tables.assets) == [MARKER_KEY]


def test_an_update_of_a_write_that_failed_comes_again_at_once(site: Site) -> None:
    """Also when nothing but the update was in it."""
    site.written()
    site.now_s = 10
    assert lifetimes(site.ingest.checkpoint(0)) == {"a": 1}
    assert lifetimes(site.written()) == {"a": 1}


def test_by_default_nothing_is_held_back() -> None:
    """Each checkpoint has what changed, and the marker says nothing more."""
    site = Site()
    sending(site, "a", 0)
    site.written()
    sending(site, "a", 1)
    assert lifetimes(site.written()) == {"a": 1}
    assert site.ingest.next_update_s(0) is None
    assert b"held_from" not in site.tables.assets[MARKER_KEY]
