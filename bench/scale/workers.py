"""Throughput by the number of workers of one group.

All are there, each with its partitions, before the first row: they are paused (SIGSTOP) while the topic is filled and
go on at the same moment. So neither joining nor filling is in the figure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from bench import topics
from bench.ledger import Ledger, own_update
from bench.measure import until_finished
from bench.messages import FORMS
from bench.scale.experiment import Experiment, count, yes
from bench.scale.testbed import Record, Testbed
from bench.scale.worker_process import WorkerProcess, working

_SETTLED_S: Final = 90.0
#: A worker that is paused must not lose its partitions, nor end itself as stuck.
_PATIENT: Final = {"STREAM_KAFKA__SESSION_TIMEOUT_S": "120", "STREAM_STALL_TIMEOUT_S": "600"}


class Workers(Experiment):
    """Workers of one group share a full topic."""

    name = "workers"
    note = (
        "All on one machine, the broker too: with two cores, a worker more than one shares a core with the broker and "
        "with the others, so this shows what sharing costs, not what more machines bring. CPU and memory are of all "
        "workers together."
    )
    columns = (
        ("workers", count("workers")),
        ("rows", count("rows")),
        ("rows/s", count("rows_per_s")),
        ("rows/CPU s", count("rows_per_cpu_s")),
        ("CPU s", count("cpu_s", 1)),
        ("CPU s of all else", count("others_cpu_s", 1)),
        ("peak MB", count("peak_mb")),
        ("right", yes),
    )

    async def measure(self, testbed: Testbed) -> list[Record]:
        return [await self._of(testbed, number) for number in testbed.sizes.workers]

    async def _of(self, testbed: Testbed, number: int) -> Record:
        rows = testbed.lab.rows(testbed.sizes.rows)
        job = testbed.job(f"workers-{number}", rows)
        await topics.create(testbed.broker, job.input)
        ledger = Ledger(own_update)
        async with AsyncExitStack() as stack:
            group = [
                await stack.enter_async_context(
                    working(replace(job, http_port=job.http_port + slot, directory=job.directory / str(slot)), _PATIENT)
                )
                for slot in range(number)
            ]
            await _settled(group)
            for worker in group:
                worker.pause()
            await topics.fill(testbed.broker, job.input, FORMS["rows"].messages(rows))
            began = time.time()
            for worker in group:
                worker.resume()
            seen = [(worker.process, worker.observer) for worker in group]
            problems = await until_finished(
                seen, replace(job, directory=group[0].job.directory), ledger, testbed.timeout_s
            )
        finished = ledger.finished_at(rows.truth)
        record: Record = {"workers": number, "rows": rows.total, "problems": problems}
        if finished is not None:
            problems += ledger.problems(rows.truth, held=True)
            observers = [worker.observer for worker in group]
            cpu_s = sum(observer.cpu_s(began, finished) for observer in observers)
            record |= {
                "wall_s": finished - began,
                "rows_per_s": rows.total / (finished - began),
                "cpu_s": cpu_s,
                "rows_per_cpu_s": rows.total / cpu_s,
                "others_cpu_s": observers[0].others_cpu_s(began, finished)
                + observers[0].cpu_s(began, finished)
                - cpu_s,
                "peak_mb": sum(observer.peak_mb for observer in observers),
            }
        testbed.say(f"workers: {number}: {record.get('rows_per_s', 0):,.0f} rows/s {'; '.join(problems)}")
        return record


async def _settled(group: Sequence[WorkerProcess]) -> None:
    """Wait until all are ready and have the partitions that are theirs."""
    for worker in group:
        await worker.ready()
    async with asyncio.timeout(_SETTLED_S):
        while not _is_shared(await group[0].shares(), len(group)):  # noqa: ASYNC110  # no event
            await asyncio.sleep(0.2)


def _is_shared(shares: Sequence[int], workers: int) -> bool:
    busy = min(workers, topics.PARTITIONS)
    return sum(shares) == topics.PARTITIONS and sum(1 for share in shares if share) == busy
