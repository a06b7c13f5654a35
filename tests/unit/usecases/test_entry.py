"""Entries of the tables: what is packed comes back, and takes little room."""

from __future__ import annotations

import pytest

from stream_app.domain.snapshot import FORMAT, HEADER, header
from stream_app.usecases.entry import Entry


@pytest.mark.parametrize("content", [b"", b"x", bytes(8000), bytes(range(256)) * 9])
def test_a_value_comes_back_and_its_header_is_not_packed(content: bytes) -> None:
    """Newer is told from older without unpacking."""
    value = HEADER.pack(FORMAT, 7) + content
    entry = Entry.of(b"a", value, 7)
    assert entry.value == value
    assert header(entry.packed or b"") == 7
    assert len(entry.packed or b"") < len(value) // 5 + 50


def test_a_deletion_has_no_value() -> None:
    """Packed or not."""
    assert Entry.of(b"a", None, 7) == Entry(b"a", None, 7)
    assert Entry.of(b"a", None, 7).value is None
