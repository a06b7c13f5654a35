"""Every error is a problem: its shape, its code, its cure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.fakes import FakeTables

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site

HEADER = "timestamp,current,voltage,soc\n"
GOOD = HEADER + "4/13/2022 0:00,40,900,50\n" * 2
CSV = {"data": ("rows.csv", GOOD.encode(), "text/csv")}
JSON = {"Content-Type": "application/json"}
ROW = {"asset_id": "a", "timestamp": 1649808002, "current": -40, "voltage": 890.5, "soc": 51}


def problem_of(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check what all problems share."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"] == f"/problems#{code}"
    assert body["instance"] == answer.request.url.path
    assert body["title"]
    assert body["detail"]
    assert "Traceback" not in answer.text
    return body


async def test_unknown_path_is_a_problem_that_points_to_the_docs(site: Site) -> None:
    """404."""
    assert "/docs" in problem_of(await site.client.get("/api/v2/metrics"), 404, "unknown_path")["detail"]


async def test_wrong_method_is_a_problem_that_names_the_right_ones(site: Site) -> None:
    """405, with the Allow header."""
    answer = await site.client.delete("/api/v1/catalogue")
    assert "DELETE" in problem_of(answer, 405, "method_not_allowed")["detail"]
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert (await site.client.delete("/api/v1/assets/a/spec")).headers["allow"] == "GET, HEAD, OPTIONS, PATCH, PUT"
    assert (await site.client.delete("/api/v1/metrics/")).headers["allow"] == "OPTIONS, POST"


@pytest.mark.parametrize("capacity", [None, "", "many", "0", "-94", "nan", "inf", "1e300"])
async def test_bad_capacity_names_the_field(site: Site, capacity: str | None) -> None:
    """Missing, text, zero, negative and not finite."""
    form = {} if capacity is None else {"nominal_capacity": capacity}
    body = problem_of(await site.client.post("/api/v1/metrics", files=CSV, data=form), 422, "bad_request_field")
    assert body["column"] == "nominal_capacity"
    assert [error["field"] for error in body["errors"]] == ["nominal_capacity"]
    assert "nominal_capacity" in body["detail"]
    assert site.log.appends == 0


@pytest.mark.parametrize("data", [None, "rows as a text field"])
async def test_missing_file_names_the_field(site: Site, data: str | None) -> None:
    """No part of that name, or one that is no file."""
    fields: dict[str, Any] = {"nominal_capacity": (None, "94")}
    if data is not None:
        fields["data"] = (None, data)
    body = problem_of(await site.client.post("/api/v1/metrics", files=fields), 422, "bad_request_field")
    assert body["column"] == "data"


@pytest.mark.parametrize(
    ("file", "code", "row", "column"),
    [
        (GOOD + "4/13/2022 0:00,40,n/a?,50\n", "bad_number", 3, "voltage"),
        (GOOD + "yesterday,40,900,50\n", "bad_timestamp", 3, "timestamp"),
        ("note,current,voltage,soc\n12:00,40,900,50\n", "missing_column", 0, "timestamp"),
        ("4/13/2022 0:00,40,900,50\n", "no_header", 0, None),
        (HEADER, "no_rows", None, None),
        ("", "no_header", None, None),
        ("PK\x03\x04...", "not_text", None, None),
    ],
)
async def test_bad_file_is_a_problem_with_row_and_column(
    site: Site, file: str, code: str, row: int | None, column: str | None
) -> None:
    """As far as there are any; nothing was sent."""
    files = {"data": ("rows.csv", file.encode(), "text/csv")}
    answer = await site.client.post("/api/v1/metrics", files=files, data={"nominal_capacity": "94"})
    body = problem_of(answer, 422, code)
    assert (body.get("row"), body.get("column")) == (row, column)
    assert site.log.appends == 0


async def test_body_that_is_no_form_is_a_problem(site: Site) -> None:
    """Broken multipart."""
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = await site.client.post("/api/v1/metrics", content=b"no boundary here", headers=headers)
    problem_of(answer, 400, "bad_request")


async def test_bad_posted_row_names_row_and_column(site: Site) -> None:
    """The list of errors repeats them."""
    rows = [ROW, ROW | {"voltage": "high"}, ROW | {"soc": None, "timestamp": "noon"}]
    body = problem_of(await site.client.post("/api/v1/measurements", json=rows), 422, "bad_row")
    assert (body["row"], body["column"]) == (1, "voltage")
    assert [(error["row"], error["field"]) for error in body["errors"]] == [(1, "voltage"), (2, "timestamp")]
    assert site.log.appends == 0


async def test_body_that_is_no_json_is_a_problem_with_the_position(site: Site) -> None:
    """The same code and status as where rows are posted."""
    answer = await site.client.put("/api/v1/assets/a/spec", content=b'{"windows": ', headers=JSON)
    assert "at character 12" in problem_of(answer, 422, "bad_json")["detail"]
    for content in (b'{"nominal_capacity_ah":' + b"9" * 9000 + b"}", b'{"windows":' + b"[" * 9000):
        answer = await site.client.put("/api/v1/assets/a/spec", content=content, headers=JSON)
        problem_of(answer, 422, "bad_json")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"nominal_capacity_ah": -1}, "nominal_capacity_ah"),
        ({"colour": "red"}, "colour"),
        ({"windows": ["7m", "15m"]}, "windows"),
    ],
)
async def test_bad_spec_names_the_field(site: Site, spec: dict[str, Any], field: str) -> None:
    """And sends nothing."""
    body = problem_of(await site.client.put("/api/v1/assets/a/spec", json=spec), 422, "bad_request_field")
    assert body["column"] == field
    assert site.log.appends == 0


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/v1/assets?limit=0", "limit"),
        ("/api/v1/assets?limit=1001", "limit"),
        ("/api/v1/assets/a%20b", "asset_id"),
        ("/api/v1/assets/" + "x" * 201, "asset_id"),
    ],
)
async def test_bad_parameter_names_the_field(site: Site, path: str, field: str) -> None:
    """Of the query and of the path."""
    assert problem_of(await site.client.get(path), 422, "bad_request_field")["column"] == field


async def test_bad_window_size_is_a_problem(site: Site) -> None:
    """It shows what one looks like."""
    site.tables.put("a")
    body = problem_of(await site.client.get("/api/v1/assets/a/windows/week"), 422, "bad_window_size")
    assert body["column"] == "size"


async def test_body_that_declares_too_much_is_refused_unread(site: Site) -> None:
    """413, with the connection closed behind it."""
    answer = await site.client.post("/api/v1/measurements", content=b"x" * 10_001)
    assert "10000 bytes" in problem_of(answer, 413, "body_too_large")["detail"]
    assert answer.headers["connection"] == "close"


async def test_body_without_a_length_is_refused_while_it_streams_in(site: Site) -> None:
    """No more than the limit is taken."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1_000_000:
            sent += 1000
            yield b"x" * 1000

    problem_of(await site.client.post("/api/v1/measurements", content=endless(), headers=JSON), 413, "body_too_large")


@pytest.mark.parametrize("slash", ["", "/"])
async def test_uploads_have_a_limit_of_their_own(site: Site, slash: str) -> None:
    """Larger than that of other bodies, on both paths."""
    for size, status in ((20_000, 202), (1_100_000, 413)):
        files = {"data": ("rows.csv", (HEADER + "4/13/2022 0:00,40,900,50\n" * (size // 25)).encode(), "text/csv")}
        answer = await site.client.post(f"/api/v1/metrics{slash}", files=files, data={"nominal_capacity": "94"})
        assert answer.status_code == status


async def test_streamed_upload_is_refused_at_its_limit(site: Site) -> None:
    """The form parser hands the refusal on."""
    head = b'--x\r\nContent-Disposition: form-data; name="data"; filename="f.csv"\r\n\r\n'

    async def endless() -> AsyncIterator[bytes]:
        yield head
        for _ in range(2000):
            yield b"1\n" * 500

    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = await site.client.post("/api/v1/metrics", content=endless(), headers=headers)
    problem_of(answer, 413, "body_too_large")


async def test_unexpected_error_is_a_problem_without_a_stack(
    open_site: OpenSite, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller gets the id under which the log has it, and the security headers."""

    class Exploding(FakeTables):
        def asset(self, partition: int, key: bytes) -> bytes | None:
            raise RuntimeError("secret")

    answer = await open_site(tables=Exploding()).client.get("/api/v1/assets/a")
    problem_of(answer, 500, "unexpected")
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "secret" in caplog.text


async def test_state_that_cannot_be_read_is_503(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """It tells why, here and in the log; whoever asks is not at fault, and other assets are answered."""
    partition = site.tables.put("a")
    site.tables.put("b", partition=partition)
    site.tables.assets[partition][b"a"] = site.tables.assets[partition][b"a"][:100]
    answer = await site.client.get("/api/v1/assets/a")
    assert "STREAM_KAFKA__APP_ID" in problem_of(answer, 503, "corrupt_state")["detail"]
    assert answer.headers["retry-after"]
    assert "cannot be read" in caplog.text
    assert (await site.client.get("/api/v1/assets/b")).status_code == 200


async def test_broker_that_does_not_take_rows_is_503(site: Site) -> None:
    """With the time to wait."""
    site.log.fail_at = {0}
    answer = await site.client.post("/api/v1/measurements", json=[ROW])
    problem_of(answer, 503, "broker_unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_openapi_names_problems_only(open_site: OpenSite) -> None:
    """The framework's own error model is nowhere."""
    document = (await open_site().client.get("/openapi.json")).text
    assert "HTTPValidationError" not in document
    assert '"Problem"' in document
