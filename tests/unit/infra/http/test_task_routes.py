"""Tasks of all workers: listed, told how far they are, cancelled and deleted wherever they are."""

from __future__ import annotations

import asyncio
import io
import json
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from schemas.control import EndOfUpload
from schemas.task import TaskPage, TaskStatus
from stream_app.usecases.running_uploads import RunningUpload
from tests.fakes import partition_of
from tests.unit.infra.http.test_problems import problem_of

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site
    from tests.unit.infra.http.keys import Keys

TASKS = "/api/v1/metrics"
CSV = b"timestamp,current,voltage,soc\n4/13/2022 0:00,40,900,50\n4/13/2022 0:01,40,900,50\n"


@pytest.fixture
def sites(open_site: OpenSite) -> tuple[Site, Site]:
    """Two workers."""
    here, there = open_site("here"), open_site("there")
    here.tables.owned, there.tables.owned = {0, 1}, {2, 3}
    for site, other in ((here, there), (there, here)):
        site.cluster.owners = dict.fromkeys((0, 1), here.url) | dict.fromkeys((2, 3), there.url)
        site.cluster.others = [other.url]
    return here, there


def a_task(*partitions: int, number: int = 0) -> str:
    """Id of a task that lives in one of the partitions."""
    ids = (str(uuid.UUID(int=n)) for n in range(1, 999))
    return [each for each in ids if partition_of(f"upload-{each}".encode()) in partitions][number]


async def test_tasks_of_all_workers_are_listed(sites: tuple[Site, Site]) -> None:
    """In pages, each once, though one worker reads the file and another has its rows."""
    here, there = sites
    ids = sorted([*(a_task(0, 1, number=n) for n in range(3)), *(a_task(2, 3, number=n) for n in range(3))])
    for task_id in ids:
        site = here if partition_of(f"upload-{task_id}".encode()) < 2 else there
        site.tables.put(f"upload-{task_id}")
    started = next(task_id for task_id in ids if partition_of(f"upload-{task_id}".encode()) >= 2)
    here.running.add(started, RunningUpload(started, io.BytesIO(), 9, phase="checking", announced=True))
    failed = next(task_id for task_id in ids if partition_of(f"upload-{task_id}".encode()) < 2)
    ended = EndOfUpload(asset_id=f"upload-{failed}", rows=5, error="too bad")
    here.tables.put(f"upload-{failed}", ended=ended, ended_timestamp_ms=1000)
    for site in sites:
        tasks, cursor = [], ""
        while True:
            answer = (await site.client.get(f"{TASKS}?limit=2&cursor={cursor}")).json()
            tasks += TaskPage.model_validate(answer, extra="forbid").tasks
            if not (cursor := answer["next_cursor"] or ""):
                break
        assert [task.task_id for task in tasks] == ids
        by_id = {task.task_id: task for task in tasks}
        reading = by_id[started].reading
        assert reading is not None
        assert (by_id[started].state, by_id[started].rows_applied, reading.phase) == ("STARTED", 5, "checking")
        assert (by_id[failed].state, by_id[failed].error) == ("FAILURE", "too bad")
        assert by_id[failed].ended == "1970-01-01T00:00:01Z"


async def test_a_task_tells_how_far_another_worker_reads_its_file(sites: tuple[Site, Site]) -> None:
    """The one that is asked asks the others."""
    here, there = sites
    for task_id in (a_task(0, 1), a_task(2, 3)):
        owner = here if task_id == a_task(0, 1) else there
        owner.tables.put(f"upload-{task_id}")
        there.running.add(task_id, RunningUpload(task_id, io.BytesIO(), 9, phase="checking", announced=True))
        for site in sites:
            status = TaskStatus.model_validate((await site.client.get(f"{TASKS}/{task_id}")).json())
            assert status.state == "STARTED"
            assert status.progress is not None
            assert status.progress.reading is not None
            assert status.progress.reading.phase == "checking"


async def test_a_task_is_cancelled_where_its_file_is_read(sites: tuple[Site, Site]) -> None:
    """It fails, and says so at every worker; one that is over stays as it is."""
    here, there = sites
    there.uploads.answered_within_s = 0.0  # nothing is waited for
    answer = await there.client.post(TASKS, files={"data": ("a.csv", CSV)}, data={"nominal_capacity": "9"})
    task_id = answer.json()["task_id"]
    asset_id = f"upload-{task_id}"
    upload = there.running.get(task_id)
    assert upload is not None
    assert upload.task is not None
    owner = here if partition_of(asset_id.encode()) < 2 else there
    owner.tables.put(asset_id)
    answer = await here.client.post(f"{TASKS}/{task_id}/cancel")
    assert (answer.status_code, answer.json()) == (202, {"task_id": task_id})
    await upload.task
    (end,) = [each for each in here.log.controls(asset_id) if isinstance(each, EndOfUpload)]
    assert end.error is None or "cancelled" in end.error
    assert (await here.client.post(f"{TASKS}/{task_id}/cancel")).status_code == 202


async def test_a_task_is_deleted_with_all_its_assets(sites: tuple[Site, Site]) -> None:
    """Wherever they live; then there is none, also at the worker that has read the file."""
    here, _ = sites
    csv = CSV.replace(b"\n4", b"\nb1,4", 1).replace(b"\n4", b"\nb2,4", 1).replace(b"timestamp", b"asset_id,timestamp")
    files = {"data": ("a.csv", csv)}
    answer = await here.client.post(TASKS, files=files, data={"nominal_capacity": "9"})
    task_id = answer.json()["task_id"]
    names = here.log.keys()
    assert len(names) == 2
    for name in names:
        (end,) = [each for each in here.log.controls(name) if isinstance(each, EndOfUpload)]
        for site in sites:
            if partition_of(name.encode()) in site.tables.owned:
                site.tables.put(name, ended=end, ended_timestamp_ms=1)
    answer = await here.client.delete(f"{TASKS}/{task_id}")
    assert (answer.status_code, answer.json()) == (202, {"task_id": task_id})
    assert all(here.log.controls(name)[-1].control == "forget" for name in names)
    for site in sites:
        for name in names:
            site.tables.forget(name)
        for partition in site.tables.owned:
            site.tables.reach(partition, 100)
    for site in sites:
        problem_of(await site.client.get(f"{TASKS}/{task_id}"), 404, "unknown_task")
        assert (await site.client.get(TASKS)).json()["tasks"] == []


@pytest.mark.parametrize(("method", "path"), [("POST", "/cancel"), ("DELETE", "")])
@pytest.mark.parametrize("task", ["nonsense", str(uuid.UUID(int=7))])
async def test_what_is_no_task_is_404(site: Site, method: str, path: str, task: str) -> None:
    """As of look-ups."""
    problem_of(await site.client.request(method, f"{TASKS}/{task}{path}"), 404, "unknown_task")


async def test_whoever_sees_some_assets_alone_finds_no_task_in_the_list(guarded: Site, keys: Keys) -> None:
    """Nor does it learn how many there are."""
    guarded.tables.put(f"upload-{a_task(0, 1, 2, 3)}")
    for key, count in ((keys.mine, 0), (keys.admin, 1)):
        answer = await guarded.client.get(TASKS, headers={"X-API-Key": key})
        assert len(answer.json()["tasks"]) == count


async def test_a_file_is_taken_over_from_the_form(site: Site) -> None:
    """It is read after the form is closed, however small it is."""
    site.uploads.answered_within_s = 0.0
    answer = await site.client.post(TASKS, files={"data": ("a.csv", CSV)}, data={"nominal_capacity": "9"})
    assert answer.status_code == 202
    upload = site.running.get(answer.json()["task_id"])
    assert upload is not None
    assert upload.task is not None
    await upload.task
    assert (upload.phase, upload.rows, upload.size) == ("sent", 2, len(CSV))
    assert json.loads(site.log.values(f"upload-{upload.task_id}")[-1])["rows"] == 2


@pytest.mark.parametrize("path", [TASKS, "/api/v1/measurements"])
async def test_one_worker_alone_takes_a_new_key(sites: tuple[Site, Site], path: str) -> None:
    """Though all are asked at the same instant, several times each; what they answer is the same."""
    body: dict[str, Any] = {"files": {"data": ("a.csv", CSV)}, "data": {"nominal_capacity": "9"}}
    if path != TASKS:
        body = {"json": [{"asset_id": "a", "timestamp": 1649808002, "current": -40, "voltage": 890.5, "soc": 51}]}
    for number in range(5):
        key = {"Idempotency-Key": f"k-{number}"}
        answers = await asyncio.gather(*(site.client.post(path, headers=key, **body) for site in sites * 3))
        accepted = [answer.json() for answer in answers if answer.status_code == 202]
        assert accepted == [accepted[0]] * len(accepted)
        assert {answer.json()["code"] for answer in answers if answer.status_code != 202} <= {"not_processed_yet"}
        controls = [control for name in set(sites[0].log.keys()) for control in sites[0].log.controls(name)]
        assert len([control for control in controls if isinstance(control, EndOfUpload)]) == number + 1
        for site in sites:
            for partition in site.tables.owned:
                site.tables.reach(partition, len(site.log.partitions[partition]))


async def test_the_same_file_under_the_same_key_is_the_same_task(sites: tuple[Site, Site]) -> None:
    """At both workers, while it is read and when it has ended; another file under the key is refused."""
    here, there = sites

    async def send(site: Site, content: bytes = CSV, key: str = "k-1", capacity: str = "9") -> httpx.Response:
        form = {"nominal_capacity": capacity}
        headers = {"Idempotency-Key": key}
        return await site.client.post(TASKS, files={"data": ("a.csv", content)}, data=form, headers=headers)

    first = await send(here)
    assert first.status_code == 202, first.text
    task_id = first.json()["task_id"]
    for site in sites:  # that there was none before is no answer any more
        told = (await site.client.get(f"{TASKS}/{task_id}")).json()
        assert (told["state"], told["progress"]["reading"]["phase"]) == ("PENDING", "sent")
    asset_id = f"upload-{task_id}"
    count = len(here.log.values(asset_id))
    for site in (here, there):
        assert (await send(site)).json()["task_id"] == task_id
        problem_of(await send(site, CSV + b"4/13/2022 0:02,40,900,50\n"), 409, "key_reused")
        problem_of(await send(site, capacity="10"), 409, "key_reused")
    (end,) = [each for each in here.log.controls(asset_id) if isinstance(each, EndOfUpload)]
    owner = here if partition_of(asset_id.encode()) < 2 else there
    owner.tables.put(asset_id, ended=end, ended_timestamp_ms=1)
    for site in (here, there):  # as after a restart
        for upload in list(site.running):
            site.running.remove(upload)
    for site in (here, there):
        assert (await send(site)).json()["task_id"] == task_id
        problem_of(await send(site, CSV + b"4/13/2022 0:02,40,900,50\n"), 409, "key_reused")
    assert len(here.log.values(asset_id)) == count
    for partition, records in enumerate(here.log.partitions):
        (here if partition < 2 else there).tables.reach(partition, len(records))
    another = (await send(there, key="k-2")).json()["task_id"]
    assert another != task_id
    assert len(here.log.values(f"upload-{another}")) == count
