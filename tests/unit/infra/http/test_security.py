"""What every response carries, and who may read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stream_app.http_settings import HttpSettings
from stream_app.infra.http.api import ApiOptions

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site

PAGE = {"Origin": "https://dashboard.example"}


@pytest.mark.parametrize("path", ["/api/", "/docs", "/nowhere", "/health/ready", "/static-offline-docs/swagger-ui.css"])
async def test_every_answer_carries_the_security_headers(site: Site, path: str) -> None:
    """Errors and files too."""
    headers = (await site.client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


async def test_no_page_may_read_answers_by_default(site: Site) -> None:
    """No CORS headers."""
    headers = (await site.client.get("/api/", headers=PAGE)).headers
    assert "access-control-allow-origin" not in headers


async def test_listed_page_may_read_answers_and_errors(open_site: OpenSite) -> None:
    """Others may not."""
    options = ApiOptions(max_upload_bytes=9, max_body_bytes=9, cors_origins=["https://dashboard.example"])
    client = open_site("here", options=options).client
    for path in ("/api/", "/nowhere"):
        headers = (await client.get(path, headers=PAGE)).headers
        assert headers["access-control-allow-origin"] == "https://dashboard.example"
    too_large = await client.post("/api/v1/measurements", content=b"0123456789", headers=PAGE)
    assert too_large.status_code == 413
    assert too_large.headers["access-control-allow-origin"] == "https://dashboard.example"
    headers = (await client.get("/api/", headers={"Origin": "https://elsewhere.example"})).headers
    assert "access-control-allow-origin" not in headers


def test_credentials_for_every_origin_are_refused() -> None:
    """Each page could act in a user's name."""
    with pytest.raises(ValueError, match="by name"):
        HttpSettings(cors_origins=("*",), cors_credentials=True)
