"""Rows are applied while a checkpoint is being written; whatever happens to the write, every row counts once."""

from __future__ import annotations

import json
from collections.abc import Generator

import pytest

from stream_app.usecases import checkpoints
from stream_app.usecases.ports import MARKER_KEY, WholeCheckpoint
from stream_app.wire.encode.update_list import UpdateList
from tests.unit.usecases.site import Site, a_row


def collected(site: Site) -> WholeCheckpoint:
    """A checkpoint that is being written."""
    checkpoint = site.ingest.checkpoint(0)
    assert checkpoint is not None
    return checkpoint


def settle(site: Site, checkpoint: WholeCheckpoint) -> None:
    site.tables.take(checkpoint)
    site.ingest.written(checkpoint)


def keys(checkpoint: WholeCheckpoint) -> list[tuple[bytes, bool]]:
    """Assets and whether they are kept; without the marker."""
    *assets, marker = checkpoint.assets
    assert marker.key == MARKER_KEY
    return [(entry.key, entry.value is not None) for entry in assets]


def straight(site: Site) -> dict[bytes, bytes]:
    """States of a site that applied the same log in one go."""
    other = Site()
    other.log = site.log
    other.ingest.apply(other.fetch())
    other.written()
    return other.tables.assets


def test_rows_of_meanwhile_are_in_the_next_checkpoint() -> None:
    """What was applied while the first was written is in the second, and nothing else is."""
    site = Site()
    site.add("a", a_row(0), a_row(1))
    site.add("b", a_row(0))
    site.ingest.apply(site.fetch())
    first = collected(site)
    site.add("b", a_row(1))
    site.add("c", a_row(0))
    site.ingest.apply(site.fetch(3))
    settle(site, first)
    assert first.position == 3
    second = site.written()
    assert (keys(second), second.position) == ([(b"b", True), (b"c", True)], 5)
    assert site.tables.assets == straight(site)
    assert site.ingest.checkpoint(0) is None


def test_a_failed_write_comes_back_with_what_changed_since() -> None:
    """Assets of both, closed windows in their order, dead letters of before first."""
    site = Site()
    site.add("a", *(a_row(i) for i in range(70)), a_row(3))
    site.add("b", a_row(0))
    site.ingest.apply(site.fetch())
    failed = collected(site)
    site.add("a", *(a_row(i) for i in range(70, 140)), a_row(4))
    site.add("c", a_row(0))
    site.ingest.apply(site.fetch(72))
    again = site.written()
    assert keys(again) == [(b"a", True), (b"b", True), (b"c", True)]
    closed = [u["window"]["start"] for each in again.updates if (u := json.loads(each.value))["final"]]
    assert closed == ["2022-04-13T00:00:00Z", "2022-04-13T00:01:00Z"]
    assert [dict(letter.headers)["__stream_app.errors.offset"] for letter in again.dead_letters] == [b"70", b"142"]
    assert {entry.key for entry in failed.windows} < {entry.key for entry in again.windows}
    assert site.tables.assets == straight(site)


@pytest.mark.parametrize("is_written", [False, True])
def test_an_asset_forgotten_while_it_is_written_is_gone(is_written: bool) -> None:
    """Whether the write of its state succeeds or not, the next checkpoint deletes it and its windows."""
    site = Site()
    site.add("a", *(a_row(i) for i in range(70)))
    site.add("b", a_row(0))
    site.ingest.apply(site.fetch())
    first = collected(site)
    site.add("a", {"control": "forget"})
    site.ingest.apply(site.fetch(71))
    if is_written:
        settle(site, first)
    second = site.written()
    assert keys(second) == [(b"a", False), *([] if is_written else [(b"b", True)])]
    assert second.assets[0].offset == 71
    assert [entry.key for entry in second.windows if entry.value is None] == [entry.key for entry in first.windows]
    assert site.tables.assets.keys() == {b"b", MARKER_KEY}
    assert not site.tables.closed


@pytest.mark.parametrize("is_written", [False, True])
def test_an_asset_that_comes_again_while_its_deletion_is_written_starts_empty(is_written: bool) -> None:
    """The table still has its old state then: rows after the deletion do not go on from that."""
    site = Site()
    site.add("a", *(a_row(i) for i in range(10)))
    site.ingest.apply(site.fetch())
    site.written()
    site.add("a", {"control": "forget"})
    site.ingest.apply(site.fetch(10))
    first = collected(site)
    site.add("a", a_row(50), a_row(51))
    site.ingest.apply(site.fetch(11))
    if is_written:
        settle(site, first)
    second = site.written()
    assert keys(second) == [*([] if is_written else [(b"a", False)]), (b"a", True)]
    assert site.rows("a") == 2


def test_an_asset_that_is_forgotten_once_more_is_deleted_as_of_the_last_time() -> None:
    """The deletion under way is of the first time; the second one is written next."""
    site = Site()
    site.add("a", a_row(0), {"control": "forget"})
    site.ingest.apply(site.fetch())
    first = collected(site)
    site.add("a", a_row(1), {"control": "forget"})
    site.ingest.apply(site.fetch(2))
    settle(site, first)
    second = site.written()
    assert [(entry.key, entry.offset) for entry in second.assets[:-1]] == [(b"a", 3)]


@pytest.mark.parametrize("is_written", [False, True])
def test_a_state_released_meanwhile_begins_from_the_tables(is_written: bool) -> None:
    """The write may succeed after the state is gone, or not: reading again from the position ends in the same."""
    site = Site()
    site.add("a", *(a_row(60 * i) for i in range(6)))
    site.ingest.apply(site.fetch(0, 3))
    first = collected(site)
    site.ingest.apply(site.fetch(3, 4))
    site.ingest.release(0)
    if is_written:
        settle(site, first)
    assert site.ingest.position(0) == (3 if is_written else None)
    site.ingest.apply(site.fetch(site.ingest.position(0) or 0))
    second = site.written()
    assert site.tables.assets == straight(site)
    changelog = {entry.key: entry.value for entry in [*first.windows, *second.windows]}
    assert {key for key, value in changelog.items() if value is not None} == site.tables.closed.keys()


def test_a_checkpoint_of_a_state_that_is_dropped_while_it_is_collected_is_none() -> None:
    """The generation may end between two slices: the state that comes next is not taken for the old one."""
    site = Site()
    site.add("a", *(a_row(i) for i in range(5)))
    site.ingest.apply(site.fetch())
    slices = site.ingest.collect(0)
    next(slices)
    site.ingest.drop()
    site.ingest.apply(site.fetch())

    def result() -> Generator[UpdateList, None, None]:
        assert (yield from slices) is None

    list(result())
    site.written()
    assert site.rows("a") == 5


def test_a_checkpoint_in_slices_is_the_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut into slices of a few assets and windows, it has the same updates and entries."""

    def checkpoint() -> WholeCheckpoint:
        site = Site()
        for i in range(0, 200, 7):
            for asset in "abcdefg":
                site.add(asset, a_row(i))
        site.ingest.apply(site.fetch())
        return site.written()

    whole = checkpoint()
    monkeypatch.setattr(checkpoints, "_ASSETS_PER_SLICE", 2)
    monkeypatch.setattr(checkpoints, "_WINDOWS_PER_SLICE", 3)
    cut = checkpoint()
    assert sorted(cut.updates) == sorted(whole.updates)
    assert (cut.windows, cut.assets, cut.position) == (whole.windows, whole.assets, whole.position)
