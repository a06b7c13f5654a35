"""A worker of this project, from the outside: started, asked over HTTP, watched, ended."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from bench import processes
from bench.contenders import Job
from bench.observer import Observer
from bench.project import ThisProject
from bench.scale.client import Connection

_POLL_S: Final = 0.02
#: Listing assets costs the worker time when it has many.
_CAUGHT_UP_POLL_S: Final = 0.5
_READY_S: Final = 120.0
_LOG_TOLD: Final = 1500


@dataclass(slots=True)
class WorkerProcess:
    """A process that runs."""

    job: Job
    process: subprocess.Popen[bytes]
    observer: Observer
    began_at: float = field(default_factory=time.monotonic)
    #: When it was first seen in a phase, by the answers of its probe [s since its start]; "" is any answer at all.
    phases_s: dict[str, float] = field(default_factory=dict)

    async def ready(self) -> float:
        """Wait until it has all its state; seconds since its start."""
        connection = Connection(self.job.http_port)
        try:
            async with asyncio.timeout(_READY_S):
                while not await self._is_ready(connection):  # noqa: ASYNC110  # it signals no event
                    await asyncio.sleep(_POLL_S)
        finally:
            await connection.close()
        return self.phases_s["ready"]

    async def _is_ready(self, connection: Connection) -> bool:
        if self.process.poll() is not None:
            said = (self.job.directory / "log.txt").read_text("utf-8", "replace")[-_LOG_TOLD:]
            msg = f"the worker ended by itself (status {self.process.returncode}): {said}"
            raise RuntimeError(msg)
        try:
            status, health = await connection.json("/health/ready")
        except OSError:
            return False
        now_s = time.monotonic() - self.began_at
        self.phases_s.setdefault("", now_s)
        if status == 200 or health["phase"] != "ready":  # ready, but Kafka does not count it in: not yet
            self.phases_s.setdefault(health["phase"], now_s)
        return status == 200

    async def assets(self) -> dict[str, Any] | None:
        """Return the page of the first asset; None while the worker does not answer."""
        return await self._page("/api/v1/assets?limit=1")

    async def shares(self) -> list[int]:
        """How many partitions each worker of the group has, as this one knows it."""
        page = await self._page("/api/v1/system")
        return [] if page is None else [len(worker["partitions"]) for worker in page["workers"]]

    async def _page(self, path: str) -> dict[str, Any] | None:
        connection = Connection(self.job.http_port)
        try:
            status, page = await connection.json(path)
        except OSError:
            return None
        finally:
            await connection.close()
        return page if status == 200 else None

    async def caught_up(self, timeout_s: float) -> None:
        """Wait until its tables include all that is in Kafka."""
        async with asyncio.timeout(timeout_s):
            while not _is_current(await self.assets()):  # noqa: ASYNC110  # it signals no event
                await asyncio.sleep(_CAUGHT_UP_POLL_S)

    async def lag(self) -> int | None:
        """Messages in Kafka that its tables do not include; None while it does not know."""
        page = await self.assets()
        return None if page is None else page["meta"]["lag"]

    def pause(self) -> None:
        """SIGSTOP."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    async def end(self) -> None:
        """End it; nothing happens if it has ended."""
        self.observer.stop()
        await asyncio.to_thread(processes.end, self.process)


def _is_current(page: Mapping[str, Any] | None) -> bool:
    return page is not None and bool(page["assets"]) and page["meta"]["lag"] == 0


@asynccontextmanager
async def working(job: Job, environment: Mapping[str, str] | None = None) -> AsyncIterator[WorkerProcess]:
    """Start a worker, not necessarily ready; it has ended afterwards. ``environment`` is added to its own."""
    project = ThisProject()
    job.directory.mkdir(parents=True, exist_ok=True)
    command = await asyncio.to_thread(project.command, job)
    began_at = time.monotonic()
    process = processes.start(command, {**project.environment(job), **(environment or {})}, job.directory / "log.txt")
    observer = Observer(process.pid, int(job.broker.rpartition(":")[2])).start()
    worker = WorkerProcess(job, process, observer, began_at)
    try:
        yield worker
    finally:
        await worker.end()


async def figures(port: int) -> dict[str, float]:
    """Samples without labels at a worker's ``/metrics``."""
    connection = Connection(port)
    try:
        _, body = await connection.get("/metrics")
    finally:
        await connection.close()
    return parsed(body.decode())


def parsed(text: str) -> dict[str, float]:
    """Samples without labels in Prometheus' text format."""
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#") and "{" not in line)
    return {name: float(value) for name, value, *_ in lines}
