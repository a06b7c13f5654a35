"""Measurements: promises in seconds, measured often enough for a percentile."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from tests.chaos.faults.load import note_recovery, under_load
from tests.chaos.group import STOP_LIMIT_S
from tests.chaos.lab import SESSION_TIMEOUT_S, Lab
from tests.chaos.output import Output, following
from tests.chaos.proxy import BLACK_HOLE, WELL
from tests.chaos.runs import Outcome, percentile

_RATE = 300.0
_ROUNDS = 20
_FAIL_OVER_P95_S = 20.0
_FAIL_OVER = "first new output of every partition after kill -9"
_STOPS = 50


async def failed_over(lab: Lab, outcome: Outcome, rows: int) -> None:
    """C4: an owner is killed 20 times; each time the survivor soon emits new rows of every partition."""
    took = outcome.figures[_FAIL_OVER] = []
    dice = random.Random(lab.options.seed)
    async with under_load(lab, outcome, rows, rate=_RATE), following(lab) as output:
        for number in range(_ROUNDS):
            await _shared(lab)
            await asyncio.sleep(dice.uniform(0, 2))  # at any moment between two heartbeats and two checkpoints
            took.append(await _killed(lab, number % 2, output))
            note_recovery(outcome, took[-1])
            outcome.faults += 1
            lab.start(number % 2)
    if (slow_s := percentile(took, 95)) > _FAIL_OVER_P95_S:
        lab.findings.contradict(f"fail-over: p95 is {slow_s:.1f} s")


async def _killed(lab: Lab, slot: int, output: Output) -> float:
    began = time.monotonic()
    lab.kill(slot)
    ends = await output.source_ends()
    await output.reaches(ends)
    took_s = time.monotonic() - began
    lab.history.add("failed over", worker=slot, after_s=round(took_s, 2))
    return took_s


async def _shared(lab: Lab) -> None:
    """Wait until both workers are ready, and each owns partitions."""
    await lab.ready(0, 1)
    both = {lab.workers[slot].url for slot in (0, 1)}

    async def owners() -> bool:
        page = await lab.get(0, "/api/v1/assets", limit=1000)
        of_partition = {item["partition"]: item["asset_id"] for item in page["assets"]} if page else {}
        answers = [await lab.get(0, f"/api/v1/assets/{asset_id}") for asset_id in of_partition.values()]
        return {answer["meta"]["owner"] for answer in answers if answer} == both and all(answers)

    await lab.until(owners, True, "both workers own partitions")


async def stopped(lab: Lab, outcome: Outcome, rows: int) -> None:
    """C9: SIGTERM at every stage of a worker's life; it always ends in time with status 0."""
    dice = random.Random(lab.options.seed)
    moments = [_MOMENTS[number % len(_MOMENTS)] for number in range(_STOPS)]
    dice.shuffle(moments)
    took: list[float] = []
    async with under_load(lab, outcome, rows, rate=_RATE):
        lab.kill(0)  # each moment starts it as it needs it
        for moment in moments:
            async with moment(lab, dice):
                lab.history.add("moment", name=moment.__name__)
                began = time.monotonic()
                status = await lab.terminate(0)
                took_s = time.monotonic() - began
            if status == 0 and took_s <= STOP_LIMIT_S:
                took.append(took_s)
            outcome.faults += 1
            lab.note_deaths()
        outcome.figures[f"SIGTERM, {len(took)} of {_STOPS} in order"] = took


@asynccontextmanager
async def _starting(lab: Lab, dice: random.Random) -> AsyncIterator[None]:
    lab.start(0)
    await asyncio.sleep(dice.uniform(0, 8))  # it imports, waits for the broker, joins, recovers
    yield


@asynccontextmanager
async def _ready(lab: Lab, dice: random.Random) -> AsyncIterator[None]:
    lab.start(0)
    await lab.ready(0, 1)
    await asyncio.sleep(dice.uniform(0, 3))
    yield


@asynccontextmanager
async def _in_checkpoint(lab: Lab, dice: random.Random) -> AsyncIterator[None]:
    point = dice.choice(("after_output_flush", "after_changelog_flush", "after_table_write"))
    lab.start(0, STREAM_FAILPOINT=f"{point}:1+:sleep=5")
    await lab.ready(0)
    await asyncio.sleep(dice.uniform(1, 5))  # its first checkpoint begins with its first fetch
    yield


@asynccontextmanager
async def _other_joins(lab: Lab, dice: random.Random) -> AsyncIterator[None]:
    await lab.terminate(1)
    lab.start(0)
    await lab.ready(0)
    lab.start(1)
    await asyncio.sleep(dice.uniform(2, 7))
    yield


@asynccontextmanager
async def _other_leaves(lab: Lab, dice: random.Random) -> AsyncIterator[None]:
    lab.start(0)
    await lab.ready(0, 1)
    leaving = asyncio.create_task(lab.terminate(1))
    await asyncio.sleep(dice.uniform(0, 3))
    yield
    await leaving
    lab.start(1)


@asynccontextmanager
async def _other_is_dead(lab: Lab, dice: random.Random) -> AsyncIterator[None]:
    lab.start(0)
    await lab.ready(0, 1)
    lab.kill(1)
    await asyncio.sleep(dice.uniform(SESSION_TIMEOUT_S - 2, SESSION_TIMEOUT_S + 2))  # the group notices it then
    yield
    lab.start(1)


@asynccontextmanager
async def _broker_paused(lab: Lab, dice: random.Random) -> AsyncIterator[None]:
    lab.start(0)
    await lab.ready(0, 1)
    lab.pause_broker()
    await asyncio.sleep(dice.uniform(0, 1.5 * SESSION_TIMEOUT_S))
    yield
    lab.resume_broker()


@asynccontextmanager
async def _black_hole(lab: Lab, dice: random.Random) -> AsyncIterator[None]:
    lab.start(0)
    await lab.ready(0, 1)
    lab.network(0, BLACK_HOLE)
    await asyncio.sleep(dice.uniform(0, 1.5 * SESSION_TIMEOUT_S))
    yield
    lab.network(0, WELL)


_MOMENTS: list[Callable[[Lab, random.Random], AbstractAsyncContextManager[None]]] = [
    _starting,
    _ready,
    _in_checkpoint,
    _other_joins,
    _other_leaves,
    _other_is_dead,
    _broker_paused,
    _black_hole,
]
