"""The demo's parts: each a process of its own, so that Ctrl-C reaches the demo alone, and its log goes to a file."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from stream_app.errors import ExpectedError

_STOP_TIMEOUT_S: Final = 25.0


class PartEndedError(ExpectedError):
    """A part of the demo ended by itself, or was killed.

    Parameters
    ----------
    part
        What ended.
    code
        Its exit status; negative for a signal.
    """

    def __init__(self, part: str, code: int, log: Path) -> None:
        if code >= 0:
            with log.open(encoding="utf-8", errors="replace") as lines:
                last = " ".join(deque((line.strip() for line in lines if line.strip()), maxlen=1))
            said = f", its last words: {last[-300:]}" if last else ""
            happened = f"the {part} ended with exit status {code}{said}"
        elif code == -signal.SIGKILL:
            happened = f"the {part} was killed (SIGKILL), by somebody or by the kernel for want of memory"
        else:
            happened = f"the {part} was ended by {signal.Signals(-code).name}"
        super().__init__(f"{happened}. Start the demo again: it goes on where it was; the log is {log}")


class Program:
    """A running ``stream-app``; ``name`` is its command."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self._name, self._process, self._log = name, process, log

    async def ended(self) -> PartEndedError:
        """Wait until the process ends by itself; returns the error to raise then."""
        return PartEndedError(self._name, await self._process.wait(), self._log)

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
async def program(command: str, environment: Mapping[str, str], log: Path) -> AsyncIterator[Program]:
    """Run ``stream-app`` with a command while the context is open."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "stream_app",
            command,
            env=os.environ | dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # a Ctrl-C in the terminal is for the demo, which then ends its parts
        )
    running = Program(command, process, log)
    try:
        yield running
    finally:
        await running.stop()
