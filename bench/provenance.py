"""When, where and on what something was measured."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.environments import ROOT

#: Where runs leave what they measured, unless an option says otherwise; not in the repository.
RUNS: Final = ROOT / ".cache" / "bench" / "runs"
_FILE_OPTIONS: Final = ("--output", "--markdown", "--figures", "--from")


def record(module: str, versions: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Date, command, commit, machine and versions of a measurement."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": ["python", "-m", module, *sys.argv[1:]],
        "commit": commit(),
        "machine": _machine(),
        "versions": versions,
    }


def provenance(content: Mapping[str, Any], kept: Path | None = None) -> str:
    """The same in a line, for people; with the file of the repository that keeps the figures, if one does."""
    machine, kafka = content["machine"], ", ".join(content["versions"].get("kafka", ()))
    where = f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']:.0f} GB, Python {machine['python']}"
    command = " ".join(_without_files(content["command"]))
    line = f"{content['date'][:10]}, commit {content['commit']}, {where}, {kafka}: `{command}`"
    return f"{line}, kept in `{kept.relative_to(ROOT)}`" if kept else line


def _without_files(command: Iterable[str]) -> Iterator[str]:
    """The command without the options that say where results go, which say nothing about the figures."""
    words = iter(command)
    for word in words:
        if word in _FILE_OPTIONS:
            next(words, None)
        elif not word.startswith(tuple(f"{option}=" for option in _FILE_OPTIONS)):
            yield word


def run_file(name: str) -> Path:
    """A file for what is measured now."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    return RUNS / f"{name}-{stamp}.json"


def write(file: Path, content: Mapping[str, Any]) -> None:
    """Write JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def commit() -> str | None:
    """The commit that is checked out, with ``-dirty`` where the tree differs from it; None outside of git."""
    described = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    said = subprocess.run(described, cwd=ROOT, check=False, capture_output=True, text=True)
    return said.stdout.strip() or None


def _machine() -> dict[str, object]:
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": cpu[0].partition(":")[2].strip() if cpu else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_1m": os.getloadavg()[0],
    }
