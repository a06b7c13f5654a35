"""Worker processes as a user starts them, and clients outside of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from stream_app.settings import KafkaSettings
from tests.ports import free_port

TIMEOUT_S = 90.0
ROOT = Path(__file__).parents[2]


def until(condition: Callable[[], Any], what: str, timeout_s: float = TIMEOUT_S) -> Any:
    """Wait for a condition of other processes, which tell no event; returns what it gave."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.05)
    return found


class WorkerProcess:
    """``stream-app worker`` as a child process that can be killed, ended, paused and started again."""

    def __init__(self, kafka: KafkaSettings, directory: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = directory / f"worker-{self.port}.log"
        given = kafka.model_dump(exclude_none=True)
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "STREAM_HTTP__PORT": str(self.port),
            "STREAM_DATA_DIR": str(directory),
            **{f"STREAM_KAFKA__{name.upper()}": str(value) for name, value in given.items()},
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> WorkerProcess:
        """Start it, for this time with some more in its environment."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "stream_app", "worker"],
                env=self._environment | environment,
                stdout=output,
                stderr=output,
            )
        return self

    def is_alive(self) -> bool:
        """Whether the process is there, paused or not."""
        return self.process is not None and self.process.poll() is None

    @property
    def returncode(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        return None if self.process is None else self.process.poll()

    def listens(self) -> bool:
        """Whether it has a handler for SIGTERM yet (``proc(5)``)."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)

    def pause(self) -> None:
        """SIGSTOP: its connections stay open, nothing is answered."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo :meth:`pause`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        return self.status("/health/ready") == 200

    def ready(self) -> WorkerProcess:
        until(self.is_ready, f"{self.url} is ready")
        return self

    def status(self, path: str) -> int | None:
        """HTTP status of a path; None while nobody answers."""
        try:
            return httpx.get(self.url + path, timeout=5).status_code
        except httpx.TransportError:
            return None

    def text(self, path: str) -> str:
        """Body of a path, whatever its status."""
        return httpx.get(self.url + path, timeout=10).text

    def get(self, path: str, **options: Any) -> Any:
        """JSON of a path."""
        answer = httpx.get(self.url + path, timeout=10, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def kill(self) -> None:
        """SIGKILL: as the kernel or a power failure would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


def all_ready(*workers: WorkerProcess) -> None:
    """Wait until the workers are ready at the same time, with every partition owned by one of them."""
    until(
        lambda: all(worker.is_ready() and worker.status("/api/v1/assets") == 200 for worker in workers),
        "all workers are ready",
    )


@contextmanager
def workers(kafka: KafkaSettings, directory: Path, count: int) -> Iterator[list[WorkerProcess]]:
    """Started, not necessarily ready; ended in the end, whatever happened to them."""
    made = [WorkerProcess(kafka, directory) for _ in range(count)]
    try:
        yield made
    finally:
        for worker in made:
            if worker.process is not None and worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()
