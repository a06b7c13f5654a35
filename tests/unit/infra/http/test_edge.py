"""Who may ask, by the host that is asked for and the page that asks; and which content types are taken."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from stream_app.infra.http.edge import HostCheck
from stream_app.infra.http.server import HttpServer
from tests.unit.infra.http.conftest import OPTIONS
from tests.unit.infra.http.test_problems import problem_of

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site

ROOT = Path(__file__).parents[4]
ROW = {"asset_id": "a", "timestamp": 1649808002, "current": -40, "voltage": 890.5, "soc": 51}
ROWS, SPEC, UPLOAD = "/api/v1/measurements", "/api/v1/assets/a/spec", "/api/v1/metrics"
FILE = ("rows.csv", b"timestamp,current,voltage,soc\n4/13/2022 0:00,40,900,50\n", "text/csv")
EVIL = "https://evil.example"


@pytest.mark.parametrize(
    ("host", "taken"),
    [
        ("127.0.0.1:8000", True),
        ("10.1.2.3", True),
        ("[::1]:8000", True),
        ("localhost:8000", True),
        ("app.localhost", True),
        ("worker-1:8000", True),
        ("fleet.example", True),
        ("FLEET.example.:443", True),
        ("a.below.example", True),
        ("below.example", False),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("1.2.3", False),
        ("", False),
        ("[::1", False),
        ("evil.example:80@localhost", True),
    ],
)
async def test_a_name_is_taken_when_nobody_else_can_let_it_lead_here(host: str, taken: bool) -> None:
    """A page whose name is made to lead to a worker (DNS rebinding) gets nothing."""
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def send(message: Message) -> None:
        seen.append(message)

    scope: Any = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", host.encode())]}
    check = HostCheck(app, ["fleet.example", "*.below.example"])
    await check(scope, asyncio.Event().wait, send)  # type: ignore[arg-type]  # nothing is received
    assert seen[0]["status"] == (200 if taken else 421)


async def test_a_probe_of_http_1_0_without_a_name_is_answered() -> None:
    """As load balancers send them; no browser does, so no foreign name hides there."""

    async def app(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"yes"})

    server = HttpServer(HostCheck(app, []), "127.0.0.1", 0)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /health/live HTTP/1.0\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()
    await server.stop()


async def test_a_foreign_name_is_a_problem_that_names_the_setting(site: Site) -> None:
    """On every path."""
    for path in ("/api/v1/assets", "/docs", "/metrics", "/nowhere"):
        answer = await site.client.get(path, headers={"Host": "evil.example"})
        assert "STREAM_HTTP__ALLOWED_HOSTS" in problem_of(answer, 421, "wrong_host")["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://here:9000", "Sec-Fetch-Site": "same-site"},
        {"Origin": "http://here:9000"},
    ],
)
async def test_pages_of_other_origins_write_nothing(site: Site, headers: dict[str, str]) -> None:
    """Rows, files, specs and deletions, also with what a form can send."""
    site.tables.put("a")
    answers = [
        await site.client.post(ROWS, json=[ROW], headers=headers),
        await site.client.post(ROWS, content=b"[]", headers={**headers, "Content-Type": "text/plain"}),
        await site.client.put(SPEC, json={}, headers=headers),
        await site.client.delete("/api/v1/assets/a", headers=headers),
        await site.client.post(UPLOAD, files={"data": FILE}, data={"nominal_capacity": "94"}, headers=headers),
    ]
    for answer in answers:
        problem_of(answer, 403, "foreign_origin")
    assert site.log.appends == 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://here:8000"},
        {"Origin": "https://fleet.example", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://listed.example", "Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_programs_own_pages_and_listed_ones_write(open_site: OpenSite, headers: dict[str, str]) -> None:
    """Behind a proxy that changes Host, the browser's word counts."""
    options = type(OPTIONS)(max_upload_bytes=9999, max_body_bytes=9999, cors_origins=["https://listed.example"])
    answer = await open_site(options=options).client.post(ROWS, json=[ROW], headers=headers)
    assert answer.status_code == 202


@pytest.mark.parametrize("given", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
@pytest.mark.parametrize(("method", "path"), [("POST", ROWS), ("PUT", SPEC), ("PATCH", SPEC), ("POST", UPLOAD)])
async def test_a_wrong_content_type_is_415(site: Site, method: str, path: str, given: str) -> None:
    """It names the right one."""
    headers = {"Content-Type": given} if given else {}
    answer = await site.client.request(method, path, content=b"{}", headers=headers)
    wanted = "multipart/form-data" if path == UPLOAD else "application/json"
    assert wanted in problem_of(answer, 415, "wrong_content_type")["detail"]


async def test_a_content_type_may_have_parameters(site: Site) -> None:
    """And any case."""
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert (await site.client.put(SPEC, content=b"{}", headers=headers)).status_code == 202
