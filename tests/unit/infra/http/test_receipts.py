"""Posted rows with an Idempotency-Key: written once, whoever is asked, whatever was restarted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from schemas.control import EndOfUpload
from stream_app.usecases import keyed_requests
from tests.fakes import partition_of
from tests.unit.infra.http.test_problems import problem_of
from tests.unit.infra.http.test_task_routes import sites

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import Site

__all__ = ["sites"]

ROWS = "/api/v1/measurements"
ROW = {"timestamp": 1649808002, "current": -40, "voltage": 890.5, "soc": 51}


async def post(site: Site, *asset_ids: str, key: str = "k-1") -> httpx.Response:
    rows = [ROW | {"asset_id": asset_id} for asset_id in asset_ids]
    return await site.client.post(ROWS, json=rows, headers={"Idempotency-Key": key})


def checkpoint(*workers: Site) -> EndOfUpload | None:
    """Let the tables follow the log; returns the end of the newest receipt."""
    end = None
    for site in workers:
        for partition in site.tables.owned:
            site.tables.reach(partition, len(site.log.partitions[partition]))
        for name in sorted(site.log.keys()):
            home = partition_of(name.encode())
            if name.startswith("upload-") and home in site.tables.owned:
                ends = [each for each in site.log.controls(name) if isinstance(each, EndOfUpload)]
                site.tables.put(name, rows=0, ended=ends[-1] if ends else None, ended_timestamp_ms=1)
                end = ends[-1] if ends else end
    return end


async def test_the_same_rows_under_the_same_key_are_written_once(sites: tuple[Site, Site]) -> None:
    """The answer is the same at both workers; other rows under the key are refused, other keys write again."""
    here, there = sites
    first = await post(here, "a", "b", "c")
    assert first.status_code == 202, first.text
    checkpoint(here, there)
    count = sum(map(len, here.log.partitions))
    for site in sites:
        again = await post(site, "a", "b", "c")
        assert (again.status_code, again.json()) == (202, first.json())
        problem_of(await post(site, "a", "b"), 409, "key_reused")
    assert sum(map(len, here.log.partitions)) == count
    assert (await post(there, "a", "b", "c", key="k-2")).status_code == 202
    assert len(here.log.values("a")) == 2
    checkpoint(here, there)
    assert (await here.client.get("/api/v1/metrics")).json()["tasks"] == []


async def test_what_was_broken_off_is_never_written_again(site: Site) -> None:
    """Nobody can tell which of its rows count."""
    site.log.fail_at = {1}  # the receipt's beginning stands, the rows do not
    problem_of(await post(site, "a"), 503, "broker_unavailable")
    end = checkpoint(site)
    assert end is not None
    assert end.error
    problem_of(await post(site, "a"), 409, "outcome_unknown")
    assert site.log.values("a") == []


async def test_bad_rows_take_no_key(site: Site) -> None:
    """They may be mended and sent again."""
    answer = await site.client.post(ROWS, json=[{"asset_id": "a"}], headers={"Idempotency-Key": "k-1"})
    assert answer.status_code == 422
    assert site.log.appends == 0
    assert (await post(site, "a")).status_code == 202


async def test_rows_that_are_not_processed_yet_are_not_written_again(
    sites: tuple[Site, Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever repeats them waits until it is certain; that there was nothing before is no answer any more."""
    monkeypatch.setattr(keyed_requests, "_PATIENCE_S", 0.2)
    here, there = sites
    first = await post(here, "a", "b", "c")
    assert first.status_code == 202
    count = sum(map(len, here.log.partitions))
    for site in sites:
        problem_of(await post(site, "a", "b", "c"), 503, "not_processed_yet")
    assert sum(map(len, here.log.partitions)) == count
    checkpoint(here, there)
    for site in sites:
        assert (await post(site, "a", "b", "c")).json() == first.json()
    assert sum(map(len, here.log.partitions)) == count
