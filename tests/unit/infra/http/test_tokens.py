"""Tokens of an identity provider: what is not exactly as it has to be opens nothing."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from stream_app.http_settings import JwtSettings
from stream_app.infra.http.server import HttpServer
from stream_app.infra.http.tokens import Tokens
from stream_app.usecases.rights import Rights

SETTINGS = JwtSettings(jwks_url="http://idp/jwks", issuer="http://idp", audience="stream-app")
KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
NOW_S = int(time.time())
CLAIMS: dict[str, Any] = {
    "iss": "http://idp",
    "aud": "stream-app",
    "sub": "alice",
    "iat": NOW_S,
    "exp": NOW_S + 600,
    "scope": "openid read write",
}


def tokens(**changed: Any) -> Tokens:
    return Tokens(SETTINGS.model_copy(update=changed), lambda _: KEY.public_key())


def signed(key: Any = KEY, algorithm: str = "ES256", **changed: Any) -> str:
    claims = {name: value for name, value in (CLAIMS | changed).items() if value is not None}
    token: str = jwt.encode(claims, key, algorithm=algorithm)
    return token


async def test_a_token_gives_the_scopes_that_it_names() -> None:
    """As words or as a list, with what the provider writes before them; others are left out."""
    found = await tokens().rights(signed())
    assert found is not None
    assert found == Rights("token alice", frozenset({"read", "write"}))
    listed = await tokens(scope_claim="roles", scope_prefix="stream:").rights(signed(roles=["stream:read", "write"]))
    assert listed is not None
    assert listed.scopes == {"read"}


@pytest.mark.parametrize(("claim", "prefix"), [("site-7/", "site-7/"), (None, None), (["a"], None)])
async def test_a_token_may_have_to_name_its_assets(claim: object, prefix: str | None) -> None:
    """One that does not is for none."""
    found = await tokens(prefix_claim="assets").rights(signed(assets=claim))
    assert (None if found is None else found.prefix) == prefix


def changed_signature() -> str:
    head, body, signature = signed().split(".")
    return f"{head}.{body}.{signature[:-4]}{'AAAA' if signature[-4:] != 'AAAA' else 'BBBB'}"


def changed_claims() -> str:
    head, _, signature = signed().split(".")
    return f"{head}.{signed(scope='admin').split('.')[1]}.{signature}"


@pytest.mark.parametrize(
    "token",
    [
        signed(exp=NOW_S - 60),
        signed(aud="another"),
        signed(aud=None),
        signed(iss="http://evil"),
        signed(iss=None),
        signed(exp=None),
        signed(iat=None),
        signed(sub=None),
        signed(iat=NOW_S + 600),
        signed(nbf=NOW_S + 600),
        signed(OTHER),
        signed("", "none"),
        signed("secret" * 8, "HS256"),
        changed_signature(),
        changed_claims(),
        "",
        "x",
        "a.b.c",
        "é.é.é",
        signed(scope=7),
    ],
)
async def test_what_is_forged_foreign_or_old_opens_nothing(token: str) -> None:
    """Algorithms, issuer, audience and times are fixed: a token does not choose them."""
    assert await tokens().rights(token) is None


async def test_a_provider_that_does_not_answer_opens_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """And is told in the log."""
    unreachable = Tokens(SETTINGS.model_copy(update={"jwks_url": "http://127.0.0.1:9/jwks"}))
    assert await unreachable.rights(jwt.encode(CLAIMS, KEY, algorithm="ES256", headers={"kid": "k"})) is None
    assert "cannot be fetched" in caplog.text


async def test_keys_are_fetched_where_the_provider_publishes_them() -> None:
    """By the `kid` of the token; one that is not among them opens nothing."""
    jwk = {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key())), "kid": "k", "use": "sig", "alg": "ES256"}

    async def jwks(scope: Scope, receive: Receive, send: Send) -> None:
        await JSONResponse({"keys": [jwk]})(scope, receive, send)

    server = HttpServer(jwks, "127.0.0.1", 0)
    await server.start()
    provided = Tokens(SETTINGS.model_copy(update={"jwks_url": f"http://127.0.0.1:{server.port}/jwks"}))
    for kid, opens in (("k", True), ("another", False)):
        token = jwt.encode(CLAIMS, KEY, algorithm="ES256", headers={"kid": kid})
        assert (await provided.rights(token) is not None) == opens
    assert await provided.rights(signed()) is None  # without a kid
    await server.stop()
