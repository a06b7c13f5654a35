"""Who may do what: a table of every route by everybody who might try it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from fastapi.routing import APIRoute

from stream_app.infra.http.access import OPEN_PATHS
from stream_app.infra.http.api import ApiOptions
from stream_app.infra.http.rates import Rates
from stream_app.usecases.api_keys import KeyRing, new_key
from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.rights import SCOPES, Rights, Scope
from tests.unit.infra.http.test_problems import problem_of

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site

MINE, FOREIGN = "mine-1", "foreign-1"
VALUES: Final = {"size": "1m", "task_id": "0c9f7f0e-8f0b-4c1c-9d55-1b8d5d0d5c0f"}
ROW = {"asset_id": MINE, "timestamp": 1649808002, "current": -40, "voltage": 890.5, "soc": 51}
NOW_S = int(time.time())


class Keys:
    """A ring with a key of each kind."""

    def __init__(self) -> None:
        self.ring = KeyRing()
        self.ring.is_complete = True
        self.admin = self.add(SCOPES)
        self.mine = self.add(SCOPES, prefix="mine-")
        self.reader = self.add(["read"])
        self.writer = self.add(["write"])
        self.expired = self.add(SCOPES, valid_s=-1)
        self.revoked = self.add(SCOPES, revoked_s=NOW_S)

    def add(self, scopes: Any, *, prefix: str = "", valid_s: int | None = None, revoked_s: int | None = None) -> str:
        key, record = new_key("test", scopes, prefix, NOW_S, valid_s)
        self.ring.take(record.model_copy(update={"revoked_s": revoked_s}).model_dump_json().encode())
        return key

    async def authenticate(self, given: str) -> Rights | None:
        return self.ring.rights(given, time.time())


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def guarded(open_site: OpenSite, keys: Keys) -> Site:
    options = ApiOptions(max_upload_bytes=100_000, max_body_bytes=10_000, authenticate=keys.authenticate)
    site = open_site("here", options=options)
    for asset_id in (MINE, FOREIGN):
        site.tables.put(asset_id)
    return site


def routes(site: Site, asset_id: str = MINE) -> list[tuple[str, str]]:
    """Method and path of every route that is not open, documented or not."""
    found = []
    for route in site.api.state.routes:
        assert isinstance(route, APIRoute)
        path = route.path.format_map(VALUES | {"asset_id": asset_id}) if "{" in route.path else route.path
        found += [(method, path) for method in sorted(route.methods or ()) if path not in OPEN_PATHS]
    assert len(found) > 10
    return found


async def ask(site: Site, method: str, path: str, key: str | None, asset_id: str = MINE) -> httpx.Response:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    body: dict[str, Any] = {}
    csv = b"timestamp,current,voltage,soc\n4/13/2022 0:00,40,900,50\n"
    if path.endswith("/doctor"):
        body = {"content": csv}
        headers |= {"Content-Type": "text/csv"}
    elif path.rstrip("/").endswith("/api/v1/metrics") and method == "POST":
        body = {"files": {"data": ("rows.csv", csv)}, "data": {"nominal_capacity": "94"}}
    elif method in ("POST", "PUT", "PATCH"):
        body = {"json": [ROW | {"asset_id": asset_id}] if path.endswith("measurements") else {}}
    elif path.endswith(("/history", "/fleet")):
        body = {"params": {"metric": "rte_raw"}}
    return await site.client.request(method, path, headers=headers, **body)


async def test_without_a_valid_key_nothing_passes(guarded: Site, keys: Keys) -> None:
    """Every route by: no key, one that has expired, was revoked, has another secret, is of another form."""
    forged = f"{keys.admin[:-1]}{'A' if keys.admin[-1] != 'A' else 'B'}"
    another = f"sk.{keys.admin.split('.')[1]}.{keys.reader.split('.')[2]}"
    for method, path in routes(guarded):
        for key in (None, keys.expired, keys.revoked, forged, another, "sk.nobody.x", "x", "sk..", "é", "a" * 5000):
            headers = {} if key is None else {b"Authorization": f"Bearer {key}".encode()}
            answer = await guarded.client.request(method, path, headers=headers)
            problem_of(answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"] == "Bearer"
    assert guarded.log.appends == 0


async def test_a_scope_opens_what_it_names_alone(guarded: Site, keys: Keys) -> None:
    """Who reads does not write, who writes does not read, and neither deletes."""
    for method, path in routes(guarded):
        needed: Scope = {"GET": "read", "DELETE": "admin"}.get(method, "write")  # type: ignore[assignment]
        for key, scope in ((keys.reader, "read"), (keys.writer, "write")):
            # A stream that is opened has no end.
            asked = "HEAD" if scope == needed and path.endswith("/events") else method
            answer = await ask(guarded, asked, path, key)
            if scope == needed:
                assert answer.status_code not in (401, 403)
            else:
                assert needed in problem_of(answer, 403, "forbidden")["detail"]


async def test_whoever_has_all_rights_is_never_held_up(guarded: Site, keys: Keys) -> None:
    """The check lets through what it has to."""
    for method, path in routes(guarded):
        if not path.startswith("/api/v1/places") and not path.endswith("/events"):  # workers alone; no end
            assert (await ask(guarded, method, path, keys.admin)).status_code in (200, 202, 404)


async def test_foreign_assets_are_not_there(guarded: Site, keys: Keys) -> None:
    """Every route with an asset answers as for one that never was, before it reads a body; posted rows too."""
    changed = guarded.log.appends
    for method, path in routes(guarded, FOREIGN):
        if FOREIGN in path:
            foreign = problem_of(await ask(guarded, method, path, keys.mine), 404, "unknown_asset")
            never = (
                problem_of(
                    await ask(guarded, method, path.replace(FOREIGN, "mine-9"), keys.admin), 404, "unknown_asset"
                )
                if method == "GET"
                else {}
            )
            if never:
                assert {k: str(v).replace("mine-9", FOREIGN) for k, v in never.items()} == {
                    k: str(v) for k, v in foreign.items()
                }
    answer = await ask(guarded, "POST", "/api/v1/measurements", keys.mine, FOREIGN)
    problem_of(answer, 404, "unknown_asset")
    assert guarded.log.appends == changed
    assert (await ask(guarded, "POST", "/api/v1/measurements", keys.mine)).status_code == 202


@pytest.mark.parametrize(
    ("asked", "listed"),
    [("", [MINE]), ("m", [MINE]), ("mine-1", [MINE]), ("foreign", []), ("foreign-1", []), ("mine-2", [])],
)
async def test_lists_leave_foreign_assets_out(guarded: Site, keys: Keys, asked: str, listed: list[str]) -> None:
    """Whatever prefix is asked for."""
    answer = await ask(guarded, "GET", f"/api/v1/assets?prefix={asked}", keys.mine)
    assert [item["asset_id"] for item in answer.json()["assets"]] == listed
    assert answer.json()["next_cursor"] is None


async def test_another_worker_answers_with_the_askers_rights(open_site: OpenSite, keys: Keys) -> None:
    """Rights travel with the question; nobody can add them from outside."""
    options = ApiOptions(max_upload_bytes=9999, max_body_bytes=9999, authenticate=keys.authenticate)
    here, there = open_site("here", options=options), open_site("there", options=options)
    here.tables.owned, there.tables.owned = {0, 1}, {2, 3}
    here.cluster.owners = dict.fromkeys((0, 1), here.url) | dict.fromkeys((2, 3), there.url)
    here.cluster.others = [there.url]
    for asset_id in (MINE, FOREIGN):
        there.tables.put(asset_id, partition=2)
    assert (await ask(here, "GET", f"/api/v1/assets/{MINE}", keys.mine)).status_code == 200
    assert (await ask(here, "GET", f"/api/v1/assets/{FOREIGN}", keys.mine)).status_code == 404
    listed = (await ask(here, "GET", "/api/v1/assets", keys.mine)).json()["assets"]
    assert [item["asset_id"] for item in listed] == [MINE]
    question = here.network.seen[0]
    headers = {**question.headers, "x-stream-app-rights": Rights("me", frozenset(SCOPES)).written()}
    problem_of(await there.client.get(question.url.path, headers=headers), 403, "foreign_hop")


async def test_probes_and_documentation_are_open(guarded: Site) -> None:
    """They have no data; figures have."""
    for path in ("/api/", "/health/live", "/health/ready", "/docs", "/openapi.json", "/problems"):
        assert (await guarded.client.get(path)).status_code == 200
    problem_of(await guarded.client.get("/metrics"), 401, "unauthenticated")
    problem_of(await guarded.client.get("/nowhere"), 401, "unauthenticated")


async def test_a_key_may_come_in_its_own_header(guarded: Site, keys: Keys) -> None:
    """For programs that cannot set Authorization."""
    answer = await guarded.client.get("/api/v1/assets", headers={"X-API-Key": keys.reader})
    assert answer.status_code == 200


async def test_keys_that_are_not_read_yet_are_503(open_site: OpenSite) -> None:
    """A valid key must not be taken for a wrong one."""

    async def not_yet(_: str) -> Rights | None:
        raise UnavailableError("not_ready", "the API keys are not read yet")

    site = open_site(options=ApiOptions(max_upload_bytes=9, max_body_bytes=9, authenticate=not_yet))
    answer = await ask(site, "GET", "/api/v1/assets", "sk.a.b")
    assert problem_of(answer, 503, "not_ready")
    assert answer.headers["retry-after"]


async def test_writes_and_refusals_are_told_without_secrets(
    guarded: Site, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who, what, on what, from where, and how it ended."""
    await ask(guarded, "POST", "/api/v1/measurements", keys.writer)
    await ask(guarded, "GET", "/api/v1/assets", "sk.wrong.secret-text")
    told = capsys.readouterr().out
    assert f"key {keys.writer.split('.')[1]} (test)" in told
    assert "status=202" in told
    assert "refused" in told
    assert "secret-text" not in told
    assert keys.writer.split(".")[2] not in told


async def test_whoever_tries_keys_or_asks_too_often_has_to_wait(open_site: OpenSite, keys: Keys) -> None:
    """With Retry-After; a valid key of the same address waits as well."""
    options = ApiOptions(max_upload_bytes=9, max_body_bytes=9, authenticate=keys.authenticate, rates=Rates("5/minute"))
    site = open_site("here", options=options)
    statuses = [(await ask(site, "GET", "/api/v1/catalogue", keys.reader)).status_code for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2
    assert (await ask(site, "GET", "/api/v1/catalogue", keys.admin)).status_code == 200
    statuses = [(await ask(site, "GET", "/api/v1/catalogue", f"sk.x.{n}")).status_code for n in range(30)]
    assert statuses == [401] * 20 + [429] * 10
    answer = await ask(site, "GET", "/api/v1/catalogue", keys.admin)
    problem_of(answer, 429, "too_many_requests")
    assert int(answer.headers["retry-after"]) > 0


async def test_requests_at_once_keep_their_rights_apart(guarded: Site, keys: Keys) -> None:
    """Rights belong to a request, not to the worker."""
    asked = [keys.mine, keys.admin] * 20
    answers = await asyncio.gather(*(ask(guarded, "GET", "/api/v1/assets", key) for key in asked))
    assert [len(answer.json()["assets"]) for answer in answers] == [1, 2] * 20
