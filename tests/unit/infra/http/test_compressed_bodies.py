"""Requests whose bodies are compressed."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import httpx
import pytest

from stream_app.infra.zstandard import zstd
from tests.unit.infra.http.test_problems import problem_of

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import Site

PATH = "/api/v1/measurements"
ROWS = [
    {"asset_id": "a", "timestamp": 1649808000 + 2 * i, "current": -40, "voltage": 890.5, "soc": 51} for i in range(50)
]
BODY = json.dumps(ROWS).encode()
Compress = Callable[[bytes], bytes]


async def post(site: Site, encoding: str, body: bytes | AsyncIterator[bytes]) -> httpx.Response:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    return await site.client.post(PATH, content=body, headers=headers)


async def bytewise(body: bytes) -> AsyncIterator[bytes]:
    for at in range(len(body)):
        yield body[at : at + 1]


def in_two(compress: Compress) -> bytes:
    return compress(BODY[:1000]) + compress(BODY[1000:])


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("GZIP", gzip.compress), ("zstd", zstd.compress), ("identity", bytes)],
)
async def test_bodies_are_inflated(site: Site, encoding: str, compress: Compress) -> None:
    """However they come: at once, in parts, byte by byte."""
    for body in (compress(BODY), in_two(compress), bytewise(in_two(compress))):
        answer = await post(site, encoding, body)
        assert (answer.status_code, answer.json()["accepted"]) == (202, 50), answer.text


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
async def test_a_body_that_inflates_without_end_is_cut_off(site: Site, encoding: str, compress: Compress) -> None:
    """The limit is that of the path, and of what comes out; what comes in is small."""
    body = compress(b" " * 100_000_000)
    assert len(body) < 100_000
    problem_of(await post(site, encoding, body), 413, "body_too_large")


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
async def test_a_body_that_is_not_what_it_says(site: Site, encoding: str, compress: Compress) -> None:
    """Plain, cut short, or followed by what it is not: nothing of it counts."""
    for body in (BODY, compress(BODY)[:-5], compress(BODY) + b"more"):
        assert encoding in problem_of(await post(site, encoding, body), 400, "bad_request")["detail"]
    assert not site.log.appended.is_set()


async def test_zstd_with_a_window_above_the_web_s_is_refused(site: Site) -> None:
    """It would be held in memory: RFC 9659 bounds it at 8 MiB."""
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 25, zstd.CompressionParameter.checksum_flag: 1}
    machine = zstd.ZstdCompressor(options=options)
    body = machine.compress(BODY) + machine.flush()
    problem_of(await post(site, "zstd", body), 400, "bad_request")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "x" * 200])
async def test_encodings_that_are_not_known(site: Site, encoding: str) -> None:
    """The answer names those that are."""
    answer = await post(site, encoding, BODY)
    problem_of(answer, 415, "wrong_content_encoding")
    assert answer.headers["accept-encoding"] == "gzip, zstd"


async def test_an_upload_in_gzip(site: Site) -> None:
    """The whole form is compressed."""
    table = b"timestamp,current,voltage,soc\n4/13/2022 0:00,40,900,50\n"
    files = {"data": ("rows.csv", table, "text/csv")}
    plain = site.client.build_request("POST", "/api/v1/metrics", data={"nominal_capacity": "94"}, files=files)
    headers = {"Content-Type": plain.headers["content-type"], "Content-Encoding": "gzip"}
    answer = await site.client.post("/api/v1/metrics", content=gzip.compress(plain.read()), headers=headers)
    assert answer.status_code == 202, answer.text
