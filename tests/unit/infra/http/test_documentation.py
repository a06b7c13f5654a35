"""The documentation works without any other server and under its own content security policy."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import Site


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_page_refers_to_local_files_only(site: Site, path: str) -> None:
    """Each of them is there."""
    page = await site.client.get(path)
    assert page.status_code == 200
    assert "//" not in re.sub(r"//.*", "", page.text.replace("://", "FOREIGN")) or "FOREIGN" not in page.text
    assert "FOREIGN" not in page.text.replace("://", "FOREIGN")
    references = re.findall(r'(?:src|href|spec-url)="([^"]+)"', page.text)
    assert len(references) >= 2
    for reference in references:
        assert reference.startswith("/")
        assert (await site.client.get(reference)).status_code == 200


async def test_inline_script_is_allowed_by_its_hash_alone(site: Site) -> None:
    """No 'unsafe-inline' for scripts."""
    page = await site.client.get("/docs")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    (script,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy["default-src"] == "'self'"
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"


async def test_start_page_leads_programs_to_the_documentation(site: Site) -> None:
    """Browsers get the dashboard there."""
    answer = await site.client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")


async def test_each_route_is_documented_once(site: Site) -> None:
    """Under the path without a trailing slash, with a model for its answer and for its problems."""
    paths = (await site.client.get("/openapi.json")).json()["paths"]
    assert {(method.upper(), path) for path, methods in paths.items() for method in methods} == {
        ("POST", "/api/v1/metrics"),
        ("POST", "/api/v1/doctor"),
        ("GET", "/api/v1/metrics"),
        ("GET", "/api/v1/metrics/{task_id}"),
        ("DELETE", "/api/v1/metrics/{task_id}"),
        ("POST", "/api/v1/metrics/{task_id}/cancel"),
        ("GET", "/api/v1/assets"),
        ("GET", "/api/v1/fleet/summary"),
        ("GET", "/api/v1/events"),
        ("GET", "/api/v1/assets/{asset_id}"),
        ("DELETE", "/api/v1/assets/{asset_id}"),
        ("GET", "/api/v1/assets/{asset_id}/report"),
        ("GET", "/api/v1/assets/{asset_id}/passport"),
        ("GET", "/api/v1/assets/{asset_id}/windows/{size}"),
        ("GET", "/api/v1/assets/{asset_id}/temperatures"),
        ("GET", "/api/v1/assets/{asset_id}/spec"),
        ("PUT", "/api/v1/assets/{asset_id}/spec"),
        ("PATCH", "/api/v1/assets/{asset_id}/spec"),
        ("POST", "/api/v1/measurements"),
        ("GET", "/api/v1/catalogue"),
        ("GET", "/api/v1/system"),
        ("GET", "/api/v1/dead-letters"),
        ("GET", "/api/v1/dead-letters/{letter_id}"),
        ("GET", "/api/v1/system/history"),
        ("GET", "/api/v1/session"),
        ("POST", "/api/v1/session"),
        ("DELETE", "/api/v1/session"),
        ("GET", "/api/v1/assets/{asset_id}/events"),
        ("GET", "/api/v1/assets/{asset_id}/history"),
        ("GET", "/api/v1/fleet"),
        ("GET", "/api/"),
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
    }
    for path, methods in paths.items():
        for operation in methods.values():
            assert operation["description"]
            for status, answer in operation["responses"].items():
                assert status == "204" or any(
                    content.get("schema") or content.get("itemSchema") for content in answer["content"].values()
                ), (path, status)
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)


async def test_the_first_try_of_each_operation_succeeds(site: Site) -> None:
    """As /docs fills the form in: with the examples of the document, in the order of a first day."""
    document = (await site.client.get("/openapi.json")).json()
    tried = []
    for path in sorted(document["paths"], key=lambda path: ("measurements" not in path, path)):
        operations = document["paths"][path]
        for method in sorted(operations, key=["get", "post", "put", "patch", "delete"].index):
            operation = operations[method]
            content = operation.get("requestBody", {}).get("content", {})
            if (
                "multipart/form-data" in content
                or "{task_id}" in path
                or "{letter_id}" in path
                or path.endswith("/events")
            ):
                continue  # whoever tries it has to choose a file, and to have sent one; a stream has no end
            given = {p["name"]: _example(p) for p in operation.get("parameters", []) if p["in"] in ("path", "query")}
            named = {name: value for name, value in given.items() if value is not None and "{" + name + "}" in path}
            query = {name: value for name, value in given.items() if value is not None and name not in named}
            body = {"json": _body(content["application/json"])} if content else {}
            answer = await site.client.request(method, path.format_map(named), params=query, **body)
            assert answer.is_success, (method, path, answer.text)
            tried.append((method, path))
            if "measurements" in path:
                site.tables.put("bess-001", sizes=("1m", "15m"))
                site.history.put("bess-001", "15m", datetime(2026, 3, 1, tzinfo=UTC), soc_mean_percent=50.0)
    assert len(tried) > 10


def _example(parameter: dict[str, Any]) -> Any:
    schema = parameter["schema"]
    return next(iter([*parameter.get("examples", {}), *schema.get("examples", [])]), schema.get("default") or None)


def _body(content: dict[str, Any]) -> Any:
    examples = content.get("examples")
    return next(iter(examples.values()))["value"] if examples else content["example"]
