"""The load's process, started and ended; what it truly sent."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from bench.environments import ROOT
from bench.scale.cycle import CYCLE_S

_BEGIN_S: Final = 240.0
_END_S: Final = 20.0


@dataclass(slots=True)
class Feed:
    """What a load was to send, and once it has ended, what it has sent."""

    rate_per_s: float
    rows: int = 0
    took_s: float = 0.0
    behind_s: float = 0.0  # the most that it was late with a batch
    next_cycle: int = 0
    cpu_s: float = 0.0

    @property
    def reached_per_s(self) -> float:
        """Rows per second that it truly sent."""
        return self.rows / self.took_s if self.took_s else 0.0


@asynccontextmanager
async def feeding(
    broker: str, topic: str, rate_per_s: float, *, assets: int = 100, first_cycle: int = 0, cycle_s: int = CYCLE_S
) -> AsyncIterator[Feed]:
    """Send rows from a process of its own for as long as the context is open; the feed has its report afterwards."""
    feed = Feed(rate_per_s)
    words = ["--broker", broker, "--topic", topic, "--rate", str(rate_per_s), "--assets", str(assets)]
    words += ["--first-cycle", str(first_cycle), "--cycle-seconds", str(cycle_s)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.scale.load", *words),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    output = process.stdout
    assert output is not None, "it was asked for"  # noqa: S101  # for the type checker
    try:
        async with asyncio.timeout(_BEGIN_S):
            if not await output.readline():
                msg = f"the load ended before it began: status {await process.wait()}"
                raise RuntimeError(msg)
        yield feed
        with suppress(ProcessLookupError):
            process.terminate()
        async with asyncio.timeout(_END_S):
            for name, value in json.loads(await output.readline()).items():
                setattr(feed, name, value)
            await process.wait()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
