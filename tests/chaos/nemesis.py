"""A plan of faults drawn from a seed: actions with preconditions on the earlier steps of the plan."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.lab import SLOTS, Lab
from tests.chaos.proxy import BLACK_HOLE, HALF_OPEN, RESETTING, SLOW, WELL

NETWORKS = {"slow": SLOW, "resetting": RESETTING, "half open": HALF_OPEN, "black hole": BLACK_HOLE}
POINTS = ("after_fetch", "after_output_flush", "after_changelog_flush", "after_table_write", "after_commit")


@dataclass(frozen=True, slots=True)
class Step:
    """One action; ``for_s`` is how long a broker is away, or a network is bad, before the next step."""

    wait_s: float  # before it, counted from the step before
    action: str
    slot: int = 0
    for_s: float = 0.0
    what: str = ""


@dataclass
class _Model:
    """The workers' state as the plan assumes it; an armed worker may be dead, which every action must tolerate."""

    alive: set[int] = field(default_factory=lambda: {0, 1})
    paused: set[int] = field(default_factory=set)
    bad_network: set[int] = field(default_factory=set)

    @property
    def running(self) -> set[int]:
        return self.alive - self.paused


_Condition = Callable[[_Model], set[int]]

#: Action, its weight, and the slots for which it is possible.
_ACTIONS: dict[str, tuple[float, _Condition]] = {
    "start": (3.0, lambda m: set(range(SLOTS)) - m.alive),
    "start armed": (2.0, lambda m: set(range(SLOTS)) - m.alive),
    "kill": (2.0, lambda m: m.alive),
    "terminate": (1.0, lambda m: m.running if len(m.running) > 1 else set()),
    "pause": (2.0, lambda m: m.running),
    "resume": (2.0, lambda m: m.paused),
    "broker kill": (0.6, lambda m: {0}),
    "broker restart": (0.4, lambda m: {0}),
    "broker pause": (0.8, lambda m: {0}),
    "network": (1.5, lambda m: m.running - m.bad_network),
    "network well": (1.5, lambda m: m.bad_network),
}


def plan(seed: int, duration_s: float) -> list[Step]:
    """Steps for about ``duration_s``; the same for the same seed."""
    dice, model = random.Random(seed), _Model()
    steps: list[Step] = []
    at_s = 0.0
    while True:
        possible = {name: sorted(where(model)) for name, (_, where) in _ACTIONS.items() if where(model)}
        names = [name for name in ("start", "start armed") if name in possible] if not model.running else list(possible)
        name = dice.choices(names or list(possible), [_ACTIONS[n][0] for n in names or possible])[0]
        slot = dice.choice(possible[name])
        wait_s = round(dice.uniform(1.0, 3.5), 2)
        for_s, what = 0.0, ""
        match name:
            case "start" | "start armed":
                model.alive.add(slot)
                if name == "start armed":
                    what = f"{dice.choice(POINTS)}:{dice.randint(2, 12)}:kill"
            case "kill" | "terminate":
                model.alive.discard(slot)
                model.paused.discard(slot)
            case "pause":
                model.paused.add(slot)
            case "resume":
                model.paused.discard(slot)
            case "network":
                what = dice.choice(list(NETWORKS))
                model.bad_network.add(slot)
            case "network well":
                model.bad_network.discard(slot)
            case _:
                for_s = round(dice.uniform(0.5, 5.0), 2)
        at_s += wait_s + for_s
        if at_s > duration_s:
            return steps
        steps.append(Step(wait_s, name, slot, for_s, what))


async def execute(lab: Lab, steps: list[Step]) -> int:
    """Execute the steps; skip an action whose worker has died. Returns the number of executed steps."""
    terminating: list[asyncio.Task[int]] = []
    done = 0
    for step in steps:
        await asyncio.sleep(step.wait_s)
        lab.note_deaths()
        is_alive = lab.workers[step.slot].is_alive()
        if step.action.startswith("start") is is_alive and not step.action.startswith(("broker", "network")):
            lab.history.add("left out", action=step.action, worker=step.slot)
            continue
        if step.slot in lab.ending and is_alive and step.action in ("kill", "terminate", "pause", "resume"):
            continue  # it is ending
        done += 1
        match step.action:
            case "start":
                lab.start(step.slot)
            case "start armed":
                lab.start(step.slot, STREAM_FAILPOINT=step.what)
            case "kill":
                lab.kill(step.slot)
            case "terminate":
                terminating.append(asyncio.create_task(lab.terminate(step.slot)))
            case "pause":
                lab.pause(step.slot)
            case "resume":
                lab.resume(step.slot)
            case "network":
                lab.network(step.slot, NETWORKS[step.what])
            case "network well":
                lab.network(step.slot, WELL)
            case _:
                await _broker(lab, step)
    await asyncio.gather(*terminating)
    return done


async def _broker(lab: Lab, step: Step) -> None:
    if step.action == "broker pause":
        lab.pause_broker()
        await asyncio.sleep(step.for_s)
        lab.resume_broker()
        return
    await lab.stop_broker(kill=step.action == "broker kill")
    await asyncio.sleep(step.for_s)
    await lab.start_broker()
