"""Live updates of an asset, and the list of the workers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import pytest

from schemas.lookup import AssetAnswer
from schemas.system import SystemAnswer
from stream_app.infra.http import events
from stream_app.infra.http.server import HttpServer

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site

EVENTS = "/api/v1/assets/a/events"


@pytest.fixture
async def url(site: Site, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A worker on a port: a stream has no end."""
    monkeypatch.setattr(events, "PERIOD_S", 0.01)
    server = HttpServer(site.api, "127.0.0.1", 0)
    await server.start()
    yield f"http://127.0.0.1:{server.port}{EVENTS}"
    await server.stop()


async def received(lines: AsyncIterator[str]) -> dict[str, str]:
    """Fields of the next event."""
    fields: dict[str, str] = {}
    async with asyncio.timeout(20):
        async for line in lines:
            if line == "" and "event" in fields:
                return fields
            name, _, value = line.partition(": ")
            fields[name] = value
    return {}


async def test_each_change_of_an_asset_is_sent(site: Site, url: str) -> None:
    """The first state at once, then the newest; its deletion ends the stream."""
    partition = site.tables.put("a", seq=1)
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client, client.stream("GET", url) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.aiter_lines()
        for seq in (1, 2):
            site.tables.put("a", seq=seq)
            event = await received(lines)
            assert (event["event"], event["id"]) == ("update", str(seq))
            assert AssetAnswer.model_validate(json.loads(event["data"])).meta.seq == seq
        del site.tables.assets[partition][b"a"]
        assert (await received(lines))["event"] == "deleted"
        assert await received(lines) == {}


async def test_a_client_that_comes_back_gets_what_it_has_not_seen(site: Site, url: str) -> None:
    """By the id of its last event; the stream ends with the worker."""
    site.tables.put("a", seq=5)
    for last, wanted in (("5", {}), ("4", {"event": "update", "id": "5"})):
        client = httpx.AsyncClient(trust_env=False, timeout=20)
        async with client, client.stream("GET", url, headers={"Last-Event-ID": last}) as stream:
            reading = asyncio.create_task(received(stream.aiter_lines()))
            if wanted:
                event = await reading
                assert {name: event[name] for name in wanted} == wanted
            else:
                site.cluster.phase = "stopping"
                assert await reading == {}
                site.cluster.phase = "ready"


async def test_what_cannot_be_streamed_is_a_problem_and_head_is_short(site: Site) -> None:
    """Before the stream begins."""
    assert (await site.client.get(EVENTS)).json()["code"] == "unknown_asset"
    assert (await site.client.get("/api/v1/assets/%2e/events")).status_code == 422
    site.tables.put("a")
    answer = await site.client.head(EVENTS)
    assert (answer.status_code, answer.content) == (200, b"")
    site.cluster.phase = "recovering"
    assert (await site.client.get(EVENTS)).status_code == 503


async def test_the_workers_are_listed(open_site: OpenSite) -> None:
    """Whoever is asked; those that do not answer, and what they had, are named."""
    here, there = open_site("here"), open_site("there")
    here.tables.owned, there.tables.owned = {0, 1}, {2}
    here.cluster.others = [there.url, "http://gone:8000"]
    here.tables.reach(0, 7)
    here.cluster.lags[1] = None
    answer = await here.client.get("/api/v1/system")
    system = SystemAnswer.model_validate_json(answer.content)
    assert [(w.url, [p.partition for p in w.partitions]) for w in system.workers] == [
        (here.url, [0, 1]),
        (there.url, [2]),
    ]
    assert (system.unreachable, system.without_owner) == (["http://gone:8000"], [3])
    assert [(p.position, p.lag) for p in system.workers[0].partitions] == [(7, 0), (0, None)]
