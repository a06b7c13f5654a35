"""The simulated fleet."""

from __future__ import annotations

from datetime import timedelta

import httpx
import orjson
import pytest

from schemas.asset import AssetSpec
from schemas.lookup import AssetAnswer, AssetMeta
from schemas.measurement import Measurement
from stream_app.demo.simulated_fleet import EPOCH, PERIOD_S, SimulatedAsset, SimulatedFleet
from stream_app.worker_client import RefusedError, WorkerClient


def test_rows_are_measurements() -> None:
    """Each message is a row as the wire contract has it, a period after the one before."""
    rows = [Measurement.model_validate(orjson.loads(message)) for message in SimulatedAsset.number(0).rows(3)]
    start = int(EPOCH.timestamp())
    assert [row.timestamp for row in rows] == [start, start + PERIOD_S, start + 2 * PERIOD_S]
    assert {row.asset_id for row in rows} == {"demo-01"}


def test_forwarded_asset_goes_on_as_if_never_stopped() -> None:
    """Forwarded to its last row, an asset sends the very rows that it would have sent."""
    whole, resumed = SimulatedAsset.number(3), SimulatedAsset.number(3)
    sent = whole.rows(25_000)
    last = orjson.loads(sent[-1])["timestamp"]
    resumed.forward_to(EPOCH + timedelta(seconds=last - EPOCH.timestamp()))
    assert resumed.rows(5) == whole.rows(5)


def test_assets_differ() -> None:
    """No two assets of a fleet are the same battery."""
    first = [tuple(asset.rows(2_000)[-1:]) for asset in SimulatedFleet(size=10, speed=60).assets]
    assert len({row[0].split(b",", 1)[1] for row in first}) == 10


@pytest.mark.parametrize("known", [False, True])
async def test_resume_asks_the_worker(known: bool) -> None:
    """An asset that the worker knows goes on after its last row; a new one first gets its spec."""
    put: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            put.append(request.read())
            return httpx.Response(202, json={})
        if not known:
            return httpx.Response(404, json={})
        meta = AssetMeta(owner="o", partition=0, seq=9, rows=11, lag=0, stale=False)
        found = AssetAnswer(
            asset_id="demo-01",
            rows=11,
            rows_rejected=0,
            rejected=None,
            first_time=EPOCH.isoformat(),
            last_time=(EPOCH + timedelta(seconds=10 * PERIOD_S)).isoformat(),
            ended=False,
            spec=AssetSpec(),
            lifetime=None,
            open_windows=[],
            meta=meta,
        )
        return httpx.Response(200, content=found.model_dump_json())

    fleet = SimulatedFleet(size=1, speed=60)
    async with WorkerClient("http://worker", httpx.MockTransport(answer)) as worker:
        await fleet.resume(worker)
    assert fleet.assets[0].next_row == (11 if known else 0)
    assert [b"nominal_capacity_ah" in body for body in put] == ([] if known else [True])


async def test_resume_takes_no_other_refusal_for_an_unknown_asset() -> None:
    """A worker that cannot answer now may know the asset: its simulation must not begin anew."""
    refused = httpx.MockTransport(lambda request: httpx.Response(503, json={}))
    async with WorkerClient("http://worker", refused) as worker:
        with pytest.raises(RefusedError) as caught:
            await SimulatedFleet(size=1, speed=60).resume(worker)
    assert caught.value.status == 503
