"""What a run is and what comes of it; the mixed run."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import nemesis
from tests.chaos.judge import judged
from tests.chaos.lab import Lab, Options, a_lab
from tests.chaos.made import Made
from tests.chaos.traffic import fleet
from tests.chaos.verdict import Verdict

MIXED = "mixed"
RATE = 3000.0
OUTCOME = "outcome.json"


@dataclass
class Outcome:
    """What came of a run; ``figures`` are seconds that it measured again and again, by what they are of."""

    name: str
    seed: int
    directory: Path
    injected: str
    faults: int = 0
    recovery_s: float | None = None
    wall_s: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)
    stops_s: list[float] = field(default_factory=list)
    figures: dict[str, list[float]] = field(default_factory=dict)
    made: Made = field(default_factory=Made)

    def line(self) -> str:
        """The run in one line."""
        verdict = self.verdict
        recovery = "-" if self.recovery_s is None else f"{self.recovery_s:.1f}"
        notes = "".join(f" {name.replace(' ', '-')}={count}" for name, count in sorted(verdict.notes.items()))
        notes += "".join(f" [{name}: {spread(seconds)}]" for name, seconds in self.figures.items())
        return (
            f"{self.name} seed={self.seed} faults={self.faults} rows={verdict.rows} lost={lost(verdict)} "
            f"doubled={doubled(verdict)} contradictions={len(verdict.contradictions)} recovery_s={recovery} "
            f"wall_s={self.wall_s:.0f}{notes} {'ok' if verdict.ok else 'FAILED ' + str(self.directory)}"
        )

    def save(self) -> None:
        """Write it into the run's directory, from where :meth:`load` reads it."""
        facts = vars(self) | {"directory": str(self.directory)}
        facts |= {"verdict": vars(self.verdict), "made": asdict(self.made)}
        (self.directory / OUTCOME).write_text(json.dumps(facts, indent=1) + "\n")

    @classmethod
    def load(cls, file: Path) -> Outcome:
        """Read what a run has saved."""
        facts: dict[str, Any] = json.loads(file.read_text())
        verdict: dict[str, Any] = facts.pop("verdict")
        for name in ("lost", "doubled", "notes"):
            verdict[name] = Counter(verdict[name])
        facts |= {"directory": file.parent, "verdict": Verdict(**verdict), "made": Made(**facts["made"])}
        return cls(**facts)


def spread(seconds: Sequence[float]) -> str:
    """Count, median, 95th percentile (nearest rank) and maximum."""
    ranked = sorted(seconds)
    if not ranked:
        return "none"
    return f"{len(ranked)}, p50 {percentile(ranked, 50):.1f}, p95 {percentile(ranked, 95):.1f}, max {ranked[-1]:.1f} s"


def percentile(seconds: Sequence[float], percent: int) -> float:
    """The smallest that so many percent do not exceed."""
    return sorted(seconds)[max(0, -(-percent * len(seconds) // 100) - 1)]


def lost(verdict: Verdict) -> int:
    """Rows that are missing where most are missing."""
    return max(verdict.lost.values(), default=0)


def doubled(verdict: Verdict) -> int:
    """Rows that are too many where most are."""
    return max(verdict.doubled.values(), default=0)


Script = Callable[[Lab, Outcome, int], Awaitable[None]]  # the number: rows to send


async def run(name: str, injected: str, script: Script, options: Options, rows: int) -> Outcome:
    """Run a script in a lab of its own."""
    outcome = Outcome(name, options.seed, options.directory, injected, made=Made.now())
    began = time.monotonic()
    try:
        async with a_lab(options) as lab:
            outcome.verdict, outcome.stops_s = lab.verdict, lab.stops_s
            await script(lab, outcome, rows)
    except Exception as error:
        (options.directory / "error.txt").write_text(traceback.format_exc())
        outcome.verdict.contradict(f"the run broke off: {error!r}; see error.txt")
    outcome.wall_s = time.monotonic() - began
    (options.directory / "verdict.txt").write_text("\n".join([outcome.line(), *outcome.verdict.contradictions, ""]))
    outcome.save()
    return outcome


async def mixed(lab: Lab, outcome: Outcome, rows: int) -> None:
    """Two workers, a fleet, uploads and look-ups; meanwhile everything happens that the seed says."""
    messages = fleet(lab.options.seed, rows)
    duration_s = rows / RATE
    steps = nemesis.plan(lab.options.seed, duration_s)
    for slot in (0, 1):
        lab.start(slot)
    assets = sorted({message.key.decode() for message in messages if message.key})
    async with lab.probed(assets):
        async with lab.uploading():
            producing = asyncio.create_task(lab.produce(messages, RATE))
            outcome.faults = await nemesis.execute(lab, steps)
            await lab.heal()
            healed = time.monotonic()
            await producing
            recovering_s = time.monotonic() - healed
        outcome.recovery_s = recovering_s + await judged(lab)
    await asyncio.gather(*(lab.terminate(slot) for slot in lab.alive()))
    lab.note_deaths()
