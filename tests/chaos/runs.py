"""A run and its outcome; the mixed run."""

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
from tests.chaos.final_check import drain_and_check
from tests.chaos.findings import Findings
from tests.chaos.lab import Lab, Options, open_lab
from tests.chaos.provenance import Provenance
from tests.chaos.recreation import recreate
from tests.chaos.traffic import fleet

MIXED = "mixed"
RATE = 3000.0
OUTCOME = "outcome.json"
#: Of so many mixed runs one ends with the measurements topic made again.
RECREATED_EVERY = 3


@dataclass
class Outcome:
    """Outcome of a run; ``figures`` are series of measured seconds by name."""

    name: str
    seed: int
    directory: Path
    injected: str
    faults: int = 0
    recovery_s: float | None = None
    wall_s: float = 0.0
    findings: Findings = field(default_factory=Findings)
    stops_s: list[float] = field(default_factory=list)
    figures: dict[str, list[float]] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)

    def line(self) -> str:
        """The run in one line."""
        findings = self.findings
        recovery = "-" if self.recovery_s is None else f"{self.recovery_s:.1f}"
        notes = "".join(f" {name.replace(' ', '-')}={count}" for name, count in sorted(findings.notes.items()))
        notes += "".join(f" [{name}: {spread(seconds)}]" for name, seconds in self.figures.items())
        return (
            f"{self.name} seed={self.seed} faults={self.faults} rows={findings.rows} lost={lost(findings)} "
            f"doubled={doubled(findings)} contradictions={len(findings.contradictions)} recovery_s={recovery} "
            f"wall_s={self.wall_s:.0f}{notes} {'ok' if findings.ok else 'FAILED ' + str(self.directory)}"
        )

    def save(self) -> None:
        """Write the outcome into the run's directory, where :meth:`load` reads it."""
        facts = vars(self) | {"directory": str(self.directory)}
        facts |= {"findings": vars(self.findings), "provenance": asdict(self.provenance)}
        (self.directory / OUTCOME).write_text(json.dumps(facts, indent=1) + "\n")

    @classmethod
    def load(cls, file: Path) -> Outcome:
        """Read the outcome that a run has saved."""
        facts: dict[str, Any] = json.loads(file.read_text())
        findings: dict[str, Any] = facts.pop("findings")
        for name in ("lost", "doubled", "notes"):
            findings[name] = Counter(findings[name])
        facts |= {
            "directory": file.parent,
            "findings": Findings(**findings),
            "provenance": Provenance(**facts["provenance"]),
        }
        return cls(**facts)


def spread(seconds: Sequence[float]) -> str:
    """Count, median, 95th percentile (nearest rank) and maximum."""
    ranked = sorted(seconds)
    if not ranked:
        return "none"
    return f"{len(ranked)}, p50 {percentile(ranked, 50):.1f}, p95 {percentile(ranked, 95):.1f}, max {ranked[-1]:.1f} s"


def percentile(seconds: Sequence[float], percent: int) -> float:
    """The smallest value that so many percent of the values do not exceed."""
    return sorted(seconds)[max(0, -(-percent * len(seconds) // 100) - 1)]


def lost(findings: Findings) -> int:
    """Missing rows in the place that misses most."""
    return max(findings.lost.values(), default=0)


def doubled(findings: Findings) -> int:
    """Surplus rows in the place that has most."""
    return max(findings.doubled.values(), default=0)


Script = Callable[[Lab, Outcome, int], Awaitable[None]]  # the int: rows to send


async def run(name: str, injected: str, script: Script, options: Options, rows: int) -> Outcome:
    """Run a script in a lab of its own."""
    outcome = Outcome(name, options.seed, options.directory, injected, provenance=Provenance.now())
    began = time.monotonic()
    try:
        async with open_lab(options) as lab:
            outcome.findings, outcome.stops_s = lab.findings, lab.stops_s
            await script(lab, outcome, rows)
    except Exception as error:
        (options.directory / "error.txt").write_text(traceback.format_exc())
        outcome.findings.contradict(f"the run broke off: {error!r}; see error.txt")
    outcome.wall_s = time.monotonic() - began
    (options.directory / "findings.txt").write_text("\n".join([outcome.line(), *outcome.findings.contradictions, ""]))
    outcome.save()
    return outcome


async def mixed(lab: Lab, outcome: Outcome, rows: int) -> None:
    """Two workers, a fleet, uploads and look-ups under the faults that the seed draws."""
    messages = fleet(lab.options.seed, rows)
    duration_s = rows / RATE
    steps = nemesis.plan(lab.options.seed, duration_s)
    for slot in (0, 1):
        lab.start(slot)
    assets = sorted({message.key.decode() for message in messages if message.key})
    async with lab.probed(assets):
        async with lab.uploading():
            producing = asyncio.create_task(lab.produce(messages, RATE))
            async with lab.transacting(fleet(lab.options.seed, rows // 10, 10, name="gateway")):
                outcome.faults = await nemesis.execute(lab, steps)
                await lab.heal()
            healed = time.monotonic()
            await producing
            recovering_s = time.monotonic() - healed
        outcome.recovery_s = recovering_s + await drain_and_check(lab)
    if lab.options.seed % RECREATED_EVERY == 0:
        await recreate(lab)
        outcome.faults += 1
    await asyncio.gather(*(lab.terminate(slot) for slot in lab.alive()))
    lab.note_deaths()
