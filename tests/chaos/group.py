"""The worker processes of a run by slot, and their state."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from stream_app.settings import KafkaSettings
from tests.chaos.findings import Findings
from tests.chaos.history import History
from tests.chaos.prober import Process
from tests.e2e.workers import WorkerProcess

STOP_LIMIT_S = 25.0


class Group:
    """Workers that are started, killed, paused and ended; a worker that ends by itself is a contradiction.

    Parameters
    ----------
    kafka
        Settings of each slot's worker: how it reaches the broker.
    environment
        Environment variables for all workers.
    """

    def __init__(
        self, kafka: Sequence[KafkaSettings], port: int, directory: Path, environment: Mapping[str, str]
    ) -> None:
        self.directory = directory
        self.history = History(directory)
        self.findings = Findings()
        self.workers = [WorkerProcess(settings, directory, port + slot) for slot, settings in enumerate(kafka)]
        self.started = [0] * len(kafka)
        self.ending: set[int] = set()  # slots that a script has ended
        self.armed: set[int] = set()  # slots whose failpoint kills them
        self.paused: set[int] = set()
        self.stops_s: list[float] = []
        self._environment = environment

    def start(self, slot: int, **environment: str) -> None:
        """Start a worker."""
        self.started[slot] += 1
        self.ending.discard(slot)
        self.armed.discard(slot)
        if environment.get("STREAM_FAILPOINT", "").endswith("kill"):
            self.armed.add(slot)
        self.history.add("start", worker=slot, **environment)
        # The expected results know of no lateness but what a fault allows.
        data = {"STREAM_DATA_DIR": str(self.data_directory(slot)), "STREAM_ALLOWED_LATENESS_S": "0"}
        self.workers[slot].start(**{**data, **self._environment, **environment})

    def data_directory(self, slot: int) -> Path:
        """Data directory of a worker."""
        return self.directory / f"data-{slot}"

    def kill(self, slot: int) -> None:
        """SIGKILL."""
        self.history.add("kill -9", worker=slot)
        self.ending.add(slot)
        self.paused.discard(slot)
        self.workers[slot].kill()

    def pause(self, slot: int) -> None:
        """SIGSTOP."""
        self.history.add("SIGSTOP", worker=slot)
        self.paused.add(slot)
        self.workers[slot].pause()

    def resume(self, slot: int) -> None:
        """SIGCONT."""
        self.history.add("SIGCONT", worker=slot)
        self.paused.discard(slot)
        self.workers[slot].resume()

    async def terminate(self, slot: int) -> int:
        """SIGTERM, and wait: a worker must end within 25 s with status 0 under any fault."""
        began = time.monotonic()
        self.history.add("SIGTERM", worker=slot)
        self.ending.add(slot)
        worker = self.workers[slot]
        process = worker.process  # once it has ended, the script may start another in its place
        assert process is not None
        listens = worker.listens()
        process.terminate()
        while (status := process.poll()) is None and time.monotonic() < began + 2 * STOP_LIMIT_S:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        took_s = time.monotonic() - began
        self.stops_s.append(took_s)
        self.history.add("ended", worker=slot, status=status, took_s=round(took_s, 1))
        if status is None:
            process.kill()
        if status == -signal.SIGTERM and not listens:
            self.findings.notes["ended before it began"] += 1
            status = 0  # the interpreter was still starting: no handler was installed yet
        if status == -signal.SIGKILL and slot in self.armed:
            self.findings.notes["killed itself at its failpoint while ending"] += 1
            status = 0  # as its failpoint demands: the last checkpoint passed it
        if status != 0 or took_s > STOP_LIMIT_S:
            self.findings.contradict(f"worker {slot}: SIGTERM took {took_s:.1f} s, exit status {status}")
        return -1 if status is None else status

    def alive(self) -> list[int]:
        """Slots whose process exists, paused or not."""
        return [slot for slot, worker in enumerate(self.workers) if worker.is_alive()]

    def died(self) -> list[int]:
        """Slots whose process ended although no script ended it."""
        ended = [slot for slot, w in enumerate(self.workers) if w.process is not None and not w.is_alive()]
        shot = {slot for slot in self.armed if self.workers[slot].returncode == -signal.SIGKILL}
        return [slot for slot in ended if slot not in self.ending | shot]

    def processes(self) -> list[Process]:
        """Live processes as the prober names them."""
        return [(self.workers[slot].url, self.started[slot]) for slot in self.alive()]

    def urls(self) -> list[str]:
        """URLs of the live workers."""
        return [url for url, _ in self.processes()]

    def log(self, slot: int) -> str:
        """Log of a worker so far, over all its starts."""
        return self.workers[slot].log.read_text("utf-8", "replace")

    def note_deaths(self) -> None:
        """Record every worker that ended by itself without cause: a defect of the product."""
        for slot in self.died():
            status = self.workers[slot].returncode
            last = self.log(slot).strip().splitlines()[-1:]
            self.history.add("died", worker=slot, status=status, last=last)
            self.findings.contradict(f"worker {slot} ended by itself: status {status}: {last}")
            self.ending.add(slot)
