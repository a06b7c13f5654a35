"""How long a worker takes to be ready when all its state has to come from the changelogs."""

from __future__ import annotations

import shutil
from dataclasses import replace

from bench import topics
from bench.messages import FORMS
from bench.scale.changelog import state_size
from bench.scale.client import Connection
from bench.scale.experiment import Experiment, count, yes
from bench.scale.testbed import Record, Testbed
from bench.scale.worker_process import WorkerProcess, working
from bench.workload import Rows

_SAMPLES = 100


class Recovery(Experiment):
    """A worker starts with nothing, takes rows of many assets, ends, and starts again on an empty data directory."""

    name = "recovery"
    note = (
        "Seconds since the process was started. From `recovering` on it has found its broker and checked the topics; "
        "it joins the group and reads the changelogs. The log names no moment of assignment; the first line, the same "
        "without any state, is what starting and joining take by themselves."
    )
    columns = (
        ("start", lambda record: record["start"]),
        ("assets", count("assets")),
        ("state MB", count("state_mb", 1)),
        ("answers after s", count("answers_s", 2)),
        ("recovering after s", count("recovering_s", 2)),
        ("ready after s", count("ready_s", 2)),
        ("CPU s until ready", count("cpu_s", 2)),
        ("peak MB when ready", count("peak_mb")),
        ("right", yes),
    )

    async def measure(self, testbed: Testbed) -> list[Record]:
        per_asset = testbed.sizes.recovery_rows_per_asset
        rows = Rows.of(testbed.sizes.recovery_assets * per_asset, testbed.sizes.recovery_assets)
        job = testbed.job("recovery", rows)
        async with working(job) as worker:
            await worker.ready()
            records = [{**_moments(worker), "start": "with nothing", "assets": 0, "state_mb": 0.0}]
            await topics.fill(testbed.broker, job.input, FORMS["rows"].messages(rows))
            await worker.caught_up(testbed.timeout_s)
        shutil.rmtree(job.directory)
        size = await state_size(testbed.broker, f"{job.run}-assets-changelog")
        async with working(replace(job, directory=testbed.directory / "recovery-again")) as worker:
            await worker.ready()
            record = {**_moments(worker), "start": "again, data directory wiped", "assets": size.entries}
            record["problems"] = await _problems(job.http_port, rows)
        if size.entries != testbed.sizes.recovery_assets:
            record["problems"].append(f"{size.entries} assets in the changelog")
        records.append({**record, "state_mb": size.value_bytes / 1e6})
        for each in records:
            testbed.say(f"recovery: {each['assets']:,} assets: ready after {each['ready_s']:.1f} s")
        return records


def _moments(worker: WorkerProcess) -> Record:
    phases = worker.phases_s
    return {
        "answers_s": phases[""],
        "recovering_s": phases.get("recovering"),
        "ready_s": phases["ready"],
        "cpu_s": worker.observer.whole_cpu_s,
        "peak_mb": worker.observer.peak_mb,
    }


async def _problems(port: int, rows: Rows) -> list[str]:
    """Look some assets up: each has all its rows."""
    connection = Connection(port)
    try:
        for asset_id in rows.assets[:: max(1, len(rows.assets) // _SAMPLES)]:
            status, answer = await connection.json(f"/api/v1/assets/{asset_id}")
            if status != 200 or answer["rows"] != rows.per_asset:
                return [f"{asset_id}: status {status}, {answer.get('rows')} rows, not {rows.per_asset}"]
    finally:
        await connection.close()
    return []
