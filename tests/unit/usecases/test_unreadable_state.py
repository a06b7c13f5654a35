"""Stored states that cannot be read: an error of the domain, each time, that no row is condemned for."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from stream_app.domain.errors import CorruptStateError, DomainError, UnknownFormatError
from stream_app.domain.snapshot import FORMAT, HEADER
from stream_app.usecases.asset_views import AssetViews
from stream_app.usecases.ports import MARKER_KEY
from tests.unit.usecases.site import Site, a_row


def a_site_with_state() -> Site:
    site = Site()
    site.add("a", *(a_row(i, soc=50 + i % 30) for i in range(90)))
    site.ingest.apply(site.fetch())
    site.written()
    site.restarted()
    return site


@pytest.mark.parametrize(
    ("torn", "error", "reason"),
    [
        pytest.param(lambda value: value[:-1], CorruptStateError, "'a'.*there are no", id="its end is missing"),
        pytest.param(lambda value: value + b"x", CorruptStateError, "'a'.*should end at", id="something follows"),
        pytest.param(lambda value: value[:9] + b"unlisted" + value[17:], CorruptStateError, "not list", id="layout"),
        pytest.param(lambda value: value[:21] + b"[" + value[22:], CorruptStateError, "JSONDecode", id="not JSON"),
        pytest.param(lambda value: value.replace(b'levels":2', b'levels":9'), CorruptStateError, "there", id="levels"),
        pytest.param(lambda value: value.replace(b'"waiting', b'"wailing'), CorruptStateError, "KeyError", id="name"),
        pytest.param(lambda value: HEADER.pack(1, 5) + value[9:], UnknownFormatError, "before the", id="format 1"),
        pytest.param(lambda value: HEADER.pack(9, 5) + value[9:], UnknownFormatError, "up to 2", id="a newer format"),
        pytest.param(lambda value: value[:5], CorruptStateError, "shorter than its header", id="no header"),
    ],
)
def test_a_state_that_cannot_be_read_is_no_fault_of_a_row(
    torn: Callable[[bytes], bytes], error: type[DomainError], reason: str
) -> None:
    """However often its rows are read: the error of the domain with the cure, nothing applied, no dead letter."""
    site = a_site_with_state()
    sound = site.tables.assets[b"a"]
    site.tables.assets[b"a"] = torn(sound)
    site.add("b", a_row(0))
    site.add("a", a_row(90))
    for _ in range(3):
        with pytest.raises(error, match=f"{reason}.*STREAM_KAFKA__APP_ID"):
            site.ingest.apply(site.fetch(90))
        assert site.ingest.position(0) == 90
        assert site.ingest.checkpoint(0) is None
    site.tables.assets[b"a"] = sound
    site.ingest.apply(site.fetch(90))
    assert site.written().dead_letters == ()
    assert (site.rows("a"), site.rows("b")) == (91, 1)


@pytest.mark.parametrize("layouts", [b"{", b"[]", b'{"00": {"pane": []}}', json.dumps({"00": ["a@1#1", "|"]}).encode()])
def test_a_marker_that_cannot_be_read_is_an_error_of_the_domain(layouts: bytes) -> None:
    """Nothing is applied, and no position is told: the marker says how the topic's offsets and the state's differ."""
    site = a_site_with_state()
    site.tables.assets[MARKER_KEY] = HEADER.pack(FORMAT, 90) + layouts
    site.add("a", a_row(90))
    with pytest.raises(CorruptStateError, match="marker"):
        site.ingest.apply(site.fetch(90))
    with pytest.raises(CorruptStateError, match="marker"):
        site.ingest.position(0)


def test_a_closed_window_that_cannot_be_read_names_its_asset() -> None:
    """A look-up of it is an error of the domain."""
    site = a_site_with_state()
    ((key, value),) = site.tables.closed.items()
    with pytest.raises(CorruptStateError, match="closed window of asset 'a'"):
        AssetViews(site.catalogue, {}).windows("a", 60, [(key, value[:-8])])
