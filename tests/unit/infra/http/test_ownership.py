"""Two workers over HTTP: one hop, no loop."""

from __future__ import annotations

import asyncio
import io
import uuid
from typing import TYPE_CHECKING

import httpx
import pytest

from schemas.control import Forget
from stream_app.infra.http.hops import HOP_HEADER, RIGHTS_HEADER, HopKey
from stream_app.infra.http.ownership import HttpPeers
from stream_app.usecases.rights import EVERYTHING
from stream_app.usecases.running_uploads import RunningUpload
from stream_app.usecases.splits import SplitAssets
from tests.fakes import partition_of

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site


KEY = HopKey(lambda: b"shared")


def hop(path: str) -> dict[str, str]:
    """Headers of a question of another worker."""
    rights = EVERYTHING.written()
    return {HOP_HEADER: KEY.sign(path, rights) or "", RIGHTS_HEADER: rights}


@pytest.fixture
def pair(open_site: OpenSite) -> tuple[Site, Site]:
    """Two workers with two partitions each."""
    here, there = open_site("here"), open_site("there")
    here.tables.owned, there.tables.owned = {0, 1}, {2, 3}
    owners = {0: here.url, 1: here.url, 2: there.url, 3: there.url}
    here.cluster.owners, there.cluster.owners = owners, owners
    here.cluster.others, there.cluster.others = [there.url], [here.url]
    return here, there


@pytest.mark.parametrize(
    "path",
    ["", "/spec", "/windows/1m", "/temperatures?size=1m", "/windows/1m?from=2022-04-13T02:00:00%2B02:00"],
)
@pytest.mark.parametrize("partition", [2, 3])
async def test_worker_passes_on_what_the_owner_answers(pair: tuple[Site, Site], path: str, partition: int) -> None:
    """The same bytes as the owner's own answer, which names it."""
    here, there = pair
    there.tables.put("a", partition=partition)
    there.tables.close_window("a", "1m", -60)
    answer = await here.client.get(f"/api/v1/assets/a{path}")
    assert answer.status_code == 200
    assert answer.content == (await there.client.get(f"/api/v1/assets/a{path}")).content
    assert answer.json()["meta"]["owner"] == there.url
    assert answer.headers["content-type"] == "application/json"


async def test_question_between_workers_carries_the_hop_and_the_request_id(pair: tuple[Site, Site]) -> None:
    """Both logs tell the same story."""
    here, there = pair
    there.tables.put("a", partition=2)
    await here.client.get("/api/v1/assets/a", headers={"X-Request-ID": "story-1"})
    (request,) = here.network.seen
    assert KEY.verify(request.headers[HOP_HEADER], request.url.raw_path.decode(), EVERYTHING.written())
    assert request.headers["X-Request-ID"] == "story-1"


async def test_unknown_asset_is_404_when_both_have_looked(pair: tuple[Site, Site]) -> None:
    """One question, no loop."""
    here, _ = pair
    answer = await here.client.get("/api/v1/assets/a")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_asset")
    assert len(here.network.seen) == 1


async def test_hop_never_asks_further(pair: tuple[Site, Site]) -> None:
    """Its 404 tells which partitions it is about."""
    here, there = pair
    there.tables.put("a", partition=2)
    answer = await here.client.get("/api/v1/assets/a", headers=hop("/api/v1/assets/a"))
    assert answer.status_code == 404
    assert answer.json()["partitions"] == [0, 1]
    assert here.network.seen == []


@pytest.mark.parametrize("value", ["1", "0", "", "1.2", f"9.{'0' * 64}"])
async def test_a_hop_that_is_not_signed_is_an_ordinary_question(pair: tuple[Site, Site], value: str) -> None:
    """Nobody outside can pose as a worker."""
    here, there = pair
    there.tables.put("a", partition=2)
    assert (await here.client.get("/api/v1/assets/a", headers={HOP_HEADER: value})).status_code == 200
    answer = await here.client.get("/api/v1/assets", headers={HOP_HEADER: value})
    assert [item["asset_id"] for item in answer.json()["assets"]] == ["a"]
    assert (await here.client.get("/api/v1/places?ids=a", headers={HOP_HEADER: value})).status_code == 404


async def test_a_signature_is_good_for_its_own_question(pair: tuple[Site, Site]) -> None:
    """As from a worker with another secret: told, not asked further."""
    here, there = pair
    there.tables.put("a", partition=2)
    answer = await here.client.get("/api/v1/assets/a", headers=hop("/api/v1/assets/b"))
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_hop")


def test_a_signature_grows_old() -> None:
    """A question that is heard cannot be asked again much later."""
    now = [1_000.0]
    key = HopKey(lambda: b"shared", lambda: now[0])
    signed = key.sign("/api/v1/assets", "")
    assert signed is not None
    assert key.verify(signed, "/api/v1/assets", "")
    assert not key.verify(signed, "/api/v1/assets", "admin")
    assert not HopKey(lambda: b"other", lambda: now[0]).verify(signed, "/api/v1/assets", "")
    now[0] += 120
    assert not key.verify(signed, "/api/v1/assets", "")


async def test_a_worker_without_a_secret_asks_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """And says how to get one."""
    key = HopKey(lambda: None)
    peers = HttpPeers(key, timeout_s=1.0)
    assert await peers.get("http://there:8000", "assets", {}) is None
    assert "STREAM_HTTP__SECRET_FILE" in caplog.text
    assert not key.verify(f"1.{'0' * 64}", "/api/v1/assets", "")
    await peers.close()


async def test_unreachable_owner_is_503(pair: tuple[Site, Site]) -> None:
    """Its assets exist; nobody can tell what they are."""
    here, there = pair
    del here.network.apps[there.name]
    answer = await here.client.get("/api/v1/assets/a")
    assert (answer.status_code, answer.json()["code"]) == (503, "owner_unreachable")
    assert answer.headers["retry-after"]


async def test_owner_that_recovers_is_503(pair: tuple[Site, Site]) -> None:
    """It will know soon."""
    here, there = pair
    there.cluster.phase = "recovering"
    assert (await here.client.get("/api/v1/assets/a")).status_code == 503


async def test_lists_are_merged(pair: tuple[Site, Site]) -> None:
    """By id, whoever has them."""
    here, there = pair
    here.tables.put("b", partition=0)
    there.tables.put("a", partition=2)
    body = (await here.client.get("/api/v1/assets")).json()
    assert [item["asset_id"] for item in body["assets"]] == ["a", "b"]


async def test_task_is_answered_by_its_owner(pair: tuple[Site, Site]) -> None:
    """Uploads stand where their key's hash says."""
    for number in range(4):
        task_id = str(uuid.UUID(int=number))
        home = partition_of(f"upload-{task_id}".encode())
        owner, other = pair if home < 2 else reversed(pair)
        owner.tables.put(f"upload-{task_id}", partition=home)
        owner.running.add(task_id, RunningUpload(task_id, io.BytesIO(), 9, phase="checking", announced=True))
        assert (await other.client.get(f"/api/v1/metrics/{task_id}")).json()["state"] == "STARTED"
    task_id = str(uuid.UUID(int=99))
    for site in pair:
        assert (await site.client.get(f"/api/v1/metrics/{task_id}")).status_code == 404


async def test_spec_goes_where_the_owner_has_the_asset(pair: tuple[Site, Site]) -> None:
    """Though another partitioner put it there."""
    here, there = pair
    other = 2 if partition_of(b"a") == 3 else 3
    there.tables.put("a", partition=other)
    answer = await here.client.put("/api/v1/assets/a/spec", json={})
    assert answer.json()["partition"] == other


async def test_deletion_goes_where_the_asset_is(pair: tuple[Site, Site]) -> None:
    """One record on each of its partitions; an asset that nobody has is not found."""
    here, there = pair
    other = 2 if partition_of(b"a") == 3 else 3
    there.tables.put("a", partition=other)
    answer = await here.client.delete("/api/v1/assets/a")
    deleted = {"asset_id": "a", "partition": other, "offset": 0, "also_in": []}
    assert (answer.status_code, answer.json()) == (202, deleted)
    assert here.log.controls("a") == [Forget(asset_id="a")]
    here.tables.put("a", partition=1)
    answer = await here.client.delete("/api/v1/assets/a")
    assert (answer.json()["partition"], answer.json()["also_in"]) == (1, [other])
    assert [len(records) for records in here.log.partitions].count(0) == 2
    assert (await here.client.delete("/api/v1/assets/b")).status_code == 404
    assert not here.log.controls("b")


async def test_deletion_waits_for_workers_that_do_not_answer(pair: tuple[Site, Site]) -> None:
    """One of the places would stay."""
    here, there = pair
    here.tables.put("a", partition=0)
    del here.network.apps[there.name]
    assert (await here.client.delete("/api/v1/assets/a")).status_code == 503
    assert not here.log.keys()


async def test_an_answer_names_the_other_partitions(pair: tuple[Site, Site]) -> None:
    """Whoever answers: the worker that looked, and the one that was asked; until the other place is gone."""
    here, there = pair
    home = partition_of(b"a")
    (owner, foreign_owner), foreign = (pair, 2) if home < 2 else ((there, here), 0)
    owner.tables.put("a", partition=home)
    foreign_owner.tables.put("a", partition=foreign, rows=9)
    splits = SplitAssets(
        tables=foreign_owner.tables,
        cluster=foreign_owner.cluster,
        measurements=foreign_owner.log,
        places=foreign_owner.places,
        on_split=lambda: None,
        source="m",
        clock=lambda: 0.0,
    )
    await splits.sweep()
    answers = [(await site.client.get("/api/v1/assets/a", headers=hop("/api/v1/assets/a"))).json() for site in pair]
    assert {(a["meta"]["partition"], *a["meta"]["also_in"]) for a in answers} == {(home, foreign), (foreign, home)}


async def test_slow_worker_counts_as_unreachable() -> None:
    """However its answer trickles in."""

    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

    peers = HttpPeers(KEY, timeout_s=0.01, transport=Slow())
    assert await peers.get("http://there:8000", "assets", {}) is None
    await peers.close()


async def test_worker_with_a_nonsense_url_counts_as_unreachable() -> None:
    """Other workers name themselves."""
    peers = HttpPeers(KEY, timeout_s=1.0)
    assert await peers.get("http://[", "assets", {}) is None
    assert await peers.get("worker-0", "assets", {}) is None
    await peers.close()


async def test_a_worker_that_does_not_know_this_one_gives_no_answer() -> None:
    """As one that is just starting: whoever asks is told to ask again, not that it is forbidden."""
    refusal = httpx.Response(403, json={"code": "foreign_hop"})
    peers = HttpPeers(KEY, timeout_s=1.0, transport=httpx.MockTransport(lambda _: refusal))
    assert await peers.get("http://there:8000", "assets/a", {}) is None
    await peers.close()
