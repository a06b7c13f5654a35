"""Late rows where lateness is allowed: sorted within the limit, rejected beyond it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any, Final

import httpx
import orjson

from tests.chaos.asset_truth import MOST_WAITING
from tests.chaos.faults.load import await_progress, note_recovery, row_count
from tests.chaos.final_check import drain_and_check
from tests.chaos.lab import Lab
from tests.chaos.runs import Outcome
from tests.chaos.traffic import START_S, Message, columnar
from tests.chaos.truth import Truth
from tests.integration.kafka.running import read

LATENESS_S: Final = 60
ALLOWED: Final = {"STREAM_ALLOWED_LATENESS_S": str(LATENESS_S)}
_SLOW: Final = tuple(f"bess-{number:03d}" for number in range(20))
_FAST: Final = ("fast-000", "fast-001")
_FAST_STEP_MS: Final = 4
_FAST_ROWS: Final = MOST_WAITING + 700
_RATE: Final = 800.0
_DAY_MS: Final = 86_400_000

Row = dict[str, Any]


async def disorder(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F21b: rows late by less and by more than allowed, future stamps, too many waiting rows; workers are killed."""
    for slot in (0, 1):
        lab.start(slot)
    await lab.ready(0, 1)
    producing = asyncio.create_task(lab.produce(_messages(random.Random(lab.options.seed), rows), _RATE))
    await await_progress(lab, 1, rows // 20)
    for slot in (0, 1, 0):
        before = await row_count(lab, 1 - slot)
        lab.kill(slot)  # with waiting rows in its state
        note_recovery(outcome, await await_progress(lab, 1 - slot, before))
        lab.start(slot)
        await lab.ready(slot)
        outcome.faults += 1
    await producing
    async with httpx.AsyncClient(timeout=60) as client:
        for slot in (0, 1):
            await lab.uploader.send(client, lab.workers[slot].url, 700)
    records = await read(lab.kafka, lab.kafka.measurements_topic)
    truth = Truth(lateness_s=LATENESS_S).take(records)
    _covers_all_cases(lab, truth)
    await drain_and_check(lab, records=records, truth=truth, regular=False, sampled=len(truth.assets))


def _covers_all_cases(lab: Lab, truth: Truth) -> None:
    """Check that the traffic covers the cases: reordered rows, late rows, and more rows than may wait."""
    assets = truth.assets.values()
    allowed_us = LATENESS_S * 1e6
    found = {
        "put in order": sum(b["offset"] < a["offset"] for asset in assets for a, b in pairwise(asset.rows)),
        "late": sum(asset.late for asset in assets),
        "settled early": sum(asset.watermark_us > asset.rows[-1]["time_us"] - allowed_us for asset in assets),
    }
    lab.history.add("truth", **found)
    if not all(found.values()):
        lab.findings.contradict(f"the traffic does not cover all cases: {found}")


def _messages(dice: random.Random, rows: int) -> list[Message]:
    """Rows of all assets: single, in lists and in columnar batches; one asset gets a future stamp, some end."""
    ending, ahead = _SLOW[-2:], _SLOW[0]
    made = {name: _slow(dice, name) for name in _SLOW} | {name: _fast(dice, name) for name in _FAST}
    messages: list[Message] = []
    count, at_last = 0, rows * 4 // 5
    while count < rows:
        name = dice.choice(_SLOW + 3 * _FAST)
        single = name in _SLOW and dice.random() < 0.7
        part = list(islice(made[name], 1 if single else dice.randint(2, 60)))
        if part:
            messages.append(
                _message(name, part[0] if single else part if dice.random() < 0.5 else columnar(part), len(part))
            )
            count += len(part)
        if count >= at_last:
            at_last = 2 * rows
            messages.append(_message(ahead, _row(dice, ahead, 1000 * START_S + 20_000 * _DAY_MS), 1))
            messages += [_message(n, {"asset_id": n, "control": "end_of_upload", "rows": 1}, 0) for n in ending]
    for name in _FAST:
        while part := list(islice(made[name], 60)):
            messages.append(_message(name, part, len(part)))
    name = _FAST[0]  # the other one ends with the most rows that may wait
    return [*messages, _message(name, _row(dice, name, 1000 * START_S + _DAY_MS), 1)]


def _message(asset_id: str, content: Any, rows: int) -> Message:
    return Message(asset_id.encode(), orjson.dumps(content), rows)


def _row(dice: random.Random, asset_id: str, time_ms: int) -> Row:
    current, soc = round(dice.gauss(0, 50), 1), round(dice.uniform(10, 90), 1)
    return {"asset_id": asset_id, "timestamp": time_ms, "current": current, "voltage": 800.0, "soc": soc}


def _slow(dice: random.Random, asset_id: str) -> Iterator[Row]:
    """Rows of a clock that stops and jumps: some within the lateness, some at its edge, some beyond it."""
    second = START_S
    while True:
        second += dice.choices((0, 1, 2, 60, 200_000, -80), (10, 30, 30, 10, 1, 3))[0]
        for _ in range(30 if dice.random() < 0.01 else 1):
            kind = dice.random()
            back_s = dice.randint(1, 40) if kind < 0.3 else dice.randint(57, 63) if kind < 0.4 else 0
            yield _row(dice, asset_id, 1000 * (second - back_s))


def _fast(dice: random.Random, asset_id: str) -> Iterator[Row]:
    """More rows than may wait: the oldest are settled early, and older rows are late even within the lateness."""
    for i in range(_FAST_ROWS):
        back = dice.randint(1, 2 * MOST_WAITING) if dice.random() < 0.05 else 0
        yield _row(dice, asset_id, 1000 * START_S + _FAST_STEP_MS * max(0, i - back))
