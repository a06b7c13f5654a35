"""New assets are bounded, in all and per minute of Kafka's time; a restart or a replay decides the same."""

from __future__ import annotations

import pytest

from schemas.asset import AssetSpec
from schemas.control import Forget, SpecControl
from stream_app.usecases.admission import AdmissionRules
from stream_app.usecases.ports import MARKER_KEY
from tests.unit.usecases.site import Site, a_row

MINUTE_MS = 60_000


def a_flood(site: Site, count: int, *, name: str = "junk", at_ms: int = 5) -> None:
    """New assets of one row each."""
    for i in range(count):
        site.stamps_ms[len(site.log)] = at_ms
        site.add(f"{name}-{i:03d}", a_row(i))


def assets(site: Site) -> set[str]:
    """Assets in the tables."""
    return {key.decode() for key in site.tables.assets} - {MARKER_KEY.decode()}


def codes(site: Site) -> list[tuple[bytes | None, bytes | None]]:
    """Apply the whole log and write it; returns key and code of each dead letter."""
    site.ingest.apply(site.fetch())
    return [(letter.key, dict(letter.headers)["__stream_app.errors.code"]) for letter in site.written().dead_letters]


def test_further_new_assets_of_a_minute_are_refused_and_known_ones_go_on() -> None:
    """The refused are dead letters, each with the setting; another minute has room again, an earlier one too."""
    site = Site(admission=AdmissionRules(per_minute=3))
    site.add("real", a_row(0))
    a_flood(site, 5)
    site.add("real", a_row(1))
    a_flood(site, 1, name="later", at_ms=7 * MINUTE_MS)
    a_flood(site, 1, name="before", at_ms=2 * MINUTE_MS)
    a_flood(site, 1, name="without-a-stamp", at_ms=-1)
    refused = codes(site)
    assert refused == [(b"junk-%03d" % i, b"too_many_assets") for i in (2, 3, 4)]
    assert assets(site) == {"real", "junk-000", "junk-001", "later-000", "before-000", "without-a-stamp-000"}
    assert site.rows("real") == 2


def test_assets_in_all_are_bounded_until_some_are_forgotten() -> None:
    """Of whatever minute; an asset that is there counts once."""
    site = Site(admission=AdmissionRules(in_all=2))
    a_flood(site, 3)
    assert codes(site) == [(b"junk-002", b"too_many_assets")]
    site.log.append((b"junk-000", Forget(asset_id="junk-000").model_dump_json().encode()))
    a_flood(site, 4)
    assert codes(site) == [(b"junk-002", b"too_many_assets"), (b"junk-003", b"too_many_assets")]
    assert assets(site) == {"junk-000", "junk-001"}


def test_a_spec_of_a_further_new_asset_is_refused() -> None:
    """It would bring the asset."""
    site = Site(admission=AdmissionRules(in_all=1))
    site.add("a", a_row(0))
    for asset in ("a", "b"):
        site.log.append((asset.encode(), SpecControl(asset_id=asset, spec=AssetSpec()).model_dump_json().encode()))
    assert codes(site) == [(b"b", b"too_many_assets")]


@pytest.mark.parametrize("cut", [0, 1, 4, 7, 11])
@pytest.mark.parametrize("written", [0, 2, 5])
def test_a_crash_changes_no_decision(cut: int, written: int) -> None:
    """Wherever it comes, and however many states of the checkpoint after it were written without their marker."""
    rules = AdmissionRules(per_minute=5)
    straight, crashed = Site(admission=rules), Site(admission=rules)
    for site in (straight, crashed):
        site.add("real", a_row(0))
        a_flood(site, 10)
        site.add("real", a_row(1))
    straight.ingest.apply(straight.fetch())
    straight.written()
    if cut:
        crashed.ingest.apply(crashed.fetch(0, cut))
        crashed.written()
    crashed.ingest.apply(crashed.fetch(cut))
    torn = crashed.ingest.checkpoint(0)
    assert torn is not None
    if cut:
        for entry in torn.assets[:-1][:written]:
            assert entry.value is not None
            crashed.tables.assets[entry.key] = entry.value
    crashed.restarted()
    crashed.ingest.apply(crashed.fetch(cut))
    crashed.written()
    assert crashed.tables.assets == straight.tables.assets


def test_rows_that_are_read_again_are_not_decided_again() -> None:
    """A fetch may begin before the position: what it had been refused for stays so, and takes nobody's place."""
    site = Site(admission=AdmissionRules(per_minute=2))
    a_flood(site, 3)
    site.ingest.apply(site.fetch(0, 3))
    site.log.append((b"junk-000", Forget(asset_id="junk-000").model_dump_json().encode()))
    site.ingest.apply(site.fetch(2, 4))
    site.add("junk-001", a_row(9))
    site.ingest.apply(site.fetch(0, 5))
    assert len(site.written().dead_letters) == 1
    assert assets(site) == {"junk-001"}


def test_rows_of_another_partition_are_refused_by_rule() -> None:
    """The reason names the right partition and the producer's setting; a spec there is refused, a deletion is not."""
    site = Site(admission=AdmissionRules(home=lambda key: key == b"far" and 3))
    site.add("far", a_row(0), a_row(1))
    site.add("near", a_row(0))
    site.log.append((b"far", SpecControl(asset_id="far", spec=AssetSpec()).model_dump_json().encode()))
    site.log.append((b"far", Forget(asset_id="far").model_dump_json().encode()))
    site.ingest.apply(site.fetch())
    letters = [dict(letter.headers) for letter in site.written().dead_letters]
    assert [letter["__stream_app.errors.code"] for letter in letters] == [b"wrong_partition"] * 3
    for letter in letters:
        message = letter["__stream_app.errors.message"] or b""
        assert b"partition 3" in message
        assert b"murmur2_random" in message
    assert assets(site) == {"near"}
