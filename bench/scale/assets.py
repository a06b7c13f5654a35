"""Throughput, state and memory by the number of assets: the same rows, spread over larger fleets."""

from __future__ import annotations

from dataclasses import asdict
from typing import ClassVar

from bench.contenders import Job
from bench.project import ThisProject
from bench.scale.changelog import state_size
from bench.scale.experiment import Experiment, count, yes
from bench.scale.testbed import Record, Testbed
from bench.scale.worker_process import figures
from bench.workload import ASSETS


class _Counted(ThisProject):
    """The worker, asked in the end what it counted."""

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}

    async def confirm(self, job: Job) -> list[str]:
        problems = await super().confirm(job)
        self.figures = await figures(job.http_port)
        return problems


def _relative(record: Record) -> str:
    value = record.get("relative")
    return "-" if value is None else f"{value:.0%}"


class Assets(Experiment):
    """One worker drains a full topic of single rows, as in ``make bench``, of fleets of several sizes."""

    name = "assets"
    note = (
        "The same number of rows each time. Checkpoints are those of the whole run, as the worker counts them at "
        "`/metrics`; state is the newest value of each asset in the changelog."
    )
    columns = (
        ("assets", count("assets")),
        ("rows", count("rows")),
        ("rows/s", count("rows_per_s")),
        ("rows/CPU s", count("rows_per_cpu_s")),
        ("to the smallest fleet", _relative),
        ("checkpoints", count("checkpoints")),
        ("mean s each", count("checkpoint_s", 3)),
        ("state bytes/asset", count("state_bytes_per_asset")),
        ("peak MB", count("peak_mb")),
        ("right", yes),
    )
    _run_number: ClassVar[int] = 0

    async def measure(self, testbed: Testbed) -> list[Record]:
        records: list[Record] = []
        for assets in testbed.sizes.fleets:
            worker = _Counted()
            outcome, _ = await testbed.lab.observe(worker, "rows", testbed.sizes.rows, self._run_number, assets)
            run = testbed.lab.run_name(worker, "rows", self._run_number, assets)
            size = await state_size(testbed.broker, f"{run}-assets-changelog")
            checkpoints = worker.figures.get("stream_checkpoint_seconds_count")
            took_s = worker.figures.get("stream_checkpoint_seconds_sum", 0.0)
            first = records[0]["rows_per_s"] if records else outcome.rows_per_s
            records.append(
                {
                    **asdict(outcome),
                    "assets": assets,
                    "rows_per_s": outcome.rows_per_s,
                    "rows_per_cpu_s": outcome.rows_per_cpu_s,
                    "relative": outcome.rows_per_s / first if outcome.rows_per_s and first else None,
                    "checkpoints": checkpoints,
                    "checkpoint_s": took_s / checkpoints if checkpoints else None,
                    "state_assets": size.entries,
                    "state_bytes_per_asset": size.bytes_per_entry,
                }
            )
            if assets == ASSETS and testbed.capacity_rows_per_s is None:
                testbed.capacity_rows_per_s = outcome.rows_per_s
            testbed.say(f"assets: {assets:,}: {outcome.rows_per_s or 0:,.0f} rows/s {'; '.join(outcome.problems)}")
        return records
