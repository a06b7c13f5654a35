"""A real OIDC server: what it signs for this service opens it, by the keys that it publishes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from stream_app.http_settings import JwtSettings
from stream_app.infra.http.tokens import Tokens
from stream_app.usecases.credentials import Credentials
from tests.readers.installed import identity_provider
from tests.unit.infra.http.conftest import OPTIONS
from tests.unit.infra.http.test_problems import problem_of

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site

pytestmark = pytest.mark.timeout(300)  # its packages are fetched once


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """URL of the provider."""
    command = ["node", str(identity_provider())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        assert process.stdin is not None
        process.stdin.close()  # ends it


def token_of(issuer: str, **changed: str) -> str:
    form = {
        "grant_type": "client_credentials",
        "client_id": "site-7",
        "scope": "read write",
        "audience": "stream-app",
    }
    answer = httpx.post(f"{issuer}/token", data=form | changed, trust_env=False)
    token: str = answer.raise_for_status().json()["access_token"]
    return token


def site_for(open_site: OpenSite, issuer: str, /, **settings: Any) -> Site:
    """A worker that takes the provider's tokens, as its discovery document says."""
    found = httpx.get(f"{issuer}/.well-known/openid-configuration", trust_env=False).json()
    given = {"jwks_url": found["jwks_uri"], "issuer": found["issuer"], "audience": "stream-app"}
    tokens = Tokens(JwtSettings(**given | settings))
    credentials = Credentials(
        keys=None, tokens=tokens.rights, secret=lambda: b"shared", session_s=3600, clock=time.time
    )
    return open_site("here", options=replace(OPTIONS, credentials=credentials))


async def test_tokens_of_a_real_provider_open_what_they_name(open_site: OpenSite, issuer: str) -> None:
    """Those for another audience do not, nor those of an issuer that the settings do not name."""
    site = site_for(open_site, issuer)

    async def ask(token: str, method: str = "GET", path: str = "/api/v1/assets") -> httpx.Response:
        return await site.client.request(method, path, headers={"Authorization": f"Bearer {token}"})

    token = token_of(issuer)
    assert (await ask(token)).status_code == 200
    assert (await ask(token, path="/api/v1/session")).json()["subject"] == "token site-7"
    problem_of(await ask(token, "DELETE", "/api/v1/assets/a"), 403, "forbidden")
    problem_of(await ask(token_of(issuer, scope="write")), 403, "forbidden")
    problem_of(await ask(token_of(issuer, audience="another")), 401, "unauthenticated")
    head, body, signature = token.split(".")
    problem_of(await ask(f"{head}.{body}.{signature[:-4]}AAAA"), 401, "unauthenticated")
    site = site_for(open_site, issuer, issuer="http://another.example")
    problem_of(await ask(token), 401, "unauthenticated")
