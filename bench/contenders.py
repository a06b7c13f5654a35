"""Who takes part, and in which workload with how many rows at most: the rate of a slow one is told by fewer rows."""

from __future__ import annotations

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from bench import environments
from bench.environments import ROOT, EnvironmentMissingError
from bench.ledger import Reading, peers_record
from bench.messages import FORMS, Form
from bench.workload import Rows

_EVERY_ROW: Final = 1 << 60


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
    #: Form of the messages -> rows at most; it takes no part in the others.
    limits: Mapping[str, int]
    #: A row counts for as long as it holds, so an asset's last one has no duration yet.
    held: ClassVar[bool] = False

    @abstractmethod
    def command(self, job: Job) -> list[str]:
        """Make what it needs; return what starts it.

        Raises
        ------
        EnvironmentMissingError
            It cannot be had here.
        """

    def read(self, value: bytes) -> Reading | None:
        """Read a record of its output topic; None where it is neither a lifetime nor a 1-minute window."""
        return peers_record(value)

    @abstractmethod
    def versions(self) -> Sequence[str]:
        """What it runs on, pinned."""

    def topics(self, job: Job) -> list[str]:
        """Topics that it wants made for it; the output topic is one of them."""
        return [job.output]

    def changelogs(self, job: Job) -> list[str]:
        """Compacted topics that it wants made for it; the frameworks make their own."""
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
        """Ask it itself, after the run; what is wrong."""
        return []


class PythonPeer(Contender):
    """A program of ``bench/programs`` in an environment of its own."""

    def __init__(self, name: str, title: str, program: str, environment: str, *arguments: str, **limits: int) -> None:
        self.name, self.title, self.limits = name, title, limits
        self._program, self._environment, self._arguments = f"bench.programs.{program}", environment, arguments

    def command(self, job: Job) -> list[str]:
        interpreter = environments.python(self._environment)
        return [str(interpreter), "-m", self._program, *self._arguments]

    def versions(self) -> Sequence[str]:
        return environments.requirements(self._environment)


class Loop(PythonPeer):
    """The loop by hand, which makes no topic."""

    def changelogs(self, job: Job) -> list[str]:
        return [f"{job.run}-changelog"]


class Bytewax(PythonPeer):
    """Bytewax, with its recovery store: a snapshot each ten seconds, its default."""

    def command(self, job: Job) -> list[str]:
        interpreter = str(environments.python(self._environment))
        store = job.directory / "recovery"
        store.mkdir()
        made = subprocess.run(
            [interpreter, "-m", "bytewax.recovery", str(store), "1"], check=False, capture_output=True, text=True
        )
        if made.returncode != 0:
            raise EnvironmentMissingError(made.stderr[-500:])
        recovery = ["-r", str(store), "-s", "10", "-b", "0"]
        return [interpreter, "-m", "bytewax.run", f"{self._program}:flow", *recovery]


class Streams(Contender):
    """Kafka Streams, on a JVM."""

    def __init__(self, name: str, title: str, main: str, **limits: int) -> None:
        self.name, self.title, self.limits, self._main = name, title, limits, main

    def command(self, job: Job) -> list[str]:
        classpath = environments.streams_classpath()
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
        return ["java", "-Xmx1g", quiet, "-cp", classpath, self._main]

    def versions(self) -> Sequence[str]:
        return ["org.apache.kafka:kafka-streams:4.1.0"]


PEERS: Final[Sequence[Contender]] = (
    PythonPeer(
        "faust-naive", "Faust, two tables", "faust_two_tables", "faust", "worker", "-l", "error",
        rows=60_000, arrays=1_000_000,
    ),
    PythonPeer(
        "faust-one-table", "Faust, one table", "faust_one_table", "faust", "worker", "-l", "error",
        rows=100_000, arrays=1_000_000,
    ),
    PythonPeer(
        "quix-windows", "Quix Streams, windowing operators", "quix_windows", "quix",
        rows=400_000, arrays=800_000,
    ),
    PythonPeer(
        "quix-apply", "Quix Streams, one stateful apply", "quix_apply", "quix",
        rows=1_000_000, arrays=_EVERY_ROW,
    ),
    Bytewax(
        "bytewax-windows", "Bytewax, windowing operators", "bytewax_windows", "bytewax",
        rows=1_000_000, arrays=_EVERY_ROW,
    ),
    Bytewax("bytewax-map", "Bytewax, one stateful map", "bytewax_map", "bytewax", rows=_EVERY_ROW, arrays=_EVERY_ROW),
    Streams("streams-dsl", "Kafka Streams, DSL (Java)", "Dsl", rows=_EVERY_ROW, arrays=_EVERY_ROW),
    Streams(
        "streams-processor", "Kafka Streams, Processor API (Java)", "ByHand", rows=_EVERY_ROW, arrays=_EVERY_ROW
    ),
    Loop("loop", "hand-written loop, confluent-kafka", "loop", "loop", rows=_EVERY_ROW, arrays=_EVERY_ROW),
)  # fmt: skip


def rows_for(contender: Contender, form: str, rows: int) -> int | None:
    """How many rows it gets of a workload; None: it takes no part."""
    limit = contender.limits.get(form)
    return None if limit is None else min(rows, limit)


FORM_NAMES: Final = tuple(FORMS)
