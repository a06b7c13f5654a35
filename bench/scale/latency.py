"""How old an answer is: from just before a row is sent until its update is read, and until a look-up includes it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import Final

from bench.scale.experiment import Experiment, count
from bench.scale.feed import Feed, feeding
from bench.scale.numbers import Summary
from bench.scale.probe import Prober
from bench.scale.testbed import Record, Testbed
from bench.scale.worker_process import working
from bench.workload import ASSETS

#: Idle: a row each 100 ms, over a few assets.
_IDLE_PER_S: Final = 10.0
_IDLE_ASSETS: Final = 5
_SEED: Final = 11


def load_name(record: Record) -> str:
    """A load in words."""
    return f"{record['share']:.0%}" if record["share"] else "idle"


class Latency(Experiment):
    """Probes under loads that are shares of the throughput of ``assets``."""

    name = "latency"
    note = (
        "Topic: until a consumer has read an update of the probe's asset whose `seq` is at least the row's offset. "
        "HTTP: until `GET /api/v1/assets/{id}?min_offset=` with that offset answers 200, asked as soon as the broker "
        "has acknowledged the row; the worker looks each 20 ms, so up to 20 ms are the question's own. The probes come "
        "at irregular times, whether earlier ones were answered or not. Lag is what the worker's tables did not "
        "include when the last probe was answered. On two cores the load, the probes and the broker take of what the "
        "worker had for itself when its throughput was measured."
    )
    columns = (
        ("load", load_name),
        ("rows/s wanted", count("wanted_per_s")),
        ("rows/s sent", count("sent_per_s")),
        ("probes", count("probes")),
        ("topic p50 ms", count("topic_p50_ms")),
        ("p99", count("topic_p99_ms")),
        ("max", count("topic_max_ms")),
        ("HTTP p50 ms", count("http_p50_ms")),
        ("p99", count("http_p99_ms")),
        ("max", count("http_max_ms")),
        ("not within 30 s", count("unseen")),
        ("worker's CPU, cores", count("worker_cores", 2)),
        ("lag, rows", count("lag")),
    )

    async def measure(self, testbed: Testbed) -> list[Record]:
        capacity = await testbed.capacity()
        return [await self._of(testbed, share, capacity) for share in testbed.sizes.shares]

    async def _of(self, testbed: Testbed, share: float, capacity: float) -> Record:
        sizes = testbed.sizes
        rate, assets = (share * capacity, ASSETS) if share else (_IDLE_PER_S, _IDLE_ASSETS)
        job = testbed.job(f"latency-{share:.2f}")
        async with working(job) as worker:
            await worker.ready()
            feed: Feed
            async with feeding(testbed.broker, job.input, rate, assets=assets) as feed:
                await asyncio.sleep(sizes.settle_s)
                began, at = time.time(), time.monotonic()
                seen = await Prober(job).run(sizes.probes, sizes.probe_gap_s, _SEED)
                took_s = time.monotonic() - at
                lag = await worker.lag()
                cores = worker.observer.cpu_s(began, began + took_s) / took_s
        topic, http = Summary.of(seen.topic_s), Summary.of(seen.http_s)
        record: Record = {
            "share": share,
            "capacity_rows_per_s": capacity,
            "wanted_per_s": rate,
            "sent_per_s": feed.reached_per_s,
            "feed": asdict(feed),
            "probes": sizes.probes,
            "unseen": seen.unseen,
            "worker_cores": cores,
            "lag": lag,
            "topic_ms": [round(1000 * each, 2) for each in seen.topic_s],
            "http_ms": [round(1000 * each, 2) for each in seen.http_s],
        }
        for name, summary in (("topic", topic), ("http", http)):
            record |= {f"{name}_p50_ms": summary.p50_ms, f"{name}_p99_ms": summary.p99_ms}
            record[f"{name}_max_ms"] = summary.max_ms
        took = ", ".join(
            f"{where} p50 {summary.p50_ms or 0:.0f} ms, p99 {summary.p99_ms or 0:.0f} ms"
            for where, summary in (("topic", topic), ("HTTP", http))
        )
        testbed.say(f"latency: {load_name(record)}: sent {feed.reached_per_s:,.0f} rows/s, {took}")
        return record
