"""What a contender is: a program that sums the rows of a topic up, and how the bench starts it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from bench.environments import ROOT
from bench.ledger import Reading, peers_record
from bench.messages import FORMS, Form
from bench.workload import Rows

EVERY_ROW: Final = 1 << 60


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one contender."""

    broker: str
    form: Form
    rows: Rows
    input: str
    run: str  # names all that is the run's own: group, output topic, state
    directory: Path
    http_port: int

    @property
    def output(self) -> str:
        """Topic for the results."""
        return f"{self.run}-output"


class Contender(ABC):
    """A program that sums the rows of a topic up."""

    name: str
    title: str
    #: Form of the messages -> rows at most; it takes no part in the others. The rate of a slow one shows in fewer rows.
    limits: Mapping[str, int]
    #: A row counts for as long as it holds, so an asset's last row has no duration yet.
    held: ClassVar[bool] = False
    #: Killed and started again, it still gives exact sums (``bench.crash`` proves it).
    exact_after_crash: ClassVar[bool] = False

    @abstractmethod
    def command(self, job: Job) -> list[str]:
        """Build what it needs; return the command that starts it.

        Raises
        ------
        ToolMissingError
            It cannot be built here, for want of a tool: the bench skips it.
        BuildError
            It cannot be built.
        """

    def read(self, value: bytes) -> Reading | None:
        """Read a record of its output topic; None where it is neither a lifetime nor a 1-minute window."""
        return peers_record(value)

    @abstractmethod
    def versions(self) -> Sequence[str]:
        """Its pinned packages."""

    def topics(self, job: Job) -> list[str]:
        """Topics to create for it; the output topic is one of them."""
        return [job.output]

    def changelogs(self, job: Job) -> list[str]:
        """Compacted topics to create for it; the frameworks create their own."""
        return []

    def environment(self, job: Job) -> dict[str, str]:
        """Environment of its process."""
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "BENCH_BROKER": job.broker,
            "BENCH_INPUT": job.input,
            "BENCH_OUTPUT": job.output,
            "BENCH_RUN": job.run,
            "BENCH_DIRECTORY": str(job.directory),
            "BENCH_ROWS_PER_ASSET": str(job.rows.per_asset),
            "BENCH_BATCHED": str(int(job.form.rows_per_message > 1)),
        }

    async def confirm(self, job: Job) -> list[str]:
        """Ask it itself, after the run; returns what is wrong."""
        return []


def rows_for(contender: Contender, form: str, rows: int) -> int | None:
    """How many rows it gets of a workload; None: it takes no part."""
    limit = contender.limits.get(form)
    return None if limit is None else min(rows, limit)


FORM_NAMES: Final = tuple(FORMS)
