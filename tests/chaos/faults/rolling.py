"""A rolling restart: what an upgrade or a change of settings costs."""

from __future__ import annotations

import struct
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.chaos.faults.load import under_load
from tests.chaos.lab import SLOTS, Lab
from tests.chaos.output import following
from tests.chaos.runs import Outcome, percentile

_RATE = 60.0  # one a second of each asset
_ROUNDS = 5
_STILL_P95_S = 6.0
_MOST_GENERATIONS = 2
_STILL = "longest time without output of a partition during a restart"
_GROUP_METADATA = 2  # version of the key


async def restarted(lab: Lab, outcome: Outcome, rows: int) -> None:
    """C10: each worker ends by SIGTERM and starts again, the next one when it is ready: as a deployment does it."""
    still = outcome.figures[_STILL] = []
    generations: list[float] = []
    async with under_load(lab, outcome, rows, workers=SLOTS, rate=_RATE), following(lab) as output:
        await output.reaches(await output.source_ends())
        output.longest_still_s()
        for slot in [*range(SLOTS)] * _ROUNDS:
            before = await _generation(lab)
            await lab.terminate(slot)
            lab.start(slot)
            await lab.ready(*range(SLOTS), timeout_s=180)
            await output.reaches(await output.source_ends())
            generations.append(await _generation(lab) - before)
            longest = output.longest_still_s()
            still += longest
            lab.history.add("restarted", worker=slot, still_s=[round(s, 1) for s in longest], gens=generations[-1])
            outcome.faults += 1
            lab.note_deaths()
    outcome.findings.notes[f"generations of {len(generations)} restarts"] = int(sum(generations))
    if (slow_s := percentile(still, 95)) > _STILL_P95_S:
        lab.findings.contradict(f"rolling restart: partitions stand still for {slow_s:.1f} s (p95)")
    if max(generations) > _MOST_GENERATIONS:
        lab.findings.contradict(f"rolling restart: generations of the restarts {generations}")


async def _generation(lab: Lab) -> int:
    """The group's generation, as the coordinator has stored it."""
    newest, name = 0, "__consumer_offsets"
    async with lab.admin() as admin:
        (topic,) = await admin.describe_topics([name])
    parts = [TopicPartition(name, number) for number in range(len(topic["partitions"]))]
    async with AIOKafkaConsumer(
        bootstrap_servers=lab.kafka.bootstrap_servers, auto_offset_reset="earliest"
    ) as consumer:
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    newest = max(newest, _stored_generation(record.key, record.value, lab.kafka.app_id))
    return newest


def _stored_generation(key: bytes | None, value: bytes | None, group: str) -> int:
    """Generation of a record of the coordinator's topic; 0 if it is about something else."""
    with suppress(struct.error):
        if key and value and struct.unpack_from(">h", key)[0] == _GROUP_METADATA and key[4:].decode() == group:
            (length,) = struct.unpack_from(">h", value, 2)  # of the protocol's type, after the version
            generation: int = struct.unpack_from(">i", value, 4 + length)[0]
            return generation
    return 0
