"""API keys: what is kept of them, and what each allows when."""

from __future__ import annotations

import pytest

from stream_app.usecases.api_keys import KeyRing, new_key
from stream_app.usecases.rights import Rights


def test_a_key_opens_what_it_was_made_for_until_it_expires() -> None:
    """Its record has no secret."""
    ring = KeyRing()
    key, record = new_key("site", ["read"], "site-7-", 100, 50)
    secret = key.split(".")[2]
    assert secret not in record.model_dump_json()
    ring.take(record.model_dump_json().encode())
    found = ring.rights(key, 149)
    assert found == Rights(f"key {record.id} (site)", frozenset({"read"}), "site-7-")
    assert found.may("read")
    assert not found.may("write")
    assert ring.rights(key, 150) is None
    ring.take(record.model_copy(update={"revoked_s": 120}).model_dump_json().encode())
    assert ring.rights(key, 121) is None


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xff", b'{"id":"a","scopes":[],"sha256":"x"}'])
def test_a_record_that_cannot_be_read_opens_nothing(value: bytes | None) -> None:
    """And stops nobody."""
    ring = KeyRing()
    ring.take(value)
    assert ring.records == {}


@pytest.mark.parametrize("rights", [Rights("é \n🔋", frozenset({"read"}), "päck/"), Rights("", frozenset(), "")])
def test_rights_travel_as_text(rights: Rights) -> None:
    """In a header: printable ASCII."""
    text = rights.written()
    assert text.isascii()
    assert text.isprintable()
    assert Rights.read(text) == rights


@pytest.mark.parametrize("text", ["", "{}", "[]", '["a",["root"],""]', '["a","read",""]'])
def test_what_are_no_rights_is_none(text: str) -> None:
    """A worker of another release."""
    assert Rights.read(text) is None
