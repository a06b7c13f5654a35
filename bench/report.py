"""The table, the line of the quick run, and the JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.environments import ROOT
from bench.measure import Outcome
from bench.messages import FORMS

_HEAD = ("contender", "rows", "rows/s", "rows/CPU s", "peak MB", "ours : it, wall", "ours : it, CPU", "right")

_FILE_OPTIONS = ("--output", "--markdown", "--figures", "--from")


def table(outcomes: Sequence[Outcome], ours: str) -> str:
    """A markdown table a workload; medians of the passes."""
    parts = []
    for form in dict.fromkeys(outcome.form for outcome in outcomes):
        mine = [outcome for outcome in outcomes if outcome.form == form]
        own = [outcome for outcome in mine if outcome.contender == ours]
        names = dict.fromkeys(outcome.contender for outcome in mine)
        most = max(outcome.rows for outcome in mine)
        lines = [_HEAD, tuple("---" for _ in _HEAD)]
        lines += [_line([each for each in mine if each.contender == name], own, most) for name in names]
        notes = [f"{each.title}: {'; '.join(each.problems)}" for each in mine if not each.right]
        text = [f"{form}: {FORMS[form].title}, {most:,} rows", "", *(f"| {' | '.join(line)} |" for line in lines), ""]
        parts.append("\n".join([*text, *(f"WRONG {note}" for note in notes)]))
    fewer = "* fewer rows than the others: too slow for all of them, the rate is of its own rows"
    return "\n\n".join([*parts, fewer] if any("*" in part for part in parts) else parts)


def _line(mine: Sequence[Outcome], own: Sequence[Outcome], most: int) -> tuple[str, ...]:
    first = mine[0]
    wall, cpu = median(mine, lambda o: o.rows_per_s), median(mine, lambda o: o.rows_per_cpu_s)
    return (
        first.title,
        f"{first.rows:,}{'*' if first.rows < most else ''}",
        _count(wall),
        _count(cpu),
        _count(median(mine, lambda o: o.peak_mb)),
        _ratio(median(own, lambda o: o.rows_per_s), wall),
        _ratio(median(own, lambda o: o.rows_per_cpu_s), cpu),
        "yes" if all(outcome.right for outcome in mine) else "WRONG",
    )


def median(outcomes: Iterable[Outcome], of: Callable[[Outcome], float | None]) -> float | None:
    """Median of what was measured; None when nothing was."""
    values = [value for outcome in outcomes if (value := of(outcome)) is not None]
    return statistics.median(values) if values else None


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _ratio(ours: float | None, its: float | None) -> str:
    return "-" if ours is None or not its else f"{ours / its:,.2f}"


def ratio_line(outcomes: Sequence[Outcome], ours: str) -> str:
    """One line for a machine that watches the ratio: this project to the other contender; medians of the passes."""
    own = [outcome for outcome in outcomes if outcome.contender == ours]
    other = [outcome for outcome in outcomes if outcome.contender != ours]
    walls = [median(some, lambda o: o.rows_per_s) for some in (own, other)]
    cpus = [median(some, lambda o: o.rows_per_cpu_s) for some in (own, other)]
    parts = {"wall": _ratio(*walls), "cpu": _ratio(*cpus), ours: _count(walls[0]), other[0].contender: _count(walls[1])}
    right = "yes" if all(outcome.right for outcome in outcomes) else "WRONG"
    return " ".join(["ratio", *(f"{name}={text.replace(',', '')}" for name, text in parts.items()), f"right={right}"])


def record(module: str, versions: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """When, where and on what something was measured."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": ["python", "-m", module, *sys.argv[1:]],
        "commit": _commit(),
        "machine": _machine(),
        "versions": versions,
    }


def provenance(content: Mapping[str, Any]) -> str:
    """The same in a line, for people."""
    machine, kafka = content["machine"], ", ".join(content["versions"].get("kafka", ()))
    where = f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']:.0f} GB, Python {machine['python']}"
    command = " ".join(_without_files(content["command"]))
    return f"{content['date'][:10]}, commit {content['commit']}, {where}, {kafka}: `{command}`"


def _without_files(command: Iterable[str]) -> Iterator[str]:
    """The command without the options that say where results go, which are nobody's business."""
    words = iter(command)
    for word in words:
        if word in _FILE_OPTIONS:
            next(words, None)
        elif not word.startswith(tuple(f"{option}=" for option in _FILE_OPTIONS)):
            yield word


def runs(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """All that is known about runs."""
    return [
        {**asdict(each), "rows_per_s": each.rows_per_s, "rows_per_cpu_s": each.rows_per_cpu_s, "right": each.right}
        for each in outcomes
    ]


def write(file: Path, content: Mapping[str, Any]) -> None:
    """Write a record as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _commit() -> str | None:
    described = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    told = subprocess.run(described, cwd=ROOT, check=False, capture_output=True, text=True)
    return told.stdout.strip() or None


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
