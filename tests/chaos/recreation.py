"""The nemesis at the end of some mixed runs: the measurements topic is deleted and made again."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time

from stream_app.infra.kafka.log import topics
from tests.chaos import checks
from tests.chaos.checks import Updates
from tests.chaos.faults.load import await_exit
from tests.chaos.lab import Lab
from tests.chaos.traffic import START_S, fleet
from tests.chaos.truth import Truth
from tests.e2e.workers import ROOT
from tests.integration.kafka.running import read

_ROWS = 3000
#: The new log's rows come later than all of the old one's, so that they count beside them.
_LATER_S = 400 * 86_400
_TIMEOUT_S = 60.0
_MOMENTS = ("while they run", "while they stand", "while one is paused")
_CURES = (("reset", "--yes"), ("topics", "adopt"))


async def recreate(lab: Lab) -> None:
    """Make the topic again; the workers must end and say so; what an operator then does must make the rows exact."""
    dice = random.Random(lab.options.seed)
    moment, cure = dice.choice(_MOMENTS), dice.choice(_CURES)
    lab.history.add("topic recreated", moment=moment, cure=" ".join(cure))
    old = Truth().take(await read(lab.kafka, lab.kafka.measurements_topic))
    running = lab.alive()
    if moment == "while they stand":
        await asyncio.gather(*(lab.terminate(slot) for slot in running))
    if moment == "while one is paused":
        lab.pause(running[0])
    await _new_topic(lab)
    await lab.produce(fleet(lab.options.seed + 1, _ROWS, start_s=START_S + _LATER_S))
    if moment == "while one is paused":
        lab.resume(running[0])
    name = lab.kafka.measurements_topic
    if moment != "while they stand":
        await asyncio.gather(*(await_exit(lab, slot, _TIMEOUT_S, name) for slot in running))
    lab.start(0)
    await await_exit(lab, 0, _TIMEOUT_S, name, "recreated", "stream-app reset", "topics adopt")
    await _cured(lab, *cure)
    for slot in (0, 1):
        lab.start(slot)
    records = await read(lab.kafka, name)
    truth = (Truth() if cure[0] == "reset" else old).take(records)
    await _counted(lab, truth)
    updates = checks.read_updates(await read(lab.kafka, lab.kafka.metrics_topic), lab.findings)
    check_lifetimes(lab, truth, updates)


async def _new_topic(lab: Lab) -> None:
    name = lab.kafka.measurements_topic
    async with lab.admin() as admin:
        await admin.delete_topics([name])
        await lab.until(lambda: _is_there(lab), False, "the topic is deleted")
    await asyncio.sleep(1)  # a fetch of each worker is refused meanwhile, as docs/reliability.md demands
    await topics.ensure(lab.kafka)
    lab.acked.clear()


async def _is_there(lab: Lab) -> bool:
    async with lab.admin() as admin:
        return lab.kafka.measurements_topic in await admin.list_topics()


async def _cured(lab: Lab, *command: str) -> None:
    """Do what the workers' last line proposes, as an operator does."""
    given = lab.kafka.model_dump(exclude_none=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment |= {f"STREAM_KAFKA__{name.upper()}": str(value) for name, value in given.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream_app", *command),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    lab.history.add("cured", command=command, status=process.returncode, said=said.decode()[-2000:])
    if process.returncode != 0:
        lab.findings.contradict(
            f"recreated: {' '.join(command)} ended with {process.returncode}: {said.decode()[-500:]}"
        )


async def _counted(lab: Lab, truth: Truth) -> None:
    """Wait until both workers answer with the rows of the truth."""
    due = {asset.asset_id: asset.known for asset in truth.assets.values() if asset.known}
    deadline = time.monotonic() + _TIMEOUT_S
    for slot in (0, 1):
        found: dict[str, int] = {}
        while time.monotonic() < deadline:
            page = await lab.get(slot, "/api/v1/assets", limit=1000)
            found = {item["asset_id"]: item["rows"] for item in page["assets"] if item["rows"]} if page else {}
            if page and page["meta"]["lag"] == 0 and found == due:
                break
            await asyncio.sleep(0.2)
        for asset_id in due.keys() | found.keys():
            lab.findings.count(f"recreated: worker {slot}", asset_id, due.get(asset_id, 0), found.get(asset_id, 0))
    lab.note_deaths()


def check_lifetimes(lab: Lab, truth: Truth, updates: Updates) -> None:
    """The newest update of each asset's lifetime has the rows and sums of the truth."""
    for asset in truth.assets.values():
        life = updates.lifetime(asset.asset_id)
        if not asset.rows:
            continue
        told = 0 if life is None else life["metrics"]["total_data_points"]["value"]
        lab.findings.count("recreated: metrics lifetime", asset.asset_id, len(asset.rows), told)
        if life is not None:
            checks.check_sums(life, asset, lab.findings)
