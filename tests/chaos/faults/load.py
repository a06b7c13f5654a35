"""The load under which most scripts inject their faults, and the waits that measure recovery."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.chaos.final_check import drain_and_check
from tests.chaos.lab import Lab
from tests.chaos.traffic import fleet

if TYPE_CHECKING:
    from tests.chaos.runs import Outcome  # a mixed run uses this module too

RATE = 1500.0


@asynccontextmanager
async def under_load(
    lab: Lab, outcome: Outcome, rows: int, *, workers: int = 2, rate: float = RATE, probes: float = 10.0, **options: Any
) -> AsyncIterator[None]:
    """Ready workers, a stream of rows and look-ups around the body; afterwards heal, drain and check.

    Rows flow until the body ends (``rows`` is the limit). ``options`` go to the producer.
    """
    messages = fleet(lab.options.seed, rows)  # before the workers, whose proxies stand still meanwhile
    for slot in range(workers):
        lab.start(slot)
    await lab.ready(*range(workers), timeout_s=180)
    enough = asyncio.Event()
    async with lab.probed(sorted({m.key.decode() for m in messages if m.key}), probes):
        producing = asyncio.create_task(lab.produce(messages, rate, enough, **options))
        try:
            await asyncio.sleep(3)  # some rows in every partition
            yield
            await asyncio.sleep(1)
        finally:
            enough.set()
            await producing
        await lab.heal(workers)
    took_s = await drain_and_check(lab)
    outcome.recovery_s = took_s if outcome.recovery_s is None else outcome.recovery_s


async def row_count(lab: Lab, slot: int) -> int:
    """Rows of all assets according to a worker; -1 when it cannot answer for all partitions."""
    page = await lab.get(slot, "/api/v1/assets", limit=1000)
    return -1 if page is None else sum(item["rows"] for item in page["assets"])


async def await_progress(lab: Lab, slot: int, beyond: int, timeout_s: float = 60.0) -> float:
    """Seconds until a worker counts more than ``beyond`` rows, in all partitions."""
    began = time.monotonic()
    while await row_count(lab, slot) <= beyond:
        lab.note_deaths()
        if not lab.workers[slot].is_alive():
            lab.start(slot)  # as its supervisor would
        if time.monotonic() - began > timeout_s:
            lab.findings.contradict(f"worker {slot} does not go on within {timeout_s:.0f} s")
            break
        await asyncio.sleep(0.1)
    took_s = time.monotonic() - began
    lab.history.add("goes on", worker=slot, after_s=round(took_s, 1))
    return took_s


async def await_exit(lab: Lab, slot: int, timeout_s: float, *said: str) -> float:
    """Seconds until a worker has ended by itself, with an exit status above 0 and the reason in its log."""
    began = time.monotonic()
    while lab.workers[slot].is_alive() and time.monotonic() - began < timeout_s:  # noqa: ASYNC110  # a process
        await asyncio.sleep(0.1)
    took_s = time.monotonic() - began
    # A client that is torn down may complain of its broken connection after the worker has said why it ends.
    status, last = lab.workers[slot].returncode, lab.log(slot).strip().splitlines()[-5:]
    lab.history.add("ended by itself", worker=slot, status=status, after_s=round(took_s, 1), last=last[-1:])
    lab.ending.add(slot)
    if status is None:
        lab.findings.contradict(f"worker {slot} still runs after {timeout_s:.0f} s: it must end and say {said}")
        lab.kill(slot)
    elif status <= 0:
        lab.findings.contradict(f"worker {slot} ended with status {status}: it must tell that something is wrong")
    missing = [text for text in said if text not in "".join(last)]
    if status is not None and missing:
        lab.findings.contradict(f"worker {slot} ended without saying {missing}: {last}")
    return took_s


def note_recovery(outcome: Outcome, *seconds: float) -> None:
    """Keep the longest recovery [s] of the run."""
    outcome.recovery_s = max((outcome.recovery_s or 0.0, *seconds))
