"""What open browsers cost: clients that listen to a worker's events while it works."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from bench.scale.experiment import Experiment, count
from bench.scale.feed import feeding
from bench.scale.testbed import Record, Testbed
from bench.scale.worker_process import working
from bench.workload import ASSETS, Rows

_LISTENERS: Final = 100
_SHARE: Final = 0.5
#: Rows of a page of the dashboard's fleet.
_PAGE: Final = 50
_PIECE_BYTES: Final = 1 << 16


@dataclass(slots=True)
class _Heard:
    size_bytes: int = 0
    ended: int = 0


class Listeners(Experiment):
    """A hundred browsers: all at the fleet's first page, or each at the page of an asset."""

    name = "listeners"
    note = (
        f"100 assets, half of the throughput. A listener at the fleet follows {_PAGE} assets, one at an asset that "
        "asset alone, as the pages do; they read in the bench's process. The lines without listeners are of the same "
        "worker, before and in between."
    )
    columns = (
        ("listeners", count("listeners")),
        ("page", lambda record: record["page"]),
        ("rows/s sent", count("sent_per_s")),
        ("CPU, cores", count("worker_cores", 3)),
        ("kB/s heard", count("heard_kb_per_s")),
        ("ended", count("ended")),
        ("lag, rows", count("lag")),
    )

    async def measure(self, testbed: Testbed) -> list[Record]:
        rate = _SHARE * await testbed.capacity()
        job, ids = testbed.job("listeners"), Rows.of(ASSETS).assets
        page = f"/api/v1/events?{urlencode([('asset', each) for each in sorted(ids)[:_PAGE]])}"
        pages = {
            "fleet": [page] * _LISTENERS,
            "asset": [f"/api/v1/assets/{ids[number % len(ids)]}/events" for number in range(_LISTENERS)],
        }
        records: list[Record] = []
        async with working(job) as worker:
            await worker.ready()
            async with feeding(testbed.broker, job.input, rate) as feed:
                await asyncio.sleep(testbed.sizes.settle_s)
                for name in ("none", "fleet", "none", "asset", "none"):
                    async with _listening(job.http_port, pages.get(name, [])) as heard:
                        await asyncio.sleep(testbed.sizes.settle_s)
                        began, at, size = time.time(), time.monotonic(), heard.size_bytes
                        await asyncio.sleep(testbed.sizes.lookups_s)
                        took_s = time.monotonic() - at
                        records.append(
                            {
                                "listeners": len(pages.get(name, [])),
                                "page": name,
                                "worker_cores": worker.observer.cpu_s(began, began + took_s) / took_s,
                                "heard_kb_per_s": (heard.size_bytes - size) / took_s / 1000,
                                "ended": heard.ended,
                                "lag": await worker.lag(),
                            }
                        )
                    testbed.say(f"listeners: {name}: {records[-1]['worker_cores']:.3f} cores")
        return [{**record, "sent_per_s": feed.reached_per_s} for record in records]


@asynccontextmanager
async def _listening(port: int, paths: list[str]) -> AsyncIterator[_Heard]:
    """Listen at each path until the context ends."""
    heard = _Heard()
    tasks = [asyncio.ensure_future(_listen(port, path, heard)) for path in paths]
    try:
        yield heard
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _listen(port: int, path: str, heard: _Heard) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n".encode())
        while piece := await reader.read(_PIECE_BYTES):
            heard.size_bytes += len(piece)
        heard.ended += 1
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
