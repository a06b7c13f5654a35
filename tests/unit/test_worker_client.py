"""The client on a scripted worker."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import typer

from schemas.asset import AssetSpec
from schemas.problem import Problem
from stream_app.commands.forget import forget_assets
from stream_app.worker_client import NoWorkerError, RefusedError, UnreadableAnswerError, WorkerClient


def client(answer: Callable[[httpx.Request], httpx.Response]) -> WorkerClient:
    return WorkerClient("http://worker/", httpx.MockTransport(answer))


async def test_ids_are_quoted() -> None:
    """An asset id is one segment of the path, whatever is in it."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.raw_path == b"/api/v1/assets/a%3Fb%23c"
        return httpx.Response(200, content=b"{}")

    async with client(answer) as worker:
        assert await worker.asset_json("a?b#c") == b"{}"


async def test_problem_is_told_in_the_workers_words() -> None:
    """A problem's detail becomes the error's message, its status is kept."""
    problem = Problem(type="t", title="t", status=404, detail="no such asset", instance="/", code="unknown_asset")
    async with client(lambda _: httpx.Response(404, content=problem.model_dump_json())) as worker:
        with pytest.raises(RefusedError, match=r"^no such asset$") as error:
            await worker.asset_json("a")
    assert error.value.status == 404


async def test_foreign_server_is_told() -> None:
    """An answer that is no problem document means that the URL is another program's."""
    async with client(lambda _: httpx.Response(500, text="<html>")) as worker:
        with pytest.raises(RefusedError, match="which no worker does: check the URL"):
            await worker.phase()


async def test_unreadable_answer_is_told() -> None:
    """An answer that is not of the form that this release reads is told with its URL."""
    async with client(lambda _: httpx.Response(200, json={"rows": "many"})) as worker:
        for asked in (worker.asset("a"), worker.assets(), worker.phase(), worker.task("t")):
            with pytest.raises(UnreadableAnswerError, match=r"^cannot read the answer of http://worker/"):
                await asked


async def test_nobody_answers() -> None:
    """A refused connection is told with the URL and the cure."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async with client(answer) as worker:
        with pytest.raises(NoWorkerError, match=r"no worker answers at http://worker \(refused\): start one"):
            await worker.phase()


async def test_upload_sends_the_file_and_the_capacity(tmp_path: Path) -> None:
    """An upload is a multipart form with the batch API's two fields."""
    path = tmp_path / "day.csv"
    path.write_bytes(b"timestamp,current,voltage,soc\n")

    def answer(request: httpx.Request) -> httpx.Response:
        body = request.read()
        assert b'name="nominal_capacity"\r\n\r\n94.5\r\n' in body
        assert b'name="data"; filename="day.csv"' in body
        assert path.read_bytes() in body
        return httpx.Response(202, json={"task_id": "t"})

    async with client(answer) as worker:
        assert await worker.upload(path, 94.5) == "t"


async def test_spec_leaves_out_what_is_unknown() -> None:
    """A spec that is put names only what it sets."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert b"nominal_energy_kwh" not in request.read()
        return httpx.Response(202, json={})

    async with client(answer) as worker:
        await worker.put_spec("a", AssetSpec(nominal_capacity_ah=94))


async def test_assets_are_forgotten_by_prefix_page_by_page() -> None:
    """All of them, each once; the ids are quoted."""
    deleted = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            deleted.append(request.url.raw_path)
            return httpx.Response(202, json={"asset_id": "a", "partition": 0, "offset": 1})
        assert request.url.params["prefix"] == "jä"
        asset_id, cursor = ("jä1", "jä1") if not request.url.params["cursor"] else ("jä2", None)
        listed = [{"asset_id": asset_id, "partition": 0, "rows": 1, "last_time": None}]
        meta = {"owner": "http://worker", "seq": None, "lag": 0, "stale": False}
        return httpx.Response(200, json={"assets": listed, "next_cursor": cursor, "partitions": [0], "meta": meta})

    async with client(answer) as worker:
        assert await forget_assets(worker, [], "jä", yes=True) == 2
        assert await forget_assets(worker, ["b"], None, yes=False) == 1
    assert deleted == [b"/api/v1/assets/j%C3%A41", b"/api/v1/assets/j%C3%A42", b"/api/v1/assets/b"]


async def test_forgetting_by_prefix_asks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever says no has deleted nothing."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.method == "GET"
        listed = [{"asset_id": "j", "partition": 0, "rows": 1, "last_time": None}]
        meta = {"owner": "http://worker", "seq": None, "lag": 0, "stale": False}
        return httpx.Response(200, json={"assets": listed, "next_cursor": None, "partitions": [0], "meta": meta})

    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    async with client(answer) as worker:
        with pytest.raises(typer.Abort):
            await forget_assets(worker, [], "j", yes=False)
