"""Sessions of browsers: a cookie that is as good as the key it was opened with, for its own page alone."""

from __future__ import annotations

import time
from datetime import datetime
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from stream_app.http_settings import JwtSettings
from stream_app.infra.http.access import is_for_sessions
from stream_app.infra.http.api import ApiOptions
from stream_app.infra.http.rates import Rates
from stream_app.infra.http.tokens import Tokens
from stream_app.usecases.credentials import Credentials
from stream_app.usecases.rights import SCOPES
from tests.unit.infra.http.keys import FOREIGN, MINE, NOW_S, Keys
from tests.unit.infra.http.test_access import ROW, routes
from tests.unit.infra.http.test_problems import problem_of

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site

SESSION, NAME = "/api/v1/session", "stream_app_session"
BROWSER = {"Sec-Fetch-Site": "same-origin", "Origin": "http://here:8000"}


async def opened(site: Site, key: str, base: str = "http://here:8000") -> tuple[httpx.Response, Any]:
    """Open a session; returns the answer and its cookie. The client keeps none."""
    answer = await site.client.post(f"{base}{SESSION}", json={"key": key}, headers=BROWSER)
    site.client.cookies.clear()
    cookies = SimpleCookie(answer.headers.get("set-cookie", ""))
    return answer, next(iter(cookies.values()), None)


def as_browser(value: str, **headers: str) -> dict[str, str]:
    return BROWSER | {"Cookie": f"other=1; {NAME}={value}"} | headers


async def test_a_session_is_as_good_as_its_key(guarded: Site, keys: Keys) -> None:
    """Who asks and what it may do is told; foreign assets are not there, scopes hold."""
    answer, cookie = await opened(guarded, keys.mine)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["needs_key"], told["scopes"], told["prefix"]) == (True, list(SCOPES), "mine-")
    assert told["subject"] == f"key {keys.mine.split('.')[1]} (test)"
    assert NOW_S + 3600 <= datetime.fromisoformat(told["expires"]).timestamp() <= time.time() + 3600
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "strict", "/", "")
    assert keys.mine.split(".")[2] not in cookie.value
    headers = as_browser(cookie.value)
    assert (await guarded.client.get(SESSION, headers=headers)).json() == told
    listed = (await guarded.client.get("/api/v1/assets", headers=headers)).json()["assets"]
    assert [item["asset_id"] for item in listed] == [MINE]
    problem_of(await guarded.client.get(f"/api/v1/assets/{FOREIGN}", headers=headers), 404, "unknown_asset")
    assert (await guarded.client.post("/api/v1/measurements", json=[ROW], headers=headers)).status_code == 202
    _, cookie = await opened(guarded, keys.reader)
    answer = await guarded.client.post("/api/v1/measurements", json=[ROW], headers=as_browser(cookie.value))
    problem_of(answer, 403, "forbidden")


async def test_without_a_valid_session_nothing_passes(guarded: Site, keys: Keys) -> None:
    """Every route by: what is forged, of another key, later than it was signed for, of another form."""
    _, cookie = await opened(guarded, keys.admin)
    mark, key_id, end, signature = cookie.value.split(".")
    other = keys.reader.split(".")[1]
    changed = f"{signature[:-1]}{'0' if signature[-1] != '0' else '1'}"
    forged = [
        f"{mark}.{key_id}.{end}.{changed}",
        f"{mark}.{key_id}.{int(end) + 1}.{signature}",
        f"{mark}.{other}.{end}.{signature}",
        f"{mark}.nobody.{end}.{signature}",
        f"{mark}.{key_id}.{end}",
        f"{mark}.{key_id}.-1.{signature}",
        f"{mark}...",
        keys.admin,
        "",
        "x",
    ]
    for method, path in routes(guarded):
        for value in forged:
            answer = await guarded.client.request(method, path, headers=as_browser(value))
            problem_of(answer, 401, "unauthenticated")
    answer = await guarded.client.get("/api/v1/assets", headers={"Authorization": f"Bearer {cookie.value}"})
    problem_of(answer, 401, "unauthenticated")
    assert guarded.log.appends == 0


async def test_pages_of_other_origins_write_nothing_with_a_session(guarded: Site, keys: Keys) -> None:
    """Every route that writes; nor does a request that does not say where it comes from."""
    _, cookie = await opened(guarded, keys.admin)
    session = {"Cookie": f"{NAME}={cookie.value}"}
    writes = [(method, path) for method, path in routes(guarded) if method != "GET"]
    assert len(writes) >= 6
    for method, path in writes:
        for more in ({"Origin": "http://evil"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {}):
            problem_of(await guarded.client.request(method, path, headers=session | more), 403, "foreign_origin")
    for method in ("POST", "DELETE"):
        assert is_for_sessions(method, SESSION)
        answer = await guarded.client.request(method, SESSION, headers=session | {"Origin": "http://evil"})
        problem_of(answer, 403, "foreign_origin")
    assert guarded.log.appends == 0


async def test_a_session_ends_with_its_key(guarded: Site, keys: Keys) -> None:
    """At once, at whichever worker; a key that ends sooner ends it sooner."""
    key = keys.add(SCOPES, valid_s=600)
    answer, cookie = await opened(guarded, key)
    assert datetime.fromisoformat(answer.json()["expires"]).timestamp() == NOW_S + 600
    headers = as_browser(cookie.value)
    assert (await guarded.client.get("/api/v1/assets", headers=headers)).status_code == 200
    record = keys.ring.records[key.split(".")[1]].model_copy(update={"revoked_s": NOW_S})
    keys.ring.take(record.model_dump_json().encode())
    problem_of(await guarded.client.get("/api/v1/assets", headers=headers), 401, "unauthenticated")


async def test_a_session_ends_in_time(keys: Keys) -> None:
    """Whatever the browser does with the cookie; with another secret it is worth nothing."""
    now_s = time.time()
    clock = [now_s]
    credentials = Credentials(keys=keys.ring, secret=lambda: b"shared", session_s=3600, clock=lambda: clock[0])
    session = await credentials.open_session(keys.reader)
    assert session is not None
    clock[0] = now_s + 3598
    found = await credentials.rights_of_session(session.value)
    assert found is not None
    assert found.scopes == {"read"}
    another = Credentials(keys=keys.ring, secret=lambda: b"another", session_s=3600, clock=lambda: clock[0])
    assert await another.rights_of_session(session.value) is None
    clock[0] = now_s + 3601
    assert await credentials.rights_of_session(session.value) is None


async def test_a_session_is_closed(guarded: Site, keys: Keys) -> None:
    """The browser drops the cookie; an old one goes as well."""
    _, cookie = await opened(guarded, keys.reader)
    for value in (cookie.value, "old"):
        answer = await guarded.client.delete(SESSION, headers=as_browser(value))
        assert answer.status_code == 204
        dropped = SimpleCookie(answer.headers["set-cookie"])[NAME]
        assert (dropped.value, dropped["max-age"]) == ("", "0")


async def test_wrong_keys_open_no_session(open_site: OpenSite, keys: Keys) -> None:
    """And are counted, as those in headers are."""
    options = ApiOptions(max_upload_bytes=9, max_body_bytes=9999, credentials=keys.credentials, rates=Rates(None))
    site = open_site(options=options)
    wrong = [keys.expired, keys.revoked, "sk.nobody.x", "x", "sk..", "é"]
    for key in wrong * 3 + wrong[:2]:
        answer, cookie = await opened(site, key)
        problem_of(answer, 401, "unauthenticated")
        assert cookie is None
    answer, _ = await opened(site, keys.admin)
    problem_of(answer, 429, "too_many_requests")


async def test_with_tls_no_other_host_sets_or_reads_it(guarded: Site, keys: Keys) -> None:
    """Nor is it ever sent without."""
    _, cookie = await opened(guarded, keys.reader, "https://here:8000")
    assert (cookie.key, cookie["secure"]) == (f"__Host-{NAME}", True)
    headers = BROWSER | {"Cookie": f"__Host-{NAME}={cookie.value}"}
    assert (await guarded.client.get(f"https://here:8000{SESSION}", headers=headers)).status_code == 200


async def test_where_no_key_is_needed_the_answer_says_so(site: Site) -> None:
    """And no cookie is set."""
    expected = {"needs_key": False, "subject": "anyone", "scopes": list(SCOPES), "prefix": "", "expires": None}
    assert (await site.client.get(SESSION)).json() == expected
    answer, cookie = await opened(site, "whatever")
    assert (answer.json(), cookie) == (expected, None)


async def test_a_token_opens_a_session_too(open_site: OpenSite, keys: Keys) -> None:
    """It ends with the token; one that is too long for a cookie is told."""
    private = ec.generate_private_key(ec.SECP256R1())
    settings = JwtSettings(jwks_url="http://idp/jwks", issuer="http://idp", audience="stream-app")
    credentials = Credentials(
        keys=keys.ring,
        tokens=Tokens(settings, lambda _: private.public_key()).rights,
        secret=lambda: b"shared",
        session_s=3600,
        clock=time.time,
    )
    site = open_site(options=ApiOptions(max_upload_bytes=9, max_body_bytes=9999, credentials=credentials))
    claims = {"iss": "http://idp", "aud": "stream-app", "sub": "alice", "iat": NOW_S, "exp": NOW_S + 600}
    token = jwt.encode(claims | {"scope": "read"}, private, algorithm="ES256")
    answer, cookie = await opened(site, token)
    assert datetime.fromisoformat(answer.json()["expires"]).timestamp() == NOW_S + 600
    assert (await site.client.get("/api/v1/assets", headers=as_browser(cookie.value))).status_code == 200
    answer, _ = await opened(site, jwt.encode(claims | {"scope": "read", "x": "x" * 4000}, private, algorithm="ES256"))
    problem_of(answer, 422, "bad_request_field")


@pytest.mark.parametrize("body", [{}, {"key": ""}, {"key": "k", "x": 1}, {"key": 1}, [], {"key": "k" * 20_000}])
async def test_a_request_of_another_form_is_told_without_the_key(open_site: OpenSite, keys: Keys, body: object) -> None:
    """As of other bodies."""
    site = open_site(options=ApiOptions(max_upload_bytes=9, max_body_bytes=99_999, credentials=keys.credentials))
    answer = await site.client.post(SESSION, json=body)
    problem_of(answer, 422, "bad_request_field")
    assert "kkkk" not in answer.text


async def test_who_opened_it_is_in_the_audit_log(guarded: Site, keys: Keys, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the key and the session."""
    _, cookie = await opened(guarded, keys.writer)
    told = capsys.readouterr().out
    assert f"key {keys.writer.split('.')[1]} (test)" in told
    assert keys.writer.split(".")[2] not in told
    assert cookie.value not in told
