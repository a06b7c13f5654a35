"""What goes for every path: methods, names of the query, forms, cursors, tags, and the page of all codes."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from starlette.types import Message

from schemas.asset import AssetSpec
from stream_app.infra.http import codes
from stream_app.infra.http.bodies import BodyDeadline
from tests.unit.infra.http.test_problems import problem_of

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import Site

ROOT = Path(__file__).parents[4]
ROW = {"asset_id": "a", "timestamp": 1649808002, "current": -40, "voltage": 890.5, "soc": 51}
ROWS, SPEC, UPLOAD = "/api/v1/measurements", "/api/v1/assets/a/spec", "/api/v1/metrics"
FILE = ("rows.csv", b"timestamp,current,voltage,soc\n4/13/2022 0:00,40,900,50\n", "text/csv")
EVIL = "https://evil.example"


GETS = [
    "/api/v1/assets",
    "/api/v1/assets/a",
    "/api/v1/assets/a/spec",
    "/api/v1/assets/a/windows/1m",
    "/api/v1/catalogue",
]


@pytest.mark.parametrize(
    "path", [*GETS, "/health/live", "/health/ready", "/metrics", "/docs", "/openapi.json", "/problems"]
)
async def test_head_is_answered_wherever_get_is(site: Site, path: str) -> None:
    """The same head, and no body."""
    site.tables.put("a")
    got, head = await site.client.get(path), await site.client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


async def test_head_of_what_is_not_there_is_404(site: Site) -> None:
    """As GET."""
    assert (await site.client.head("/nowhere")).status_code == 404
    assert (await site.client.head(ROWS)).status_code == 405


@pytest.mark.parametrize("path", GETS)
async def test_unknown_names_of_the_query_are_refused(site: Site, path: str) -> None:
    """A misspelt one would be left out in silence."""
    site.tables.put("a")
    assert problem_of(await site.client.get(f"{path}?foo=bar"), 422, "unknown_parameter")["column"] == "foo"


async def test_a_parameter_comes_once(site: Site) -> None:
    """Of two the framework would take the last."""
    problem_of(await site.client.get("/api/v1/assets?limit=1&limit=2"), 422, "repeated_field")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/v1/assets?cursor=%00", "bad_cursor"),
        ("/api/v1/assets?cursor=%ff%2f", "bad_cursor"),
        (f"/api/v1/assets?cursor={'z' * 60000}", "bad_cursor"),
        ("/api/v1/assets?prefix=%00", "bad_request_field"),
        (f"/api/v1/assets?prefix={'z' * 5000}", "bad_request_field"),
        ("/api/v1/assets/a/windows/1m?cursor=%00", "bad_cursor"),
        ("/api/v1/assets/a/windows/1m?cursor=zzz", "bad_cursor"),
        ("/api/v1/assets/a/windows/1m?cursor=-1", "bad_cursor"),
        ("/api/v1/assets/a/windows/1m?cursor=", "bad_cursor"),
        ("/api/v1/assets/a/windows/1m%0a", "bad_window_size"),
        ("/api/v1/assets/a/windows/%d9%a1m", "bad_window_size"),
        ("/api/v1/assets/a?min_offset=99999999999999999999999", "bad_request_field"),
        ("/api/v1/assets/a?min_offset=1000000", "offset_beyond_end"),
        ("/api/v1/assets/a/spec?min_offset=1000000", "offset_beyond_end"),
        ("/api/v1/assets/%2e", "bad_request_field"),
        ("/api/v1/assets/%2e%2e", "bad_request_field"),
    ],
)
async def test_what_no_answer_can_have_given_is_refused(site: Site, path: str, code: str) -> None:
    """Never an empty page, never a wait."""
    site.tables.put("a")
    problem_of(await site.client.get(path), 422, code)


async def test_options_tells_the_methods(site: Site) -> None:
    """Without a body."""
    answer = await site.client.options("/api/v1/assets/a/spec")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, PATCH, PUT"
    assert (await site.client.options("/nowhere")).status_code == 404


async def test_answers_are_not_kept_and_long_ones_are_compressed(site: Site) -> None:
    """Files of the documentation may be kept."""
    short = await site.client.get("/api/")
    assert short.headers["cache-control"] == "no-store"
    assert "content-encoding" not in short.headers
    long = await site.client.get("/openapi.json")
    assert long.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in long.headers["vary"].lower()
    assert "no-store" not in (await site.client.get("/static-offline-docs/swagger-ui.css")).headers.get(
        "cache-control", ""
    )


@pytest.mark.parametrize(
    ("parts", "status", "code"),
    [
        ([("data", FILE), ("data", FILE), ("nominal_capacity", (None, "94"))], 422, "repeated_field"),
        (
            [("data", FILE), ("nominal_capacity", (None, "94")), ("nominal_capacity", (None, "1"))],
            422,
            "repeated_field",
        ),
        ([("data", FILE), *((f"x{i}", (None, "1")) for i in range(400))], 400, "bad_request"),
        ([("data", FILE), ("nominal_capacity", (None, "9" * 100_000))], 400, "bad_request"),
    ],
)
async def test_a_form_is_bounded_and_names_each_field_once(site: Site, parts: Any, status: int, code: str) -> None:
    """Four hundred fields of a megabyte would fill the memory."""
    problem_of(await site.client.post(UPLOAD, files=parts), status, code)
    assert site.log.appends == 0


@pytest.mark.parametrize("spec", [{"nominal_capacity_ah": True}, {"nominal_capacity_ah": "94"}, {"windows": ["1m\n"]}])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_specs_are_as_strict_as_rows(site: Site, method: str, spec: dict[str, Any]) -> None:
    """Neither true nor text is a capacity."""
    problem_of(await site.client.request(method, SPEC, json=spec), 422, "bad_request_field")
    assert site.log.appends == 0


async def test_a_patch_leaves_the_other_fields(site: Site) -> None:
    """And with If-Match does not write over a change that it has not seen."""
    await site.client.put(SPEC, json={"nominal_capacity_ah": 94, "soc_scale": "fraction"})
    (control,) = site.log.controls("a")
    site.tables.put("a", rows=0, spec=control.spec)
    tag = (await site.client.get(SPEC)).headers["etag"]
    answer = await site.client.patch(
        SPEC, json={"nominal_energy_kwh": 80, "soc_scale": None}, headers={"If-Match": tag}
    )
    assert (answer.status_code, answer.json()["reset"]) == (202, ["soc_scale"])
    changed = site.log.controls("a")[-1].spec
    assert changed == AssetSpec(nominal_capacity_ah=94, nominal_energy_kwh=80)
    site.tables.put("a", rows=0, spec=changed)
    for method in ("PUT", "PATCH"):
        answer = await site.client.request(method, SPEC, json={}, headers={"If-Match": tag})
        problem_of(answer, 412, "changed_meanwhile")
    tag = (await site.client.get(SPEC)).headers["etag"]
    answer = await site.client.put(SPEC, json={}, headers={"If-Match": f'"x", {tag}'})
    assert (answer.status_code, answer.json()["reset"]) == (202, ["nominal_capacity_ah", "nominal_energy_kwh"])


async def test_posted_rows_tell_where_they_stand(site: Site) -> None:
    """As a look-up with min_offset needs it."""
    rows = [ROW, ROW | {"asset_id": "b"}, ROW]
    written = (await site.client.post(ROWS, json=rows)).json()["written"]
    assert written.keys() == {"a", "b"}
    for asset_id, at in written.items():
        keys = [key for key, _ in site.log.partitions[at["partition"]]]
        assert asset_id.encode() in keys[: at["offset"] + 1]


async def test_a_body_that_stops_is_told_after_a_while() -> None:
    """It would hold the request for ever."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route

    async def take(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    deadline = BodyDeadline(Starlette(routes=[Route("/", take, methods=["POST"])]), patience_s=0.01)
    parts = iter([{"type": "http.request", "body": b"x", "more_body": True}])
    sent: list[Message] = []

    async def receive() -> Any:
        part = next(parts, None)
        if part is None:
            await asyncio.Event().wait()
        return part

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-length", b"9")], "query_string": b""}
    await deadline(scope, receive, send)
    assert sent[0]["status"] == 408


def test_every_code_has_its_entry_and_one_status() -> None:
    """The page that each problem's type leads to."""
    written = re.compile(
        r"""(?:InvalidError|NotFoundError|UnavailableError|ForbiddenError|ChangedError|ConflictError|Refusal)\(\s*"([a-z_]+)"|"""
        r"""ProblemResponse\([^"]*?,\s*(?:\d+),\s*"([a-z_]+)"|^    code = "([a-z_]+)\"""",
        re.MULTILINE,
    )
    found = {
        code
        for path in (ROOT / "stream_app").rglob("*.py")
        for match in written.finditer(path.read_text("utf-8"))
        for code in match.groups()
        if code
    }
    assert len(found) > 30
    assert found <= codes.CODES.keys()
    assert (ROOT / "docs" / "errors.md").read_text("utf-8") == codes.markdown()


async def test_the_page_of_problems_has_an_entry_for_each_code(site: Site) -> None:
    """Under its name."""
    page = (await site.client.get("/problems")).text
    assert set(re.findall(r'id="([a-z_]+)"', page)) == codes.CODES.keys()


async def test_a_client_that_goes_away_is_a_line(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Not an error of the worker's."""
    caplog.set_level("INFO")
    parts: list[Any] = [{"type": "http.request", "body": b"[", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return parts.pop(0)

    async def send(message: Message) -> None:
        raise AssertionError(message)

    headers = [(b"host", b"here"), (b"content-type", b"application/json"), (b"content-length", b"99")]
    scope = {"type": "http", "method": "POST", "path": ROWS, "headers": headers, "query_string": b"", "client": None}
    await site.api(scope, receive, send)
    assert f"the client of POST {ROWS} went away" in caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
