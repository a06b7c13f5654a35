"""Uploads: all or nothing, and in order."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator
from typing import BinaryIO

import pytest

from schemas.asset import UNLIMITED_AHEAD_S, AssetSpec
from schemas.control import EndOfUpload, SpecControl
from schemas.file import FileSpec
from stream_app.usecases import uploads
from stream_app.usecases.errors import InvalidError, UnavailableError
from stream_app.usecases.keyed_requests import KeyedRequests
from stream_app.usecases.uploads import Uploads
from tests.fake_files import FakeFile, FakeRows
from tests.fakes import FakeLog
from tests.worker import Worker

SPEC = FileSpec(nominal_capacity_ah=94.0)


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def log(worker: Worker) -> FakeLog:
    return worker.log


@pytest.fixture
def accept(worker: Worker) -> Uploads:
    keyed = KeyedRequests(worker.tasks, worker.running)
    return Uploads(worker.lookup, worker.log, FakeRows(), ("1h", "1d"), worker.running, keyed)


def a_file(*lines: str) -> BinaryIO:
    """Return a file with these lines."""
    return io.BytesIO("\n".join(lines).encode())


async def test_upload_is_spec_then_rows_then_end(accept: Uploads, log: FakeLog) -> None:
    """They share one asset, named after the task."""
    task_id = (await accept.accept(a_file("1", "2", "3"), SPEC)).task_id
    asset_id = f"upload-{task_id}"
    first, *rows, last = log.values(asset_id)
    spec = AssetSpec(nominal_capacity_ah=94.0, windows=("1h", "1d"), max_ahead_s=UNLIMITED_AHEAD_S)
    assert SpecControl.model_validate_json(first) == SpecControl(asset_id=asset_id, spec=spec)
    assert rows == [f"{asset_id}:1|2".encode(), f"{asset_id}:3".encode()]
    assert EndOfUpload.model_validate_json(last) == EndOfUpload(asset_id=asset_id, rows=3)


async def test_upload_has_the_spec_of_its_file(accept: Uploads, log: FakeLog) -> None:
    """The asset's part goes to the topic; how the file is read is told."""
    spec = FileSpec(nominal_capacity_ah=94.0, current_sign="discharge_positive", timezone="UTC", windows=("1m",))
    accepted = await accept.accept(a_file("1"), spec)
    control = SpecControl.model_validate_json(log.values(f"upload-{accepted.task_id}")[0])
    assert control.spec == AssetSpec(
        nominal_capacity_ah=94.0,
        current_sign="discharge_positive",
        windows=("1m",),
        max_ahead_s=UNLIMITED_AHEAD_S,
    )
    assert accepted.told == ("stamps are of UTC",)


async def test_each_upload_is_an_asset_of_its_own(accept: Uploads, log: FakeLog) -> None:
    """The same file twice is two tasks."""
    ids = [(await accept.accept(a_file("1"), SPEC)).task_id for _ in range(2)]
    assert log.keys() == {f"upload-{task_id}" for task_id in ids}


async def test_bad_file_sends_nothing(accept: Uploads, log: FakeLog) -> None:
    """Not even the good rows before the bad one."""
    with pytest.raises(InvalidError) as error:
        await accept.accept(a_file("1", "2", "3", "bad"), SPEC)
    assert (error.value.row, error.value.column) == (4, "voltage")
    assert log.appends == 0


async def test_file_without_rows_is_refused(accept: Uploads, log: FakeLog) -> None:
    """A result about nothing would be no result."""
    with pytest.raises(InvalidError, match="no rows"):
        await accept.accept(a_file(), SPEC)
    assert log.appends == 0


async def test_large_file_is_sent_in_bounded_pieces(
    accept: Uploads, log: FakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Order holds across them."""
    monkeypatch.setattr(uploads, "CHUNK_BYTES", 100)
    lines = [str(number) for number in range(100)]
    asset_id = "upload-" + (await accept.accept(a_file(*lines), SPEC)).task_id
    assert log.appends > 10
    rows = [value.decode().partition(":")[2].split("|") for value in log.values(asset_id)[1:-1]]
    assert [number for message in rows for number in message] == lines


@pytest.mark.parametrize("broken", [0, 1, 2])
async def test_upload_that_breaks_off_is_marked_as_failed(accept: Uploads, log: FakeLog, broken: int) -> None:
    """The caller is told to try again; whoever polls the asset sees a failure."""
    log.fail_at = {broken}
    with pytest.raises(UnavailableError):
        await accept.accept(a_file("1", "2"), SPEC)
    (asset_id,) = log.keys()
    last = log.controls(asset_id)[-1]
    assert isinstance(last, EndOfUpload)
    assert last.error == "sending broke off: the broker does not answer"


async def test_upload_that_breaks_off_for_good_is_still_told(accept: Uploads, log: FakeLog) -> None:
    """The mark cannot be written either."""
    log.fail_at = set(range(10))
    with pytest.raises(UnavailableError):
        await accept.accept(a_file("1", "2"), SPEC)
    assert log.keys() == set()


async def test_upload_waits_for_a_ready_worker(accept: Uploads, worker: Worker, log: FakeLog) -> None:
    """Nothing is read or sent before."""
    worker.cluster.phase = "recovering"
    with pytest.raises(UnavailableError, match="recovering"):
        await accept.accept(a_file("1"), SPEC)
    assert log.appends == 0


async def test_uploads_may_run_at_once(accept: Uploads, log: FakeLog) -> None:
    """More than are parsed at a time."""
    await asyncio.gather(*(accept.accept(a_file("1"), SPEC) for _ in range(5)))
    assert len(log.keys()) == 5


class Held(FakeRows):
    """A reader that waits until a test lets it go on."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()

    def check(self, file: BinaryIO, spec: FileSpec) -> FakeFile:
        assert self.may_go_on.wait(20)
        return super().check(file, spec)


@pytest.fixture
async def held(worker: Worker) -> AsyncIterator[tuple[Uploads, Held]]:
    """Its thread goes on before the loop ends, which waits for it."""
    rows = Held()
    keyed = KeyedRequests(worker.tasks, worker.running)
    uploads_ = Uploads(worker.lookup, worker.log, rows, ("1h", "1d"), worker.running, keyed)
    uploads_.answered_within_s = 0.01
    yield uploads_, rows
    rows.may_go_on.set()


async def test_a_file_that_takes_longer_goes_on_by_itself(held: tuple[Uploads, Held], worker: Worker) -> None:
    """Its task is in the log at once, its rows only after all of it was checked."""
    accept, rows = held
    task_id = (await accept.accept(a_file("1", "2", "3"), SPEC, size=5)).task_id
    upload = worker.running.get(task_id)
    assert upload is not None
    assert upload.task is not None
    assert len(worker.log.values(f"upload-{task_id}")) == 1
    progress = upload.progress()
    assert (progress.phase, progress.rows_read, progress.bytes) == ("checking", None, 5)
    rows.may_go_on.set()
    await upload.task
    assert [type(each).__name__ for each in worker.log.controls(f"upload-{task_id}")] == ["SpecControl", "EndOfUpload"]
    progress = upload.progress()
    assert (progress.phase, progress.percent, progress.rows_read, progress.rows_published) == ("sent", 100.0, 3, 3)
    assert upload.file.closed


@pytest.mark.parametrize(
    ("lines", "broken", "error"),
    [
        (("1", "bad"), set(), "row 2, column voltage: no number"),
        ((), set(), "the file has a header and no rows: there is nothing to compute"),
        (("1", "2"), {1}, "sending broke off: the broker does not answer"),
    ],
)
async def test_what_fails_later_is_told_by_the_task(
    held: tuple[Uploads, Held], worker: Worker, lines: tuple[str, ...], broken: set[int], error: str
) -> None:
    """With the reason, and how many rows count."""
    accept, rows = held
    worker.log.fail_at = broken
    task_id = (await accept.accept(a_file(*lines), SPEC)).task_id
    upload = worker.running.get(task_id)
    assert upload is not None
    assert upload.task is not None
    rows.may_go_on.set()
    await upload.task
    last = worker.log.controls(f"upload-{task_id}")[-1]
    assert isinstance(last, EndOfUpload)
    assert (last.error, last.rows, upload.phase) == (error, last.rows, "failed")


@pytest.mark.parametrize("by", ["cancel", "close"])
async def test_a_file_is_read_no_further_when_it_is_cancelled(
    held: tuple[Uploads, Held], worker: Worker, by: str
) -> None:
    """By whoever sent it, or since the worker stops; the task says so."""
    accept, _ = held
    task_id = (await accept.accept(a_file("1", "2"), SPEC)).task_id
    upload = worker.running.get(task_id)
    assert upload is not None
    assert upload.task is not None
    if by == "cancel":
        assert await accept.cancel(task_id)
        await upload.task
    else:
        await accept.close()
    last = worker.log.controls(f"upload-{task_id}")[-1]
    assert isinstance(last, EndOfUpload)
    told = "it was cancelled after 0 of its rows had been sent"
    assert last.error == (told if by == "cancel" else "the worker stopped while it read the file")
    assert not await accept.cancel(task_id)


async def test_very_many_files_are_put_off(held: tuple[Uploads, Held], monkeypatch: pytest.MonkeyPatch) -> None:
    """They would fill the disk."""
    monkeypatch.setattr(uploads, "MOST_UPLOADS", 2)
    accept, _ = held
    for _ in range(2):
        await accept.accept(a_file("1"), SPEC)
    with pytest.raises(UnavailableError, match="send it later"):
        await accept.accept(a_file("1"), SPEC)
    await accept.close()


async def test_a_task_that_kafka_does_not_take_is_none(held: tuple[Uploads, Held], worker: Worker) -> None:
    """Nobody could poll it."""
    accept, _ = held
    worker.log.fail_at = set(range(10))
    with pytest.raises(UnavailableError):
        await accept.accept(a_file("1"), SPEC)
    assert worker.running.under_way == 0
