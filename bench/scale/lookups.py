"""How many look-ups a worker answers beside its rows, and how fast."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from bench.scale.client import Connection
from bench.scale.experiment import Experiment, count
from bench.scale.feed import feeding
from bench.scale.latency import load_name
from bench.scale.numbers import Pace, Summary
from bench.scale.testbed import Record, Testbed
from bench.scale.worker_process import working
from bench.workload import ASSETS, Rows

_CLIENTS: Final = 4
_OPEN_PER_S: Final = 100.0
#: More at once than this would be a queue of the asker's.
_CONNECTIONS_MAX: Final = 64
_SHARE: Final = 0.5
_WARM_PER_S: Final = 5_000.0


@dataclass(slots=True)
class Asked:
    """Answers of a span of time."""

    took_s: float = 0.0
    durations_s: list[float] = field(default_factory=list)
    others: int = 0  # answers that are not 200, or none

    async def ask(self, connection: Connection, path: str, since: float) -> None:
        """Ask, and enter how long it took since a moment."""
        status = 0
        with suppress(OSError):
            status, _ = await connection.get(path)
        if status == 200:
            self.durations_s.append(time.monotonic() - since)
        else:
            self.others += 1


async def closed_loop(port: int, path: Callable[[], str], seconds: float, clients: int = _CLIENTS) -> Asked:
    """Some clients, each with a connection of its own, that ask again as soon as they are answered."""
    asked, began = Asked(), time.monotonic()

    async def client() -> None:
        connection = Connection(port)
        try:
            while (now := time.monotonic()) - began < seconds:
                await asked.ask(connection, path(), now)
        finally:
            await connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    asked.took_s = time.monotonic() - began
    return asked


async def open_loop(port: int, path: Callable[[], str], seconds: float, per_s: float = _OPEN_PER_S) -> Asked:
    """Questions at a steady rate. Each counts from when it was due, so that a wait behind a slow one is not lost."""
    asked, pace = Asked(), Pace(per_s, time.monotonic())
    idle: list[Connection] = []
    limit = asyncio.Semaphore(_CONNECTIONS_MAX)

    async def question(due_at: float) -> None:
        async with limit:
            connection = idle.pop() if idle else Connection(port)
            await asked.ask(connection, path(), due_at)
            idle.append(connection)

    tasks = []
    for number in range(round(per_s * seconds)):
        await asyncio.sleep(pace.wait_s(number, time.monotonic()))
        tasks.append(asyncio.ensure_future(question(pace.due_at(number))))
    await asyncio.gather(*tasks)
    asked.took_s = time.monotonic() - pace.began_at
    for connection in idle:
        await connection.close()
    return asked


class Lookups(Experiment):
    """``GET /api/v1/assets/{id}`` of assets by chance, while the worker is idle and at half of its throughput."""

    name = "lookups"
    note = (
        f"Closed loop: {_CLIENTS} clients over connections that they keep, each asks again as soon as it is answered. "
        f"Open loop: {_OPEN_PER_S:.0f} questions a second whatever the answers take, each counted from when it was "
        "due. Lag is what the worker's tables did not include in the end."
    )
    columns = (
        ("load", load_name),
        ("rows/s sent", count("sent_per_s")),
        ("loop", lambda record: record["loop"]),
        ("look-ups/s", count("per_s")),
        ("p50 ms", count("p50_ms", 1)),
        ("p99 ms", count("p99_ms", 1)),
        ("max ms", count("max_ms", 1)),
        ("not 200", count("others")),
        ("lag, rows", count("lag")),
    )

    async def measure(self, testbed: Testbed) -> list[Record]:
        rate = _SHARE * await testbed.capacity()
        job = testbed.job("lookups")
        records: list[Record] = []
        rng = random.Random(11)  # noqa: S311  # repeatable on purpose
        ids = Rows.of(ASSETS).assets

        def path() -> str:
            return f"/api/v1/assets/{rng.choice(ids)}"

        async def both(share: float) -> list[Record]:
            answers: list[Record] = []
            for loop in (closed_loop, open_loop):
                asked = await loop(job.http_port, path, testbed.sizes.lookups_s)
                summary = Summary.of(asked.durations_s)
                answers.append(
                    {
                        "share": share,
                        "loop": loop.__name__.replace("_loop", ""),
                        "per_s": summary.count / asked.took_s,
                        "p50_ms": summary.p50_ms,
                        "p99_ms": summary.p99_ms,
                        "max_ms": summary.max_ms,
                        "others": asked.others,
                        "lag": await worker.lag(),
                    }
                )
                testbed.say(
                    f"look-ups: {load_name(answers[-1])}, {answers[-1]['loop']} loop: {answers[-1]['per_s']:,.0f}/s, "
                    f"p99 {summary.p99_ms or 0:.1f} ms"
                )
            return answers

        async with working(job) as worker:
            await worker.ready()
            async with feeding(testbed.broker, job.input, _WARM_PER_S) as warm:  # so that there is something to look up
                await asyncio.sleep(testbed.sizes.settle_s)
            await worker.caught_up(testbed.timeout_s)
            records += [{**record, "sent_per_s": 0.0} for record in await both(0.0)]
            async with feeding(testbed.broker, job.input, rate, first_cycle=warm.next_cycle) as feed:
                await asyncio.sleep(testbed.sizes.settle_s)
                loaded = await both(_SHARE)
            records += [{**record, "sent_per_s": feed.reached_per_s} for record in loaded]
        return records
