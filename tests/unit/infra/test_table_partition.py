"""A table's partition: newer wins, for values and deletions alike, and overtaken entries are remembered."""

from __future__ import annotations

from stream_app.domain.snapshot import FORMAT, HEADER
from stream_app.infra.kafka.tables import Partition
from stream_app.usecases.entry import Entry
from stream_app.usecases.ports import MARKER_KEY


def a_value(key: bytes, offset: int, content: bytes = b"") -> Entry:
    return Entry.of(key, HEADER.pack(FORMAT, offset) + content, offset)


def a_deletion(key: bytes, offset: int) -> Entry:
    return Entry(key, None, offset)


def test_an_older_value_is_ignored_and_remembered_as_overtaken() -> None:
    """The newer one must be written again, or compaction keeps the older."""
    partition = Partition()
    newer = a_value(b"a", 50)
    partition.put(newer)
    partition.put(a_value(b"a", 20))
    assert partition.entries == {b"a": newer.value}
    assert partition.overtaken_entries() == [newer]
    partition.put(newer)
    assert partition.overtaken_entries() == []


def test_of_two_of_the_same_offset_the_later_holds() -> None:
    """A worker that was restarted at the same position may have written a state again."""
    partition = Partition()
    partition.put(a_value(b"a", 7, b"first"))
    partition.put(a_value(b"a", 7, b"second"))
    assert partition.entries == {b"a": a_value(b"a", 7, b"second").value}
    assert not partition.overtaken


def test_a_deletion_does_not_delete_a_newer_value() -> None:
    """An asset that was forgotten and came back survives a late deletion; it is written again."""
    partition = Partition()
    partition.put(a_value(b"a", 50))
    partition.put(a_deletion(b"a", 40))
    assert list(partition.entries) == [b"a"]
    assert partition.overtaken_entries() == [a_value(b"a", 50)]


def test_an_older_value_does_not_undo_a_deletion() -> None:
    """A deleted entry stays deleted; a newer value is a new entry."""
    partition = Partition()
    partition.put(a_value(b"a\x00w", 30))
    partition.put(a_deletion(b"a\x00w", 40))
    partition.put(a_value(b"a\x00w", 30))
    assert not partition.entries
    assert list(partition.with_prefix(b"a\x00")) == []
    assert partition.overtaken_entries() == [a_deletion(b"a\x00w", 40)]
    partition.put(a_value(b"a\x00w", 41))
    assert list(partition.with_prefix(b"a\x00")) == [b"a\x00w"]
    assert not partition.overtaken


def test_deletions_are_remembered_in_bounded_number() -> None:
    """The latest ones: a late writer cannot be that late."""
    partition = Partition()
    for number in range(10_050):
        partition.put(a_deletion(b"%d" % number, number))
    assert len(partition.deleted) == 10_000
    assert b"49" not in partition.deleted
    assert b"50" in partition.deleted


def test_the_marker_is_written_again_last() -> None:
    """As in a checkpoint: the marker says that everything before it is there."""
    partition = Partition()
    for key in (MARKER_KEY, b"a", b"z"):
        partition.put(a_value(key, 5))
    for key in (MARKER_KEY, b"a", b"z"):
        partition.put(a_value(key, 4))
    assert [entry.key for entry in partition.overtaken_entries()] == [b"a", b"z", MARKER_KEY]


def test_keys_of_assets_are_sorted_whenever_they_come_and_go() -> None:
    """Markers and windows are not among them; a page begins after a key, and ends with the prefix or the limit."""
    partition = Partition()
    for key in (b"b", b"a2", MARKER_KEY, b"c", b"a2\x0060\x001", b"a1"):
        partition.put(a_value(key, 5))
    assert partition.assets.some(b"", b"", None) == [b"a1", b"a2", b"b", b"c"]
    partition.put(a_value(b"a10", 6))
    partition.put(a_value(b"c", 6))
    partition.put(a_deletion(b"a2", 6))
    partition.put(a_deletion(b"d", 6))
    assert partition.assets.some(b"", b"", None) == [b"a1", b"a10", b"b", b"c"]
    assert partition.assets.some(b"a", b"", 1) == [b"a1"]
    assert partition.assets.some(b"a", b"a1", 9) == [b"a10"]
    assert partition.assets.some(b"a", b"b", 9) == []
    assert partition.assets.some(b"", b"a1", 2) == [b"a10", b"b"]
    assert partition.assets.some(b"b", b"a", None) == [b"b"]


def test_changes_are_told_since_they_were_asked_for_last() -> None:
    """Of assets alone, oldest first, each once; before the first question and in a new partition all there are."""
    partition = Partition()
    for key in (b"b", b"a", b"a\x00w"):
        partition.put(a_value(key, 1))
    partition.serve()
    first = partition.changed(0)
    assert (first.whole, list(first.keys)) == (True, [b"a", b"b"])
    assert partition.changed(first.until_ns) == (first.until_ns, [], False)
    for entry in (a_value(b"c", 2), a_value(b"a", 2), a_value(b"c", 3), a_deletion(b"b", 3), a_value(b"a", 1)):
        partition.put(entry)
    partition.put(Entry.of(MARKER_KEY, HEADER.pack(FORMAT, 3), 3))
    changed = partition.changed(first.until_ns)
    assert (changed.whole, changed.keys) == (False, [b"a", b"c", b"b"])
    assert changed.until_ns >= partition.changes[b"b"] > partition.changes[b"c"] > first.until_ns
    another = Partition()
    another.put(a_value(b"d", 9))
    another.serve()
    another.served_ns = another.changed_ns = changed.until_ns + 1  # it is served later
    assert another.changed(changed.until_ns) == (changed.until_ns + 1, [b"d"], True)
