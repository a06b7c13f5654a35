"""Live updates of all assets: what changes at any worker, as whoever listens may see it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from schemas.fleet import AssetItem
from stream_app.infra.http import events
from stream_app.infra.http.api import ApiOptions
from stream_app.infra.http.server import HttpServer
from stream_app.usecases import fleet_changes
from tests.fakes import PARTITIONS, partition_of
from tests.unit.infra.http.keys import NOW_S
from tests.unit.infra.http.test_events import received
from tests.unit.infra.http.test_problems import problem_of

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site
    from tests.unit.infra.http.keys import Keys

EVENTS = "/api/v1/events"


class Listener:
    """Somebody who listens to a worker's stream."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Listener:
        server = HttpServer(self.site.api, "127.0.0.1", 0)
        await server.start()
        self._stack.push_async_callback(server.stop)
        self._client = await self._stack.enter_async_context(
            httpx.AsyncClient(trust_env=False, timeout=20, base_url=f"http://127.0.0.1:{server.port}")
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def listen(self, query: str = "", last: str | None = None, key: str | None = None) -> AsyncIterator[str]:
        """Lines of a stream that has begun."""
        headers = {} if last is None else {"Last-Event-ID": last}
        headers |= {} if key is None else {"X-API-Key": key}
        stream = await self._stack.enter_async_context(self._client.stream("GET", EVENTS + query, headers=headers))
        assert stream.headers["content-type"].startswith("text/event-stream")
        return stream.aiter_lines()


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PERIOD_S", 0.01)
    monkeypatch.setattr(fleet_changes, "_SHARED_S", 0.0)


def put(site: Site, asset_id: str, seq: int, **more: Any) -> None:
    """A checkpoint with a row of an asset."""
    partition = site.tables.put(asset_id, seq=seq, **more)
    site.tables.reach(partition, seq + 1)


async def told(lines: AsyncIterator[str]) -> tuple[str, str, str]:
    """Kind, asset and id of the next event."""
    event = await received(lines)
    content = json.loads(event["data"])
    if event["event"] == "update":
        AssetItem.model_validate(content)
    return event["event"], content["asset_id"], event["id"]


def together(*places: tuple[int, int]) -> str:
    return ",".join(f"{partition}:{seq}" for partition, seq in sorted(places))


async def test_changes_of_all_assets_are_told_from_now_on(site: Site) -> None:
    """Each as the list has it; deletions too."""
    put(site, "a", 5)
    a, b = partition_of(b"a"), partition_of(b"b")
    assert a != b
    others = [(p, -1) for p in range(PARTITIONS) if p not in (a, b)]
    async with Listener(site) as listener:
        lines = await listener.listen()
        put(site, "b", 7)
        assert await told(lines) == ("update", "b", together((a, 5), (b, 7), *others))
        put(site, "a", 9)
        assert await told(lines) == ("update", "a", together((a, 9), (b, 7), *others))
        site.tables.forget("b")
        assert (await told(lines))[:2] == ("deleted", "b")


async def test_whoever_comes_back_gets_what_it_has_not_seen(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the id of its last event, the oldest change first, in portions; assets of one message stay together."""
    monkeypatch.setattr(fleet_changes, "_AT_ONCE", 3)
    partition = partition_of(b"a-0")
    names = [f"a-{i}" for i in range(100, 200) if partition_of(f"a-{i}".encode()) == partition][:10]
    for number, name in enumerate(names):
        put(site, name, 10 + number // 2)
    async with Listener(site) as listener:
        first = await listener.listen(last=f"{partition}:10")
        events_ = [await told(first) for _ in range(8)]
        assert [name for _, name, _ in events_] == names[2:]
        places = [dict(place.split(":") for place in each.split(",")) for _, _, each in events_]
        # An id tells nothing as seen that is still to come.
        assert [int(each[str(partition)]) for each in places] == [10, 11, 11, 12, 12, 13, 13, 14]
        again = await listener.listen(last=events_[3][2])
        assert [(await told(again))[1] for _ in range(4)] == names[6:]


async def test_named_assets_are_told_at_once_and_alone(site: Site) -> None:
    """An asset that is not there is told when it comes."""
    for number, name in enumerate(("a", "b", "c")):
        put(site, name, number)
    async with Listener(site) as listener:
        lines = await listener.listen("?asset=a&asset=d&asset=c")
        assert {(await told(lines))[1] for _ in range(2)} == {"a", "c"}
        put(site, "b", 20)
        put(site, "d", 30)
        assert (await told(lines))[1] == "d"


async def test_changes_at_other_workers_are_told_too(open_site: OpenSite) -> None:
    """Also when they take over a partition, and none twice."""
    here, there = open_site("here"), open_site("there")
    here.tables.owned, there.tables.owned = {0, 1}, {2, 3}
    here.cluster.others, there.cluster.others = [there.url], [here.url]
    names = {p: next(f"x-{i}" for i in range(99) if partition_of(f"x-{i}".encode()) == p) for p in range(PARTITIONS)}
    async with Listener(here) as listener:
        lines = await listener.listen()
        for partition, name in names.items():
            put(here if partition < 2 else there, name, 5)
            assert (await told(lines))[1] == name
        put(there, names[1], 5)
        here.tables.owned, there.tables.owned = {0}, {1, 2, 3}
        put(there, names[1], 6)
        assert (await told(lines))[1] == names[1]
        put(there, names[2], 7)
        assert (await told(lines))[1] == names[2]


async def test_foreign_assets_are_never_told(open_site: OpenSite, keys: Keys) -> None:
    """At this worker and at others, when they change, are deleted or are asked for by name."""
    options = ApiOptions(max_upload_bytes=9999, max_body_bytes=9999, credentials=keys.credentials)
    here, there = open_site("here", options=options), open_site("there", options=options)
    here.tables.owned, there.tables.owned = {0, 1}, {2, 3}
    here.cluster.others = [there.url]
    names = [f"{whose}-{i}" for whose in ("foreign", "mine") for i in range(8)]

    def change(seq: int) -> None:
        for name in names:
            put(here if partition_of(name.encode()) < 2 else there, name, seq)

    change(1)
    async with Listener(here) as listener:
        lines = await listener.listen(key=keys.mine)
        change(2)
        seen = [(await told(lines))[1] for _ in range(8)]
        for site in (here, there):
            site.tables.forget("foreign-1")
        change(3)
        seen += [(await told(lines))[1] for _ in range(8)]
        assert {name.partition("-")[0] for name in seen} == {"mine"}
        named = await listener.listen("?asset=foreign-2&asset=mine-2", key=keys.mine)
        assert (await told(named))[1] == "mine-2"
        last = together(*((partition, 0) for partition in range(PARTITIONS)))
        resumed = await listener.listen(last=last, key=keys.mine)
        assert {(await told(resumed))[1] for _ in range(8)} == {f"mine-{i}" for i in range(8)}


async def test_a_stream_ends_with_its_key_and_its_worker(guarded: Site, keys: Keys) -> None:
    """At once."""
    key = keys.add(["read"])
    async with Listener(guarded) as listener:
        lines, others = await listener.listen(key=key), await listener.listen(key=keys.reader)
        reading = asyncio.create_task(received(lines))
        record = keys.ring.records[key.split(".")[1]].model_copy(update={"revoked_s": NOW_S})
        keys.ring.take(record.model_dump_json().encode())
        assert await reading == {}
        put(guarded, "mine-1", 90)
        assert (await told(others))[1] == "mine-1"
        guarded.cluster.phase = "stopping"
        assert await received(others) == {}


@pytest.mark.parametrize("last", ["x", "1", "1:x", "1:2,", "-1:2", "1:2;3:4"])
async def test_a_place_that_no_event_had_is_a_problem(site: Site, last: str) -> None:
    """Before the stream begins."""
    answer = await site.client.get(EVENTS, headers={"Last-Event-ID": last})
    assert problem_of(answer, 422, "bad_request_field")["column"] == "Last-Event-ID"


async def test_changes_are_for_workers_alone(site: Site) -> None:
    """Others ask for the stream."""
    problem_of(await site.client.get("/api/v1/changes?since={}"), 404, "unknown_path")
