"""Tasks: started, succeeded, failed, pending, unknown, and not known."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from schemas.control import EndOfUpload
from stream_app.usecases.asset_views import AssetView
from stream_app.usecases.errors import NotFoundError, UnavailableError
from stream_app.usecases.ports import PeerAnswer
from stream_app.usecases.running_uploads import RunningUpload
from stream_app.usecases.tasks import UPLOAD_PREFIX, Task, part_id
from tests.fakes import CATALOGUE, PARTITIONS, FakeLog, FakePeers, partition_of
from tests.updates import updates_of
from tests.worker import THERE, Worker, problem

TASK = str(uuid.UUID(int=1))
UPLOAD = f"upload-{TASK}"
HOME = partition_of(UPLOAD.encode())


@pytest.fixture
def worker() -> Worker:
    return Worker()


async def status_of(worker: Worker, task_id: str = TASK) -> Task:
    """Ask for a task that lives here."""
    status = await worker.tasks.task(task_id)
    assert isinstance(status, Task)
    return status


@pytest.mark.parametrize("rows", [0, 3])
async def test_task_with_its_spec_or_rows_is_started(worker: Worker, rows: int) -> None:
    """How many rows there will be is not known before the end."""
    worker.tables.put(UPLOAD, rows=rows)
    await worker.log.append(b"x", [b"its end may be here"], HOME)
    status = await status_of(worker)
    assert (status.state, status.readings) == ("STARTED", None)
    assert status.progress is not None
    assert (status.progress.rows_sent, status.progress.rows_applied) == (None, rows)
    assert status.progress.reading is None


async def test_a_task_tells_how_far_its_file_is_read(worker: Worker) -> None:
    """Wherever it is read."""
    worker.tables.put(UPLOAD, rows=3)
    upload = RunningUpload(TASK, io.BytesIO(), 200, phase="sending", rows=40, published=10)
    worker.running.add(TASK, upload)
    status = await status_of(worker)
    assert status.state == "STARTED"
    assert status.progress is not None
    reading = status.progress.reading
    assert reading is not None
    assert (reading.phase, reading.percent, reading.rows_read, reading.rows_published) == ("sending", 62.5, 40, 10)
    worker.running.remove(upload)
    worker.give_away((HOME + 1) % PARTITIONS)
    worker.peers.answers[THERE] = (200, msgspec.json.encode(reading))
    status = await status_of(worker)
    assert status.progress is not None
    assert status.progress.reading == reading


async def test_a_task_whose_file_nobody_reads_has_failed(worker: Worker) -> None:
    """Its worker was killed; that holds only if all workers say so and all of the log is known."""
    worker.tables.put(UPLOAD, rows=3)
    status = await status_of(worker)
    assert (status.state, status.error) == (
        "FAILURE",
        "its worker was killed; 3 of its rows count: send the file again, under another key if it had one",
    )
    worker.give_away((HOME + 1) % PARTITIONS)
    assert (await status_of(worker)).state == "STARTED"
    worker.peers.answers[THERE] = (404, problem(404, "unknown_path"))  # an older release
    assert (await status_of(worker)).state == "STARTED"
    worker.peers.answers[THERE] = (404, problem(404, "unknown_task"))
    assert (await status_of(worker)).state == "FAILURE"
    asked = await worker.tasks.task(TASK, hop=True)
    assert isinstance(asked, Task)
    assert (asked.state, asked.is_settled) == ("STARTED", True)


@pytest.mark.parametrize(("is_settled", "state"), [(True, "FAILURE"), (False, "STARTED")])
async def test_the_same_of_a_task_of_another_worker(worker: Worker, is_settled: bool, state: str) -> None:
    """The owner tells whether it knows all of the log."""
    worker.give_away(HOME)
    content = {"task_id": TASK, "state": "STARTED", "progress": {"rows_applied": 3}, "is_settled": is_settled}

    class Peers(FakePeers):
        async def get(self, worker: str, path: str, params: Mapping[str, str]) -> PeerAnswer | None:
            if path.startswith("uploads/"):
                return PeerAnswer(worker, 404, problem(404, "unknown_task"))
            return PeerAnswer(worker, 200, json.dumps(content).encode())

    worker.lookup._peers = Peers()
    found = await worker.tasks.task(TASK)
    assert isinstance(found, PeerAnswer)
    assert json.loads(found.body)["state"] == state
    worker.running.add(TASK, RunningUpload(TASK, io.BytesIO(), 200, phase="checking"))
    found = await worker.tasks.task(TASK)
    assert isinstance(found, PeerAnswer)
    told = json.loads(found.body)
    assert (told["state"], told["progress"]["reading"]["phase"]) == ("STARTED", "checking")


async def test_ended_task_has_succeeded(worker: Worker) -> None:
    """With the metrics of all of its rows."""
    worker.tables.put(UPLOAD, ended=EndOfUpload(asset_id=UPLOAD, rows=5), ended_timestamp_ms=1)
    status = await status_of(worker)
    assert status.state == "SUCCESS"
    assert status.readings is not None
    metrics = updates_of(CATALOGUE, status.readings, UPLOAD)[0].metrics
    assert metrics["total_data_points"].value == 5
    assert status.progress is not None
    assert status.progress.rows_sent == 5


async def test_task_that_ended_with_an_error_has_failed(worker: Worker) -> None:
    """Its rows may be incomplete, so there is no result."""
    ended = EndOfUpload(asset_id=UPLOAD, rows=5, error="sending broke off")
    worker.tables.put(UPLOAD, ended=ended, ended_timestamp_ms=1)
    status = await status_of(worker)
    assert (status.state, status.readings, status.error) == ("FAILURE", None, "sending broke off")


async def test_task_is_pending_until_the_table_has_passed_the_end_of_the_log(worker: Worker) -> None:
    """It may stand among the messages that are not in the table yet; rows that come later cannot be it."""
    await worker.log.append(b"x", [b"1", b"2"], HOME)
    assert (await status_of(worker)).state == "PENDING"
    await worker.log.append(b"x", [b"3"], HOME)
    worker.tables.reach(HOME, 1)
    assert (await status_of(worker)).state == "PENDING"
    worker.tables.reach(HOME, 2)
    with pytest.raises(NotFoundError, match=TASK):
        await worker.tasks.task(TASK)


async def test_unknown_task_is_404_where_nothing_was_ever_sent(worker: Worker) -> None:
    """An empty partition has no marker, and nothing to wait for."""
    with pytest.raises(NotFoundError):
        await worker.tasks.task(TASK)


async def test_task_that_arrives_while_the_log_is_asked_is_found(worker: Worker) -> None:
    """The table is read again behind the question about the end of the log."""
    worker.tables.reach(HOME, 1)

    class Racing(FakeLog):
        async def end_offset(self, partition: int) -> int:
            worker.tables.put(UPLOAD)
            return 1

    worker.lookup.log = Racing()
    worker.running.add(TASK, RunningUpload(TASK, io.BytesIO(), 0))
    assert (await status_of(worker)).state == "STARTED"


async def test_task_of_a_partition_that_was_lost_meanwhile_is_503(worker: Worker) -> None:
    """Its new owner knows."""

    class Racing(FakeLog):
        async def end_offset(self, partition: int) -> int:
            worker.tables.owned.clear()
            return 0

    worker.lookup.log = Racing()
    with pytest.raises(UnavailableError):
        await worker.tasks.task(TASK)


@pytest.mark.parametrize("task_id", ["nonsense", "", "00000000"])
async def test_text_that_is_no_task_id_is_404(worker: Worker, task_id: str) -> None:
    """Nobody needs to be asked."""
    with pytest.raises(NotFoundError):
        await worker.tasks.task(task_id)


async def test_owner_answers_for_its_task(worker: Worker) -> None:
    """Its 404 is the answer where no worker reads the file either."""
    worker.give_away(HOME)
    worker.peers.answers[THERE] = (404, b'{"detail": "never was"}')
    with pytest.raises(NotFoundError, match="never was"):
        await worker.tasks.task(TASK)
    assert worker.peers.asked == [(THERE, f"metrics/{TASK}"), (THERE, f"uploads/{TASK}")]


@pytest.mark.parametrize("hop", [False, True])
async def test_task_whose_owner_does_not_answer_is_503(worker: Worker, hop: bool) -> None:
    """A hop is not passed on."""
    worker.give_away(HOME)
    with pytest.raises(UnavailableError):
        await worker.tasks.task(TASK, hop=hop)
    assert len(worker.peers.asked) == (0 if hop else 1)


async def test_task_whose_rows_were_left_out_has_failed(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than 1 % of them, unless the upload accepts that."""
    read = worker.lookup.views.asset

    def with_late_rows(*args: Any, **options: Any) -> AssetView:
        view = read(*args, **options)
        return replace(view, summary=replace(view.summary, rows_rejected=2))

    monkeypatch.setattr(worker.lookup.views, "asset", with_late_rows)
    worker.tables.put(UPLOAD, ended=EndOfUpload(asset_id=UPLOAD, rows=7), ended_timestamp_ms=1)
    status = await status_of(worker)
    assert status.state == "FAILURE"
    assert status.error is not None
    assert "2 of 7 rows were left out" in status.error
    worker.tables.put(UPLOAD, ended=EndOfUpload(asset_id=UPLOAD, rows=7, allow_rejected=True), ended_timestamp_ms=1)
    assert (await status_of(worker)).state == "SUCCESS"


def ends_of(count: int) -> dict[str, EndOfUpload]:
    """Ends of an upload of so many assets, by the assets that they make up."""
    names = tuple(f"asset-{i}" for i in range(count))
    uploads = [UPLOAD, *(UPLOAD_PREFIX + part_id(TASK, name) for name in names[1:])]
    ends = {each: EndOfUpload(asset_id=each, rows=5) for each in uploads}
    return {**ends, UPLOAD: EndOfUpload(asset_id=UPLOAD, rows=5, assets=names)}


async def test_task_of_several_assets_has_a_part_for_each(worker: Worker) -> None:
    """Wherever they live; it has succeeded when all of them have."""
    for upload, end in ends_of(3).items():
        worker.tables.put(upload, ended=end, ended_timestamp_ms=1)
    elsewhere = partition_of((UPLOAD_PREFIX + part_id(TASK, "asset-1")).encode())
    assert elsewhere != HOME
    worker.give_away(elsewhere)
    worker.peers.answers[THERE] = (200, b'{"state": "SUCCESS", "data": {}, "error": null}')
    status = await status_of(worker)
    assert isinstance(status.parts["asset-1"], PeerAnswer)
    assert list(status.parts) == ["asset-0", "asset-1", "asset-2"]
    assert (status.state, status.error) == ("SUCCESS", None)


async def test_task_of_several_assets_fails_with_any_of_them(worker: Worker) -> None:
    """Its error is the first one's."""
    for upload, end in ends_of(2).items():
        worker.tables.put(upload, ended=end.model_copy(update={"error": f"no {upload}"}), ended_timestamp_ms=1)
    status = await status_of(worker)
    assert (status.state, status.error) == ("FAILURE", f"no {UPLOAD}")
