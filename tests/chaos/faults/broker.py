"""Faults of the broker and of the network to it."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import astuple

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from stream_app.infra.kafka.log.topics import Topics
from tests.chaos.cluster import NODES, KafkaCluster
from tests.chaos.faults.load import await_progress, note_recovery, row_count, under_load
from tests.chaos.final_check import drain_and_check
from tests.chaos.lab import SESSION_TIMEOUT_S, Lab
from tests.chaos.nemesis import NETWORKS
from tests.chaos.proxy import WELL
from tests.chaos.runs import Outcome
from tests.chaos.traffic import fleet

_RETURN_LIMIT_S = 30.0
_LINES_PER_S = 10.0
_AWAY_S = 70.0
_NODES_RATE = 600.0
#: The other nodes hold a silent node for dead after 9 s (broker.session.timeout.ms) and then elect.
_WITHOUT_NODE_LIMIT_S = 60.0


async def restarted(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F6: the broker is shut down and restarted, then killed and restarted, twice each."""
    async with under_load(lab, outcome, rows):
        for kill in (False, True, False, True):
            before = await row_count(lab, 1)
            await lab.stop_broker(kill=kill)
            await asyncio.sleep(1)
            await lab.start_broker()
            note_recovery(outcome, await _returned(lab, 1, before))
            outcome.faults += 1


async def nodes_killed(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F6b: of three nodes, a leader of the source and the active controller are killed in turn, five times each."""
    cluster, dice = lab.broker, random.Random(lab.options.seed)
    assert isinstance(cluster, KafkaCluster)
    async with under_load(lab, outcome, rows, rate=_NODES_RATE):
        await _copied(lab)
        for role in ("leader", "controller") * 5:
            partition = dice.randrange(lab.kafka.partitions)
            leader, controller = (
                await cluster.leader(lab.kafka.measurements_topic, partition),
                await cluster.controller(),
            )
            node = leader if role == "leader" else controller
            lab.history.add("node kill -9", node=node, as_=role, leader=leader, controller=controller)
            began = time.monotonic()
            await asyncio.to_thread(cluster.kill_node, node)
            await cluster.led()
            lab.history.add(
                "led again", after_s=round(time.monotonic() - began, 1), controller=await cluster.controller()
            )
            await _all_move(lab, 1)
            took_s = time.monotonic() - began
            note_recovery(outcome, took_s)
            if took_s > _WITHOUT_NODE_LIMIT_S:
                lab.findings.contradict(f"without node {node}, the {role}, all went on after {took_s:.1f} s")
            began = time.monotonic()
            await asyncio.to_thread(cluster.start_node, node)
            await cluster.in_sync()
            lab.history.add("node in sync", node=node, after_s=round(time.monotonic() - began, 1))
            outcome.faults += 1


async def _copied(lab: Lab) -> None:
    """Check the meaning of an ack: at least two of three replicas, of our topics and of the group's offsets."""
    names = [*astuple(Topics.of(lab.kafka)), "__consumer_offsets"]
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name, configs={"min.insync.replicas": None}) for name in names]
    async with lab.admin() as admin:
        (answer,) = await admin.describe_configs(wanted)
        copies = {
            len(partition["replicas"])
            for topic in await admin.describe_topics(names)
            for partition in topic["partitions"]
        }
    least = {entry[1] for resource in answer.resources for entry in resource[4]}
    if copies != {NODES} or least != {"2"}:
        lab.findings.contradict(f"the cluster keeps {copies} copies and acks with {least}")


async def _all_move(lab: Lab, slot: int, timeout_s: float = 60.0) -> None:
    """Wait until every partition has more rows than now."""
    before, began = await _by_partition(lab, slot), time.monotonic()
    while not before or any(now <= before[p] for p, now in (await _by_partition(lab, slot) or before).items()):
        before = before or await _by_partition(lab, slot)
        lab.note_deaths()
        if time.monotonic() - began > timeout_s:
            lab.findings.contradict(f"worker {slot} does not go on in all partitions within {timeout_s:.0f} s")
            return
        await asyncio.sleep(0.1)
    lab.history.add("goes on", worker=slot, after_s=round(time.monotonic() - began, 1))


async def _by_partition(lab: Lab, slot: int) -> Counter[int]:
    """Rows of each partition according to a worker; empty when it cannot answer for all."""
    page = await lab.get(slot, "/api/v1/assets", limit=1000)
    rows: Counter[int] = Counter()
    for item in page["assets"] if page else ():
        rows[item["partition"]] += item["rows"]
    return rows


async def away(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F7: workers start before the broker; the broker is away for 70 s; a worker is ended meanwhile."""
    await lab.stop_broker()
    for slot in (0, 1):
        lab.start(slot)
    await lab.until(lambda: lab.status(0, "/health/live"), 200, "it is alive")
    await _waits(lab, 10.0)
    await lab.start_broker()
    messages = fleet(lab.options.seed, rows)
    enough = asyncio.Event()
    producing = asyncio.create_task(lab.produce(messages, 500, enough))
    note_recovery(outcome, await _returned(lab, 1, 0))
    outcome.faults += 1
    before = await row_count(lab, 1)
    await lab.stop_broker(kill=True)
    began = time.monotonic()
    await asyncio.sleep(2 * SESSION_TIMEOUT_S)
    ending = asyncio.create_task(lab.terminate(0))
    await _waits(lab, _AWAY_S - (time.monotonic() - began), slots=(1,))
    await ending
    await lab.start_broker()
    note_recovery(outcome, await _returned(lab, 1, before))
    outcome.faults += 2
    enough.set()
    await producing
    await lab.heal()
    await drain_and_check(lab)


async def bad_network(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F8: the network between one worker and the broker is slow, resets connections, is half open, is a black hole."""
    async with under_load(lab, outcome, rows):
        for name, network in NETWORKS.items():
            before = await row_count(lab, 1)
            lab.network(0, network)
            took_s = await await_progress(lab, 1, before)
            lab.history.add("the other goes on", network=name, after_s=took_s)
            await asyncio.sleep(max(0.0, 2 * SESSION_TIMEOUT_S - took_s))
            before = await row_count(lab, 1)
            lab.network(0, WELL)
            note_recovery(outcome, await _returned(lab, 1, before), await _returned(lab, 0, before))
            outcome.faults += 1


async def _returned(lab: Lab, slot: int, before: int) -> float:
    took_s = await await_progress(lab, slot, before)
    if took_s > _RETURN_LIMIT_S:
        lab.findings.contradict(f"worker {slot} processed again {took_s:.1f} s after the broker's return")
    return took_s


async def _waits(lab: Lab, seconds: float, slots: tuple[int, ...] = (0, 1)) -> None:
    """Without a broker a worker is alive, is not ready and does not fill the log."""
    lines = {slot: _lines(lab, slot) for slot in slots}
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        await asyncio.sleep(1)
        lab.note_deaths()
        for slot in slots:
            live, ready = await lab.status(slot, "/health/live"), await lab.status(slot, "/health/ready")
            if live != 200:
                lab.findings.contradict(f"without a broker worker {slot} answers {live} to /health/live")
            if ready != 503 and time.monotonic() - began > 2 * SESSION_TIMEOUT_S:
                lab.findings.contradict(f"without a broker worker {slot} answers {ready} to /health/ready")
    for slot in slots:
        rate = (_lines(lab, slot) - lines[slot]) / seconds
        lab.history.add("log lines", worker=slot, per_s=round(rate, 1))
        if rate > _LINES_PER_S:
            lab.findings.contradict(f"without a broker worker {slot} logs {rate:.1f} lines a second")


def _lines(lab: Lab, slot: int) -> int:
    """Lines of the log without those of our own requests."""
    return sum('"event": "request"' not in line for line in lab.log(slot).splitlines())
