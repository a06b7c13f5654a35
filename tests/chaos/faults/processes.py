"""Faults of worker processes: killed, paused, hung, slow, joining and leaving."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

from tests.chaos.faults.load import await_exit, await_progress, note_recovery, row_count, under_load
from tests.chaos.final_check import drain_and_check
from tests.chaos.lab import SESSION_TIMEOUT_S, Lab
from tests.chaos.nemesis import POINTS
from tests.chaos.runs import Outcome
from tests.chaos.traffic import fleet

_FAIL_OVER_LIMIT_S = 20.0
_WATCHDOG_LIMIT_S = 90.0
_MIB = 1 << 20


async def killed_at_points(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F1: a worker dies at each step of a checkpoint in turn; the survivor takes over and nothing counts twice."""
    async with under_load(lab, outcome, rows):
        for point in POINTS:
            await lab.terminate(0)
            lab.start(0, STREAM_FAILPOINT=f"{point}:6:kill")
            await _dies(lab, 0, point)
            took_s = await await_progress(lab, 1, await _last_count(lab))
            lab.history.add("failed over", point=point, after_s=took_s)
            if took_s > _FAIL_OVER_LIMIT_S:
                lab.findings.contradict(f"fail-over after {point} took {took_s:.1f} s")
            note_recovery(outcome, took_s)
            outcome.faults += 1
            lab.start(0)
            await lab.ready(0)


async def all_killed(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F2: all workers die at once, later with their directories; the restarted ones recover all state."""
    async with under_load(lab, outcome, rows):
        for wiped in (False, True, True):
            before = await row_count(lab, 1)
            for slot in (0, 1):
                lab.kill(slot)
            if wiped:
                for slot in (0, 1):
                    shutil.rmtree(lab.data_directory(slot), ignore_errors=True)
            for slot in (0, 1):
                lab.start(slot)
            note_recovery(outcome, await await_progress(lab, 0, before))
            outcome.faults += 1


async def stopped_and_continued(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F3: a worker is paused for two session timeouts, loses its partitions, continues and must not write."""
    async with under_load(lab, outcome, rows):
        for slot in (0, 1, 0):
            before = await row_count(lab, 1 - slot)
            lab.pause(slot)
            note_recovery(outcome, await await_progress(lab, 1 - slot, before))
            await asyncio.sleep(max(0.0, 2 * SESSION_TIMEOUT_S - (outcome.recovery_s or 0)))
            lab.resume(slot)
            await asyncio.sleep(2)
            await lab.ready(slot)
            outcome.faults += 1


async def rebalance_storm(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F4: a worker joins or leaves every three seconds for a minute; none crashes, and the lag falls afterwards."""
    async with under_load(lab, outcome, rows):
        began = time.monotonic()
        leaving: list[asyncio.Task[int]] = []
        while time.monotonic() - began < 60:
            lab.note_deaths()
            free = [slot for slot, worker in enumerate(lab.workers) if not worker.is_alive()]
            if free:
                lab.start(free[0])
            else:
                oldest = min((slot for slot in lab.alive() if slot not in lab.ending), key=lambda s: lab.started[s])
                leaving.append(asyncio.create_task(lab.terminate(oldest)))
            outcome.faults += 1
            await asyncio.sleep(3)
        await asyncio.gather(*leaving)


async def slow_sink(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F11: every checkpoint takes five seconds: no worker is held for dead, memory is bounded, the lag is reported."""
    lab.start(0, STREAM_FAILPOINT="after_output_flush:1+:sleep=5")
    await lab.ready(0)
    producing = asyncio.create_task(lab.produce(fleet(lab.options.seed, rows), rate=rows / 50))
    lags, sizes = [], []
    for _ in range(100):
        await asyncio.sleep(0.5)
        lab.note_deaths()
        if await lab.status(0, "/health/live") != 200:
            lab.findings.contradict("a slow sink: the worker does not answer /health/live")
        page = await lab.get(0, "/api/v1/assets", limit=1)
        lags.append(0 if page is None else page["meta"]["lag"])
        sizes.append(_resident_bytes(lab, 0))
    await producing
    if max(lags) < rows // 50:
        lab.findings.contradict(f"a slow sink: the largest reported lag was {max(lags)}")
    if max(sizes) - sizes[0] > 300 * _MIB:
        lab.findings.contradict(f"a slow sink: {sizes[0] // _MIB} MiB grew to {max(sizes) // _MIB}")
    lab.history.add("slow", lags=lags, mib=[size // _MIB for size in sizes[::10]])
    outcome.faults = 1
    outcome.recovery_s = await drain_and_check(lab)


async def hung(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F12: a step that never ends: the worker must notice that it makes no progress, log it and end."""
    async with under_load(lab, outcome, rows, rate=500):
        for point in ("after_fetch", "after_output_flush"):
            await lab.terminate(0)
            lab.start(0, STREAM_FAILPOINT=f"{point}:5:hang")
            took_s = await await_exit(lab, 0, _WATCHDOG_LIMIT_S, "progress")
            lab.history.add("watchdog", point=point, after_s=took_s)
            outcome.faults += 1
            before = await row_count(lab, 1)
            lab.start(0)
            note_recovery(outcome, await await_progress(lab, 1, before))


async def asked_in_trouble(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F23: 100 look-ups a second while workers die and are paused; each gets a correct answer soon."""
    async with under_load(lab, outcome, rows, workers=3, probes=100.0):
        for slot in (0, 1):
            before = await row_count(lab, 2)
            lab.kill(slot)
            note_recovery(outcome, await await_progress(lab, 2, before))
            lab.start(slot)
            await lab.ready(slot)
            lab.pause(slot)
            await _answers_soon(lab, 2)
            lab.resume(slot)
            await lab.ready(slot)
            outcome.faults += 2


async def _answers_soon(lab: Lab, slot: int) -> None:
    """While an owner does not answer: one hop, at most two seconds, then 503."""
    for number in range(0, 60, 5):
        began = time.monotonic()
        status = await lab.status(slot, f"/api/v1/assets/bess-{number:03d}")
        took_s = time.monotonic() - began
        if status not in (200, 503) or took_s > 3.5:
            lab.findings.contradict(f"while an owner is paused, worker {slot} answers {status} after {took_s:.1f} s")


async def _dies(lab: Lab, slot: int, point: str) -> None:
    """Wait until a failpoint has killed a worker."""
    async with asyncio.timeout(60):
        while lab.workers[slot].is_alive():  # noqa: ASYNC110  # a process gives no event to wait for
            await asyncio.sleep(0.02)
    lab.history.add("killed", worker=slot, point=point)


async def _last_count(lab: Lab) -> int:
    """Rows counted at present by any worker; 0 when none can answer."""
    return max([await row_count(lab, slot) for slot in lab.alive()] + [0])


def _resident_bytes(lab: Lab, slot: int) -> int:
    process = lab.workers[slot].process
    assert process is not None
    fields = Path(f"/proc/{process.pid}/statm").read_text().split()
    return int(fields[1]) * 4096
