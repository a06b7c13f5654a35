"""The view's look at the worker."""

from __future__ import annotations

import httpx

from schemas.asset import AssetSpec
from schemas.fleet import AssetItem, AssetPage
from schemas.lookup import AnswerMeta, AssetAnswer, AssetMeta
from stream_app.demo.run import look
from stream_app.demo.view import Observation
from stream_app.worker_client import WorkerClient


class Fleet:
    """Assets with so many rows each, as a worker answers for them; remembers which were looked up."""

    def __init__(self, **rows: int) -> None:
        self.rows = rows
        self.looked_up: list[str] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        asset_id = request.url.path.removeprefix("/api/v1/assets").strip("/")
        if not asset_id:
            items = [AssetItem(asset_id=a, partition=0, rows=n, last_time=None) for a, n in self.rows.items()]
            meta = AnswerMeta(owner="o", seq=None, lag=0, stale=False)
            page = AssetPage(assets=items, next_cursor=None, partitions=[0], meta=meta)
            return httpx.Response(200, content=page.model_dump_json())
        self.looked_up.append(asset_id)
        n = self.rows[asset_id]
        found = AssetAnswer(
            asset_id=asset_id,
            rows=n,
            rows_rejected=0,
            rejected=None,
            first_time=None,
            last_time=None,
            ended=False,
            spec=AssetSpec(),
            lifetime=None,
            open_windows=[],
            meta=AssetMeta(owner="o", partition=0, seq=9, rows=n, lag=0, stale=False),
        )
        return httpx.Response(200, content=found.model_dump_json())


async def test_only_assets_with_new_rows_are_looked_up() -> None:
    """The first look asks for all that have rows, the next ones for those that changed; the rest stays shown."""
    fleet = Fleet(a=5, b=7, specified=0)
    async with WorkerClient("http://worker", httpx.MockTransport(fleet.answer)) as client:
        first = await look(client, Observation("ready"), 1.0)
        assert sorted(fleet.looked_up) == ["a", "b"]
        assert await look(client, first, 1.0) == first
        fleet.rows["b"] = 9
        second = await look(client, first, 1.0)
    assert sorted(fleet.looked_up) == ["a", "b", "b"]
    assert [(asset.asset_id, asset.rows) for asset in second.assets] == [("a", 5), ("b", 9)]
    assert second.rows_per_s == 2.0


async def test_an_asset_that_cannot_be_shown_does_not_end_the_view() -> None:
    """It was deleted meanwhile, or its name is lost in a URL."""
    fleet = Fleet(a=1, b=2)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/a"):
            return httpx.Response(404, content=b"{}")
        return httpx.Response(200, content=b"[]") if request.url.path.endswith("/c") else fleet.answer(request)

    fleet.rows["c"] = 3
    async with WorkerClient("http://there", httpx.MockTransport(answer)) as client:
        seen = await look(client, Observation("ready"), 1.0)
    assert [asset.asset_id for asset in seen.assets] == ["b"]
    assert seen.phase == "ready"
