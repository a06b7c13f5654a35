"""A file from the upload to its result, and an asset from posted rows to its look-up; only Kafka is in memory."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from schemas.asset import UPLOAD_HEADER
from schemas.lookup import AssetAnswer, WindowsAnswer
from schemas.task import TaskStatus
from stream_app.domain.catalogue import Catalogue
from stream_app.usecases.ingest import Applied, Ingest
from stream_app.usecases.spans import KeptWindows
from stream_app.wire.batch import Fetch
from tests.fakes import PARTITIONS, FakeTables

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site

#: Two hours of charging at 40 A, then two of discharging.
ROWS = [(i * 2, 40.0 if i < 3600 else -40.0, 900.0, 50 + i / 360 if i < 3600 else 70 - i / 360) for i in range(7200)]


class Worker:
    """Applies what is in the log and writes the tables, as the Kafka side does."""

    def __init__(self, open_site: OpenSite) -> None:
        self.tables = FakeTables()
        self.site: Site = open_site("here", tables=self.tables)
        self.ingest = Ingest(
            tables=self.tables,
            catalogue=Catalogue(),
            window_sizes_s=(60, 900),
            kept_windows=KeptWindows({}, 24),
        )

    def work(self) -> None:
        """Apply all that is in the log, and checkpoint."""
        for partition in range(PARTITIONS):
            log = self.site.log.partitions[partition]
            count = len(log)
            if count:
                keys, values = zip(*log, strict=True)
                headers = [((UPLOAD_HEADER, b"1"),)] * count  # as the topic has them
                fetch = Fetch("measurements", partition, 0, count, range(count), keys, values, [0] * count, headers)
                assert isinstance(self.ingest.apply(fetch), Applied)
                checkpoint = self.ingest.checkpoint(partition)
                assert checkpoint is not None
                for table, entries in (
                    (self.tables.closed, checkpoint.windows),
                    (self.tables.assets, checkpoint.assets),
                ):
                    table[partition] |= {entry.key: value for entry in entries if (value := entry.value) is not None}
                self.ingest.written(checkpoint)


@pytest.fixture
def worker(open_site: OpenSite) -> Worker:
    return Worker(open_site)


async def test_upload_is_computed(worker: Worker) -> None:
    """Efficiency and C-rate by API v1's formulas over the whole file."""
    lines = [f"{seconds + 1649808000},{current},{voltage},{soc}" for seconds, current, voltage, soc in ROWS]
    file = "\n".join(["timestamp,current,voltage,soc", *lines]).encode()
    client = worker.site.client
    answer = await client.post("/api/v1/metrics", files={"data": ("f.csv", file)}, data={"nominal_capacity": "94"})
    assert answer.status_code == 202
    task = answer.headers["location"]
    assert (await client.get(task)).json()["state"] == "PENDING"
    worker.work()
    body = (await client.get(task)).json()
    assert body["state"] == "SUCCESS"
    assert body["progress"] == {"rows_sent": 7200, "rows_applied": 7200, "rows_rejected": 0}
    socs = [soc for *_, soc in ROWS]
    path = sum(abs(b - a) for a, b in pairwise(socs))
    charging = sum(abs(b - a) for a, b in pairwise(socs[:3600]))
    discharging = sum(abs(b - a) for a, b in pairwise(socs[3600:]))
    assert body["data"]["total_data_points"] == 7200
    assert body["data"]["rte"] == pytest.approx(charging / discharging, rel=1e-12)
    assert body["data"]["c_rate"] == pytest.approx(100 / path * 40 * 7200 / (94 * 3600), rel=1e-12)
    assert set(body["data"]["metrics"]) >= {"rte_v1", "c_rate_v1", "total_data_points"}


async def test_posted_rows_are_looked_up(worker: Worker) -> None:
    """Lifetime, open windows ascending by size, and closed windows."""
    rows: list[dict[str, Any]] = [
        {"asset_id": "a", "timestamp": 1649808000 + seconds, "current": current, "voltage": voltage, "soc": soc}
        for seconds, current, voltage, soc in ROWS[:100]
    ]
    assert (await worker.site.client.post("/api/v1/measurements", json=rows)).json()["accepted"] == 100
    worker.work()
    asset = AssetAnswer.model_validate_json((await worker.site.client.get("/api/v1/assets/a")).content)
    assert asset.lifetime is not None
    assert asset.lifetime.window.size == "lifetime"
    assert asset.lifetime.metrics["total_data_points"].value == 100
    assert [update.window.size for update in asset.open_windows] == ["1m", "15m"]
    assert (asset.rows, asset.first_time) == (100, "2022-04-13T00:00:00Z")
    answer = await worker.site.client.get("/api/v1/assets/a/windows/1m")
    windows = WindowsAnswer.model_validate_json(answer.content).windows
    assert [(update.window.start[-9:], update.final) for update in windows] == [
        ("00:00:00Z", True),
        ("00:01:00Z", True),
        ("00:02:00Z", True),
        ("00:03:00Z", False),
    ]
    assert sum(int(str(update.metrics["total_data_points"].value)) for update in windows) == 100
    page = (await worker.site.client.get("/api/v1/assets")).json()
    assert page["assets"][0]["last_time"] == "2022-04-13T00:03:18Z"


async def test_catalogue_tells_of_every_metric(worker: Worker) -> None:
    """Name, unit and what it is."""
    metrics = (await worker.site.client.get("/api/v1/catalogue")).json()["metrics"]
    assert {"rte_v1", "c_rate_v1", "total_data_points"} <= {metric["name"] for metric in metrics}
    assert all(metric["unit"] and metric["description"] for metric in metrics)


async def test_file_of_several_assets_has_a_result_for_each(worker: Worker) -> None:
    """Whatever partitions they live in; the answer waits for all of them."""
    lines = [
        f"{name},{seconds + 1649808000},{factor * current},{voltage},{soc}"
        for seconds, current, voltage, soc in ROWS
        for name, factor in (("one", 1), ("two", 2), ("three", 3))
    ]
    file = "\n".join(["asset_id,timestamp,current,voltage,soc", *lines]).encode()
    client = worker.site.client
    answer = await client.post("/api/v1/metrics", files={"data": ("f.csv", file)}, data={"nominal_capacity": "94"})
    assert answer.status_code == 202
    task = answer.headers["location"]
    assert (await client.get(task)).json()["state"] == "PENDING"
    worker.work()
    body = (await client.get(task)).json()
    TaskStatus.model_validate(body)
    assert (body["state"], body["data"], body["error"]) == ("SUCCESS", None, None)
    assert [result["asset_id"] for result in body["assets"]] == ["one", "two", "three"]
    assert {result["state"] for result in body["assets"]} == {"SUCCESS"}
    assert [result["progress"]["rows_sent"] for result in body["assets"]] == [7200] * 3
    energies = [result["data"]["metrics"]["energy_in_kwh"]["value"] for result in body["assets"]]
    assert energies == pytest.approx([energies[0], 2 * energies[0], 3 * energies[0]], rel=1e-9)
    assert energies[0] == pytest.approx(72, rel=1e-3)


async def test_result_tells_what_was_told_of_the_file(worker: Worker) -> None:
    """The task has the warnings of the answer to the upload; an answer without any has no such field."""
    lines = [f"{seconds + 1649808000},{-current},{voltage},{soc}" for seconds, current, voltage, soc in ROWS]
    file = "\n".join(["timestamp,current,voltage,soc", *lines]).encode()
    client = worker.site.client
    answer = await client.post("/api/v1/metrics", files={"data": ("f.csv", file)}, data={"nominal_capacity": "94"})
    worker.work()
    body = (await client.get(answer.headers["location"])).json()
    assert body["state"] == "SUCCESS"
    assert body["warnings"] == answer.json()["warnings"]
    assert "--current-sign discharge_positive" in body["warnings"][0]
