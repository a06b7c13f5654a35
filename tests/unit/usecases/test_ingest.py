"""Fetches in, checkpoints out: the command side on the real codec, domain and in-memory tables."""

from __future__ import annotations

import json

import pytest

from stream_app.usecases.ingest import AlreadyApplied, Applied, Gap
from stream_app.usecases.ports import MARKER_KEY
from tests.unit.usecases.site import Site, a_row


def test_a_checkpoint_has_everything_and_the_marker_last() -> None:
    """Updates of closed and open windows and the lifetime, the states, and the position as the last entry."""
    site = Site()
    site.add("a", *(a_row(i) for i in range(130)))
    assert site.ingest.apply(site.fetch()) == Applied(130, 0)
    checkpoint = site.written()
    updates = [json.loads(update.value) for update in checkpoint.updates]
    assert [(u["window"]["size"], u["final"], u["seq"]) for u in updates] == [
        ("1m", True, 60),
        ("1m", True, 120),
        ("lifetime", False, 129),
        ("1m", False, 129),
        ("1h", False, 129),
    ]
    assert [entry.key for entry in checkpoint.assets] == [b"a", MARKER_KEY]
    assert len(checkpoint.windows) == 2
    assert site.ingest.checkpoint(0) is None


def test_positions_move_contiguously() -> None:
    """A fetch from before is nothing new, one with a part from before applies the rest, one from beyond is a gap."""
    site = Site()
    site.add("a", *(a_row(i) for i in range(30)))
    site.ingest.apply(site.fetch(0, 10))
    site.written()
    assert site.ingest.apply(site.fetch(0, 10)) == AlreadyApplied()
    assert isinstance(site.ingest.apply(site.fetch(5, 20)), Applied)
    assert site.ingest.position(0) == 20
    assert site.ingest.apply(site.fetch(25, 30)) == Gap(10)
    assert site.ingest.position(0) == 10, "the hot state is gone: it starts from the tables"
    site.ingest.apply(site.fetch(10, 30))
    site.written()
    assert site.rows("a") == 30


def test_an_unconfirmed_checkpoint_is_taken_again() -> None:
    """What was collected but not written is in the next checkpoint, with what came since."""
    site = Site()
    site.add("a", a_row(0))
    site.add("b", a_row(0))
    site.ingest.apply(site.fetch(0, 1))
    assert site.ingest.checkpoint(0) is not None
    site.ingest.apply(site.fetch(1, 2))
    checkpoint = site.written()
    assert [entry.key for entry in checkpoint.assets] == [b"a", b"b", MARKER_KEY]


@pytest.mark.parametrize("written", ["nothing", "windows", "states", "all"])
def test_a_crash_anywhere_in_a_checkpoint_counts_every_row_once(written: str) -> None:
    """Whatever part of a checkpoint was written when the process died, the next one ends in the same state."""
    straight = Site()
    straight.add("a", *(a_row(i, soc=30 + i % 40) for i in range(200)))
    straight.ingest.apply(straight.fetch())
    straight.written()
    site = Site()
    site.log = straight.log
    site.ingest.apply(site.fetch(0, 90))
    site.written()
    site.ingest.apply(site.fetch(90, 150))
    torn = site.ingest.checkpoint(0)
    assert torn is not None
    parts = {"nothing": [], "windows": torn.windows, "states": torn.assets[:-1], "all": torn.assets}
    for entry in parts[written]:
        assert entry.value is not None
        (site.tables.closed if written == "windows" else site.tables.assets)[entry.key] = entry.value
    site.restarted()
    site.ingest.apply(site.fetch(site.ingest.position(0) or 0))
    site.written()
    assert site.tables.assets[b"a"] == straight.tables.assets[b"a"]


def test_closed_windows_are_kept_by_size() -> None:
    """Two one-minute windows are kept; the third one pushes the first out."""
    site = Site()
    site.add("a", *(a_row(60 * i) for i in range(6)))
    site.ingest.apply(site.fetch())
    site.written()
    starts = [update.window.start for update in site.closed_windows()]
    assert starts == ["2022-04-13T00:03:00Z", "2022-04-13T00:04:00Z"]
    site.add("a", a_row(360))
    site.ingest.apply(site.fetch(6))
    checkpoint = site.written()
    assert sorted(entry.value is None for entry in checkpoint.windows) == [False, True]


@pytest.mark.parametrize("released", [False, True])
def test_a_window_that_only_a_failed_checkpoint_put_is_deleted_too(released: bool) -> None:
    """A checkpoint whose acks never came may be in Kafka: what it put is pushed out though the tables never had it."""
    site = Site()
    site.add("a", *(a_row(60 * i) for i in range(6)))
    site.ingest.apply(site.fetch(0, 3))
    failed = site.ingest.checkpoint(0)
    assert failed is not None
    if released:
        site.ingest.release(0)
    site.ingest.apply(site.fetch(0 if released else 3))
    changelog = {entry.key: entry.value for entry in [*failed.windows, *site.written().windows]}
    assert {key for key, value in changelog.items() if value is not None} == site.tables.closed.keys()
    site.add("a", a_row(360))
    site.ingest.apply(site.fetch(6))
    assert sorted(entry.value is None for entry in site.written().windows) == [False, True]


def test_a_spec_is_ordered_with_the_rows() -> None:
    """A window that closed before the spec came is read by the old one, whenever it is looked at."""
    site = Site()
    site.add("a", *(a_row(i) for i in range(61)))
    site.add("a", {"control": "asset_spec", "spec": {"nominal_capacity_ah": 100}})
    site.add("a", *(a_row(i) for i in range(61, 122)))
    site.ingest.apply(site.fetch())
    site.written()
    first, second = site.closed_windows()
    assert first.metrics["c_rate_mean_per_h"].reason == "capacity_missing"
    assert second.metrics["c_rate_mean_per_h"].value == pytest.approx(0.1)


def test_an_upload_ends_and_is_forgotten() -> None:
    """The end settles the last rows and makes the lifetime final; later rows are rejected; forgetting is total."""
    site = Site()
    site.add("u", *(a_row(i) for i in range(130)), {"control": "end_of_upload", "rows": 130}, a_row(200))
    assert site.ingest.apply(site.fetch()) == Applied(131, 1)
    checkpoint = site.written()
    assert json.loads(checkpoint.updates[-1].value)["final"] is True
    assert [dict(letter.headers)["__stream_app.errors.code"] for letter in checkpoint.dead_letters] == [b"late"]
    site.add("u", {"control": "forget"})
    site.ingest.apply(site.fetch(132))
    site.written()
    assert list(site.tables.assets) == [MARKER_KEY]
    assert not site.tables.closed


def test_a_late_row_goes_to_the_dead_letters_with_what_it_came_with() -> None:
    """Original key, value and headers, and why: code, offset, the row's position, the record's stamp."""
    site = Site()
    site.add("a", a_row(10), a_row(5), a_row(11))
    assert site.ingest.apply(site.fetch()) == Applied(3, 1)
    (letter,) = site.written().dead_letters
    assert (letter.key, letter.value) == site.log[1]
    headers = dict(letter.headers)
    assert headers["trace"] == b"1"
    assert headers["__stream_app.errors.code"] == b"late"
    assert headers["__stream_app.errors.offset"] == b"1"
    assert headers["__stream_app.errors.row"] == b"0"
    assert site.rows("a") == 2


def test_rows_within_the_allowed_lateness_are_put_in_order() -> None:
    """Three seconds late of five allowed: the same totals as in order; the upload's end flushes what waits."""
    straight, shuffled = Site(), Site(lateness_s=5)
    order = [0, 1, 4, 2, 3, 7, 5, 6, 8]
    straight.add("a", *(a_row(i, soc=40 + i) for i in sorted(order)), {"control": "end_of_upload", "rows": 9})
    shuffled.add("a", *(a_row(i, soc=40 + i) for i in order), {"control": "end_of_upload", "rows": 9})
    lives = []
    for site in (straight, shuffled):
        site.ingest.apply(site.fetch())
        site.written()
        lives.append(site.lifetime("a").metrics)
    assert lives[0] == lives[1]
