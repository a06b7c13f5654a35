"""Date, versions and command of a run: a figure without them cannot be compared."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.e2e.workers import ROOT
from tests.kafka_jars import kafka_jars


@dataclass(frozen=True, slots=True)
class Provenance:
    """Date, versions and command of one run."""

    date: str = "?"
    versions: str = "?"
    command: str = "?"

    @classmethod
    def now(cls) -> Provenance:
        """Provenance of a run that starts now."""
        versions = (
            f"Apache Kafka {_kafka()}",
            *(f"{name} {version(name)}" for name in ("faust-streaming", "aiokafka")),
            f"Python {platform.python_version()}",
            f"commit {_commit()}",
            f"{os.cpu_count()} cores",
        )
        return cls(f"{datetime.now(UTC):%Y-%m-%d}", ", ".join(versions), _command())


def heading(provenances: Iterable[Provenance]) -> str:
    """Dates, versions and commands of some runs, each once."""
    distinct = list(dict.fromkeys(provenances))
    dates = sorted({one.date for one in distinct})
    days = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    versions = "; ".join(dict.fromkeys(one.versions for one in distinct))
    return "\n".join((f"{days}, {versions}.", *dict.fromkeys(f"`{one.command}`" for one in distinct)))


def _kafka() -> str:
    names = [jar.stem for jar in (kafka_jars() or Path()).glob("kafka_*-*.jar")]
    return names[0].rpartition("-")[2] if names else "?"


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        return subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "?"


def _command() -> str:
    """The command as typed: a process of a pool has the arguments of its parent."""
    program = Path(sys.argv[0])
    name = f"python -m tests.{program.parent.name}" if program.name == "__main__.py" else program.name
    return shlex.join([*name.split(), *sys.argv[1:]])
