"""Who may do what: a table of every route by everybody who might try it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from fastapi.routing import APIRoute

from stream_app.infra.http.access import OPEN_PATHS, is_for_sessions
from stream_app.infra.http.api import ApiOptions
from stream_app.infra.http.rates import Rates
from stream_app.usecases.rights import SCOPES, Rights, Scope
from tests.unit.infra.http.keys import FOREIGN, MINE, Keys
from tests.unit.infra.http.test_problems import problem_of

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site

VALUES: Final = {"letter_id": "0-1", "size": "1m", "task_id": "0c9f7f0e-8f0b-4c1c-9d55-1b8d5d0d5c0f"}
ROW = {"asset_id": MINE, "timestamp": 1649808002, "current": -40, "voltage": 890.5, "soc": 51}


def routes(site: Site, asset_id: str = MINE) -> list[tuple[str, str]]:
    """Method and path of every route that is not open, documented or not."""
    found = []
    for route in site.api.state.routes:
        assert isinstance(route, APIRoute)
        path = route.path.format_map(VALUES | {"asset_id": asset_id}) if "{" in route.path else route.path
        methods = [] if path in OPEN_PATHS else sorted(route.methods or ())
        found += [(method, path) for method in methods if not is_for_sessions(method, path)]
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
    elif path.endswith(("/history", "/fleet")) and "/system/" not in path:
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
            if scope == needed or path.endswith("/session"):
                assert answer.status_code not in (401, 403)
            else:
                assert needed in problem_of(answer, 403, "forbidden")["detail"]


async def test_whoever_has_all_rights_is_never_held_up(guarded: Site, keys: Keys) -> None:
    """The check lets through what it has to."""
    for method, path in routes(guarded):
        is_for_workers = path.startswith(("/api/v1/places", "/api/v1/changes", "/api/v1/uploads/"))
        if not is_for_workers and not path.endswith("/events"):  # these have no end
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
    options = ApiOptions(max_upload_bytes=9999, max_body_bytes=9999, credentials=keys.credentials)
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


async def test_keys_that_are_not_read_yet_are_503(open_site: OpenSite, keys: Keys) -> None:
    """A valid key must not be taken for a wrong one."""
    keys.ring.is_complete = False
    site = open_site(options=ApiOptions(max_upload_bytes=9, max_body_bytes=9, credentials=keys.credentials))
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
    options = ApiOptions(max_upload_bytes=9, max_body_bytes=9, credentials=keys.credentials, rates=Rates("5/minute"))
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
