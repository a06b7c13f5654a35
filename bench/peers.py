"""The other contenders, and in which workload each takes part with how many rows at most."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import ClassVar, Final

from bench import environments
from bench.contenders import EVERY_ROW, Contender, Job
from bench.environments import BuildError

_JAVA: Final = ("java", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
#: Flink's serializers look into these packages of the JDK.
_FLINK_OPENS: Final = ("lang", "lang.reflect", "net", "nio", "text", "time", "util", "util.concurrent")


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


class PythonLoop(PythonPeer):
    """A loop written by hand in Python; it writes a changelog and cannot recover from it."""

    def changelogs(self, job: Job) -> list[str]:
        return [f"{job.run}-changelog"]


class Bytewax(PythonPeer):
    """Bytewax, with its recovery store: a snapshot every ten seconds, its default."""

    def command(self, job: Job) -> list[str]:
        interpreter = str(environments.python(self._environment))
        store = job.directory / "recovery"
        store.mkdir()
        prepared = subprocess.run(
            [interpreter, "-m", "bytewax.recovery", str(store), "1"], check=False, capture_output=True, text=True
        )
        if prepared.returncode != 0:
            raise BuildError(prepared.stderr[-500:])
        recovery = ["-r", str(store), "-s", "10", "-b", "0"]
        return [interpreter, "-m", "bytewax.run", f"{self._program}:flow", *recovery]


class KafkaStreams(Contender):
    """A Kafka Streams program of ``bench/programs/streams``."""

    def __init__(self, name: str, title: str, *arguments: str, **limits: int) -> None:
        self.name, self.title, self.limits, self._arguments = name, title, limits, arguments

    def command(self, job: Job) -> list[str]:
        return [*_JAVA, "-cp", environments.java_classpath("streams"), *self._arguments]

    def versions(self) -> Sequence[str]:
        return environments.jars("streams")


class Flink(Contender):
    """The Flink program of ``bench/programs/flink``, in one JVM; a checkpoint every five seconds."""

    def __init__(self, name: str, title: str, **limits: int) -> None:
        self.name, self.title, self.limits = name, title, limits

    def command(self, job: Job) -> list[str]:
        opens = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in _FLINK_OPENS]
        return [*_JAVA, *opens, "-cp", environments.java_classpath("flink"), "Main"]

    def versions(self) -> Sequence[str]:
        return environments.jars("flink")


class _CompiledLoop(Contender):
    """A loop written by hand that recovers from its changelog."""

    exact_after_crash: ClassVar[bool] = True

    def __init__(self, name: str, title: str, **limits: int) -> None:
        self.name, self.title, self.limits = name, title, limits

    def changelogs(self, job: Job) -> list[str]:
        return [f"{job.run}-changelog"]


class GoLoop(_CompiledLoop):
    """The program of ``bench/programs/go``."""

    def command(self, job: Job) -> list[str]:
        return [str(environments.go_program("go"))]

    def versions(self) -> Sequence[str]:
        return environments.go_modules("go")


class RustLoop(_CompiledLoop):
    """The program of ``bench/programs/rust``."""

    def command(self, job: Job) -> list[str]:
        return [str(environments.rust_program("rust"))]

    def versions(self) -> Sequence[str]:
        return environments.crates("rust")


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
        rows=1_000_000, arrays=EVERY_ROW,
    ),
    Bytewax(
        "bytewax-windows", "Bytewax, windowing operators", "bytewax_windows", "bytewax",
        rows=1_000_000, arrays=EVERY_ROW,
    ),
    Bytewax("bytewax-map", "Bytewax, one stateful map", "bytewax_map", "bytewax", rows=EVERY_ROW, arrays=EVERY_ROW),
    KafkaStreams("streams-dsl", "Kafka Streams, DSL (Java)", "Dsl", rows=EVERY_ROW, arrays=EVERY_ROW),
    KafkaStreams(
        "streams-processor", "Kafka Streams, Processor API (Java)", "ByHand", "persistent",
        rows=EVERY_ROW, arrays=EVERY_ROW,
    ),
    KafkaStreams(
        "streams-memory", "Kafka Streams, Processor API in memory (Java)", "ByHand", "memory",
        rows=EVERY_ROW, arrays=EVERY_ROW,
    ),
    Flink("flink", "Flink, one keyed process function (Java)", rows=EVERY_ROW, arrays=EVERY_ROW),
    PythonLoop(
        "polars", "micro-batches, polars and confluent-kafka", "polars_batches", "polars",
        rows=EVERY_ROW, arrays=EVERY_ROW,
    ),
    PythonLoop("loop", "loop by hand, confluent-kafka", "loop", "loop", rows=EVERY_ROW, arrays=EVERY_ROW),
    GoLoop("go", "loop by hand, Go, exact after a crash", rows=EVERY_ROW, arrays=EVERY_ROW),
    RustLoop("rust", "loop by hand, Rust, exact after a crash", rows=EVERY_ROW, arrays=EVERY_ROW),
)  # fmt: skip
