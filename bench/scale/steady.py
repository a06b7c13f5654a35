"""What a fleet costs that sends at a steady pace: CPU time, memory, and what is written to Kafka for it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import topics
from bench.scale.experiment import Experiment, count
from bench.scale.feed import feeding
from bench.scale.testbed import Record, Testbed
from bench.scale.worker_process import working

#: All assets of a fleet are new in its first minute.
_ADMIT: Final = {"STREAM_MAX_NEW_ASSETS_PER_MIN": "1000000"}
#: Rows of a cycle of the load at most: it has them in memory.
_CYCLE_ROWS: Final = 600_000


@dataclass(frozen=True, slots=True)
class _Written:
    """What a topic has by now."""

    records: int
    size_bytes: int

    def since(self, before: _Written, took_s: float) -> tuple[float, float]:
        """Records per second, and bytes of each in the log."""
        records = self.records - before.records
        return records / took_s, (self.size_bytes - before.size_bytes) / records if records else 0.0


class Steady(Experiment):
    """One worker with fleets whose assets send a row each second, or less often."""

    name = "steady"
    note = (
        "States are entries of the changelog of assets, updates those of the metrics topic; their bytes are those of "
        "the broker's log, compressed. Without an emit interval a checkpoint publishes all open windows of an asset."
    )
    columns = (
        ("assets", count("assets")),
        ("rows/s wanted", count("wanted_per_s")),
        ("rows/s sent", count("sent_per_s")),
        ("emit interval s", count("emit_s")),
        ("CPU, cores", count("worker_cores", 2)),
        ("states/s", count("states_per_s")),
        ("bytes each", count("state_bytes")),
        ("updates/s", count("updates_per_s")),
        ("bytes each", count("update_bytes")),
        ("closed windows/s", count("windows_per_s")),
        ("bytes each", count("window_bytes")),
        ("memory MB", count("resident_mb")),
        ("lag, rows", count("lag")),
    )

    async def measure(self, testbed: Testbed) -> list[Record]:
        return [await self._of(testbed, *fleet) for fleet in testbed.sizes.steady]

    async def _of(self, testbed: Testbed, assets: int, rate_per_s: float, emit_s: float) -> Record:
        sizes, run = testbed.sizes, f"steady-{assets}-{rate_per_s:g}-{emit_s:g}"
        job = testbed.job(run)
        cycle_s = max(5, min(60, _CYCLE_ROWS // assets))
        names = {"states": f"{run}-assets-changelog", "windows": f"{run}-windows-changelog", "updates": job.output}
        async with working(job, {**_ADMIT, "STREAM_EMIT_INTERVAL_S": f"{emit_s:g}"}) as worker:
            await worker.ready()
            wanted = assets * rate_per_s
            async with feeding(testbed.broker, job.input, wanted, assets=assets, cycle_s=cycle_s) as feed:
                await asyncio.sleep(sizes.steady_settle_s + 1 / rate_per_s)
                began, at = time.time(), time.monotonic()
                before = {name: await _written(testbed, topic) for name, topic in names.items()}
                await asyncio.sleep(sizes.steady_s)
                after = {name: await _written(testbed, topic) for name, topic in names.items()}
                took_s = time.monotonic() - at
                cores = worker.observer.cpu_s(began, began + took_s) / took_s
                resident_mb = max(mb for _, mb in worker.observer.resident_mb(began, began + took_s))
                lag = await worker.lag()
        record: Record = {
            "assets": assets,
            "wanted_per_s": wanted,
            "sent_per_s": feed.reached_per_s,
            "emit_s": emit_s,
            "worker_cores": cores,
            "resident_mb": resident_mb,
            "lag": lag,
        }
        for name in names:
            per_s, bytes_each = after[name].since(before[name], took_s)
            record |= {f"{name}_per_s": per_s, f"{name.removesuffix('s')}_bytes": bytes_each}
        testbed.say(f"steady: {assets:,} assets, {wanted:,.0f} rows/s: {cores:.2f} cores, lag {lag}")
        return record


async def _written(testbed: Testbed, topic: str) -> _Written:
    async with topics.tail(testbed.broker, topic) as tail:
        return _Written(await tail.length(), _log_bytes(Path(testbed.directory, "broker", "log"), topic))


def _log_bytes(folder: Path, topic: str) -> int:
    return sum(file.stat().st_size for file in folder.glob(f"{topic}-[0-9]*/*.log"))
