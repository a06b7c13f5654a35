"""Rows over HTTP in each form that the route takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pyarrow as pa
import pytest

from schemas.asset import AssetSpec
from tests.unit.infra.http.test_problems import problem_of
from tests.unit.infra.http.test_receipts import checkpoint

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import Site

ROW = {"asset_id": "a", "timestamp": 1649808002, "current": -40, "voltage": 890.5, "soc": 51}
CSV = b"timestamp,current,voltage,soc\n2022-04-13T00:00:02Z,-40,890.5,51\n"


def arrow() -> bytes:
    table = pa.table({name: [value] for name, value in ROW.items()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


async def post(site: Site, kind: str, body: bytes, query: str = "", key: str = "") -> httpx.Response:
    headers = {"Content-Type": kind} | ({"Idempotency-Key": key} if key else {})
    return await site.client.post("/api/v1/measurements" + query, content=body, headers=headers)


@pytest.mark.parametrize(
    ("kind", "body", "query"),
    [
        ("application/json", json.dumps([ROW]).encode(), ""),
        ("application/json", json.dumps({k: v if k == "asset_id" else [v] for k, v in ROW.items()}).encode(), ""),
        ("application/x-ndjson", json.dumps(ROW).encode() + b"\n", ""),
        ("text/csv; charset=utf-8", CSV, "?asset_id=a"),
        ("application/vnd.apache.arrow.stream", arrow(), ""),
    ],
)
async def test_rows_are_taken_in_each_form(site: Site, kind: str, body: bytes, query: str) -> None:
    """The answer is the same; an asset is named once."""
    answer = await post(site, kind, body, query)
    assert answer.status_code == 202, answer.text
    assert answer.json()["accepted"] == 1
    assert list(answer.json()["written"]) == ["a"]
    if not query:
        problem_of(await post(site, kind, body, "?asset_id=b"), 422, "bad_request_field")
    assert (await post(site, kind, b"", query)).status_code == 422
    problem_of(await post(site, kind, body, "?asset_id=.."), 422, "bad_request_field")
    problem_of(await post(site, "text/plain", body, query), 415, "wrong_content_type")


async def test_a_key_goes_for_one_asset(site: Site) -> None:
    """The same body for another asset is another request."""
    assert (await post(site, "text/csv", CSV, "?asset_id=a", key="k")).status_code == 202
    checkpoint(site)
    problem_of(await post(site, "text/csv", CSV, "?asset_id=b", key="k"), 409, "key_reused")
    assert site.log.values("b") == []


async def test_rows_are_posted_under_the_names_of_their_assets_profile(site: Site) -> None:
    """By the spec in force; other assets' rows have ours."""
    site.tables.put("a", rows=0, spec=AssetSpec(profile="none"))
    foreign = {"asset_id": "a", "time": "2022-04-13T00:00:02Z", "Current (mA)": 1500, "Spannung [V]": 8, "SOC": 5}
    answer = await site.client.post("/api/v1/measurements", json=[foreign, ROW | {"asset_id": "b"}])
    assert (answer.status_code, answer.json()["accepted"]) == (202, 2)
    (value,) = site.log.values("a")
    (row,) = json.loads(value)
    assert (row["current"], row["voltage"], row["soc"]) == (1.5, 8, 5)
    answer = await site.client.post("/api/v1/measurements", json=[foreign | {"asset_id": "b"}])
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_row")
