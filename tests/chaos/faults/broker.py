"""Faults of the broker and of the network to it."""

from __future__ import annotations

import asyncio
import time

from tests.chaos.faults.scene import counted, goes_on, under_load, worst
from tests.chaos.judge import judged
from tests.chaos.lab import SESSION_TIMEOUT_S, Lab
from tests.chaos.nemesis import NETWORKS
from tests.chaos.proxy import WELL
from tests.chaos.runs import Outcome
from tests.chaos.traffic import fleet

_RETURN_LIMIT_S = 30.0
_LINES_PER_S = 10.0
_AWAY_S = 70.0


async def restarted(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F6: the broker is restarted in good order, then killed and started again, twice each."""
    async with under_load(lab, outcome, rows):
        for kill in (False, True, False, True):
            before = await counted(lab, 1)
            await lab.stop_broker(kill=kill)
            await asyncio.sleep(1)
            await lab.start_broker()
            worst(outcome, await _returned(lab, 1, before))
            outcome.faults += 1


async def away(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F7: workers start before the broker; it goes away for 70 s; a worker is ended meanwhile."""
    await lab.stop_broker()
    for slot in (0, 1):
        lab.start(slot)
    await lab.until(lambda: lab.status(0, "/health/live"), 200, "it lives")
    await _waits(lab, 10.0)
    await lab.start_broker()
    messages = fleet(lab.options.seed, rows)
    enough = asyncio.Event()
    producing = asyncio.create_task(lab.produce(messages, 500, enough))
    worst(outcome, await _returned(lab, 1, 0))
    outcome.faults += 1
    before = await counted(lab, 1)
    await lab.stop_broker(kill=True)
    began = time.monotonic()
    await asyncio.sleep(2 * SESSION_TIMEOUT_S)
    ending = asyncio.create_task(lab.terminate(0))
    await _waits(lab, _AWAY_S - (time.monotonic() - began), slots=(1,))
    await ending
    await lab.start_broker()
    worst(outcome, await _returned(lab, 1, before))
    outcome.faults += 2
    enough.set()
    await producing
    await lab.heal()
    await judged(lab)


async def bad_network(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F8: the network between one worker and the broker is slow, resets, is half open, is a black hole."""
    async with under_load(lab, outcome, rows):
        for name, network in NETWORKS.items():
            before = await counted(lab, 1)
            lab.network(0, network)
            took_s = await goes_on(lab, 1, before)
            lab.history.add("the other goes on", network=name, after_s=took_s)
            await asyncio.sleep(max(0.0, 2 * SESSION_TIMEOUT_S - took_s))
            before = await counted(lab, 1)
            lab.network(0, WELL)
            worst(outcome, await _returned(lab, 1, before), await _returned(lab, 0, before))
            outcome.faults += 1


async def _returned(lab: Lab, slot: int, before: int) -> float:
    took_s = await goes_on(lab, slot, before)
    if took_s > _RETURN_LIMIT_S:
        lab.verdict.contradict(f"worker {slot} processed again {took_s:.1f} s after the broker's return")
    return took_s


async def _waits(lab: Lab, seconds: float, slots: tuple[int, ...] = (0, 1)) -> None:
    """Without a broker a worker lives, is not ready, and does not fill the log."""
    lines = {slot: _lines(lab, slot) for slot in slots}
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        await asyncio.sleep(1)
        lab.note_deaths()
        for slot in slots:
            live, ready = await lab.status(slot, "/health/live"), await lab.status(slot, "/health/ready")
            if live != 200:
                lab.verdict.contradict(f"without a broker worker {slot} answers {live} to /health/live")
            if ready != 503 and time.monotonic() - began > 2 * SESSION_TIMEOUT_S:
                lab.verdict.contradict(f"without a broker worker {slot} answers {ready} to /health/ready")
    for slot in slots:
        rate = (_lines(lab, slot) - lines[slot]) / seconds
        lab.history.add("log lines", worker=slot, per_s=round(rate, 1))
        if rate > _LINES_PER_S:
            lab.verdict.contradict(f"without a broker worker {slot} logs {rate:.1f} lines a second")


def _lines(lab: Lab, slot: int) -> int:
    """Lines of the log, but for those of our own questions."""
    return sum('"event": "request"' not in line for line in lab.log(slot).splitlines())
