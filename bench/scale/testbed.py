"""What all experiments share: the broker, sizes, and the throughput that loads are shares of."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.contenders import Job
from bench.lab import Lab
from bench.messages import FORMS
from bench.project import ThisProject
from bench.workload import ASSETS, Rows

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    rows: int = 2_000_000
    fleets: tuple[int, ...] = (100, 10_000, 100_000)
    workers: tuple[int, ...] = (1, 2, 4)
    shares: tuple[float, ...] = (0.0, 0.01, 0.5, 0.9)  # of the throughput; 0 is idle
    probes: int = 250
    probe_gap_s: float = 0.15
    settle_s: float = 3.0
    lookups_s: float = 10.0
    recovery_assets: int = 100_000
    recovery_rows_per_asset: int = 3
    backlog_rows: int = 5_000_000
    #: Assets, rows per second of each, and the emit interval [s].
    steady: tuple[tuple[int, float, float], ...] = (
        (1_000, 1.0, 0.0),
        (1_000, 1.0, 10.0),
        (10_000, 1.0, 10.0),
        (100_000, 0.02, 10.0),
    )
    steady_settle_s: float = 20.0
    steady_s: float = 45.0


QUICK: Final = Sizes(
    rows=200_000,
    fleets=(100, 2_000),
    workers=(1, 2),
    probes=40,
    settle_s=1.0,
    lookups_s=2.0,
    recovery_assets=2_000,
    backlog_rows=400_000,
    steady=((1_000, 1.0, 0.0), (1_000, 1.0, 10.0)),
    steady_settle_s=3.0,
    steady_s=10.0,
)


@dataclass(slots=True)
class Testbed:
    """Where the experiments run."""

    broker: str
    directory: Path
    http_port: int
    sizes: Sizes
    timeout_s: float
    capacity_rows_per_s: float | None = None
    lab: Lab = field(init=False)

    def __post_init__(self) -> None:
        self.lab = Lab(self.broker, self.directory, http_port=self.http_port, timeout_s=self.timeout_s)

    async def warm(self) -> None:
        """Get the broker ready."""
        await self.lab.warm()

    async def capacity(self) -> float:
        """Rows per second that one worker does with 100 assets: given, measured before, or measured now."""
        if self.capacity_rows_per_s is None:
            outcome, _ = await self.lab.observe(ThisProject(), "rows", self.sizes.rows, number=-2)
            if outcome.rows_per_s is None:
                raise RuntimeError("; ".join(outcome.problems))
            self.capacity_rows_per_s = outcome.rows_per_s
        return self.capacity_rows_per_s

    def job(self, run: str, rows: Rows | None = None) -> Job:
        """A run with topics of its own."""
        return Job(
            broker=self.broker,
            form=FORMS["rows"],
            rows=rows or self.lab.rows(ASSETS),
            input=f"{run}-input",
            run=run,
            directory=self.directory / run,
            http_port=self.http_port,
        )

    def say(self, text: str) -> None:
        """Report progress."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
