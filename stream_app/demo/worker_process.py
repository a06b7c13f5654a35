"""The demo's worker: a process of its own, so that Ctrl-C reaches the demo alone, and its log goes to a file."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from stream_app.errors import ExpectedError

_STOP_TIMEOUT_S: Final = 25.0
#: More closed windows than a worker keeps by itself: plots have a past without a history store.
_KEPT: Final = '{"1m": 60, "15m": 96, "1h": 96, "1d": 30}'


class WorkerProcess:
    """A running worker."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    async def ended(self) -> ExpectedError:
        """Wait until the process ends by itself; returns the error to raise then."""
        code = await self._process.wait()
        with self._log.open(encoding="utf-8", errors="replace") as lines:
            last = " ".join(deque((line.strip() for line in lines if line.strip()), maxlen=1))
        return ExpectedError(f"the worker ended with exit code {code} ({last[-300:]}): see {self._log}")

    async def stop(self) -> None:
        """End the process; if it does not end in time, kill it."""
        if self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def worker_process(broker: str, port: int, data_dir: Path, log: Path) -> AsyncIterator[WorkerProcess]:
    """Run ``stream-app worker`` while the context is open."""
    environment = (
        {"STREAM_KEEP_WINDOWS": _KEPT}
        | os.environ
        | {
            "STREAM_KAFKA__BOOTSTRAP_SERVERS": broker,
            "STREAM_HTTP__PORT": str(port),
            "STREAM_DATA_DIR": str(data_dir),
        }
    )
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "stream_app",
            "worker",
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # a Ctrl-C in the terminal is for the demo, which then ends the worker
        )
    worker = WorkerProcess(process, log)
    try:
        yield worker
    finally:
        await worker.stop()
