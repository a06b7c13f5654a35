"""Shows where a worker spends its CPU time: step by step, while it drains a full topic on a broker of its own.

The worker is the real one (``stream-app worker``) with a thread beside it that samples it; see bench/profile/sampler.py
for what that can tell, and bench/profile/steps.py for which module counts for which step.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench import history, pages
from bench.broker import broker_versions, own_broker
from bench.contenders import FORM_NAMES, Job
from bench.lab import Lab
from bench.messages import FORMS
from bench.profile.sampler import NATIVE, SAMPLER
from bench.profile.steps import Frame, Profile, longest
from bench.project import ThisProject
from bench.provenance import provenance, record, run_file, write
from bench.workload import ASSETS

Record = dict[str, Any]
_UNSEEN = "not seen by the sampler"
_WITHOUT_STACK = {NATIVE: "threads without Python", SAMPLER: "the sampler itself"}


class _Sampled(ThisProject):
    """The worker with a sampler in its process."""

    def __init__(self) -> None:
        self.samples: Path | None = None

    def command(self, job: Job) -> list[str]:
        super().command(job)
        self.samples = job.directory / "samples.jsonl"
        return [sys.executable, "-m", "bench.profile.sampler", str(self.samples), "worker"]


def profile(lines: Iterable[str], start: float, end: float) -> Profile:
    """What the sampler wrote between two times [s since 1970]."""
    found, stacks = Profile(), list[list[Frame]]()
    for line in lines:
        content = json.loads(line)
        stacks += [[(module, function) for module, function in stack] for stack in content["stacks"]]
        for at, number, cpu_ns in content["samples"]:
            if not start < at <= end:
                continue
            if number in _WITHOUT_STACK:
                found.add_step(_WITHOUT_STACK[number], cpu_ns / 1e9)
            else:
                found.add(stacks[number], cpu_ns / 1e9)
    return found


async def _measured(lab: Lab, form: str, rows: int, assets: int) -> Record:
    worker = _Sampled()
    outcome, observer = await lab.observe(worker, form, rows, 0, assets)
    result: Record = {"workload": form, "assets": assets, "rows": outcome.rows, "problems": outcome.problems}
    if worker.samples is None or observer is None or observer.began_at is None or not outcome.wall_s:
        return result
    with worker.samples.open(encoding="utf-8") as lines:
        found = profile(lines, observer.began_at, observer.began_at + outcome.wall_s)
    cpu_s = outcome.cpu_s or 0.0
    unseen_s = cpu_s - sum(found.steps.values())
    steps = [{"step": step, "cpu_s": used_s} for step, used_s in [*longest(found.steps), (_UNSEEN, unseen_s)]]
    functions = [
        {"step": step, "function": function, "cpu_s": used_s} for (step, function), used_s in longest(found.functions)
    ]
    return {**result, "wall_s": outcome.wall_s, "cpu_s": cpu_s, "steps": steps, "functions": functions}


async def _all(lab: Lab, forms: Sequence[str], rows: int, assets: int) -> list[Record]:
    await lab.warm()
    return [await _measured(lab, form, rows * FORMS[form].times, assets) for form in forms]


def table(result: Record, functions: int = 0) -> str:
    """Steps of a run in markdown, and so many of its functions."""
    title = FORMS[result["workload"]].title
    lines = [f"{result['workload']}: {title}, {result['rows']:,} rows of {result['assets']:,} assets"]
    if "steps" in result:
        cpu_s, rows = result["cpu_s"], result["rows"]
        lines += ["", "| step | CPU s | share | ns a row |", "| --- | --- | --- | --- |"]
        for each in (*result["steps"], {"step": "all", "cpu_s": cpu_s}):
            used_s = each["cpu_s"]
            lines.append(f"| {each['step']} | {used_s:.2f} | {used_s / cpu_s:.0%} | {used_s / rows * 1e9:,.0f} |")
        if functions:
            lines += ["", "| function | step | CPU s |", "| --- | --- | --- |"]
            some = result["functions"][:functions]
            lines += [f"| `{each['function']}` | {each['step']} | {each['cpu_s']:.2f} |" for each in some]
    lines += [f"WRONG: {problem}" for problem in result["problems"]]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Profile the workloads that the command line names; status 0 when all sums were right."""
    asked = _parser().parse_args(arguments)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its clients here try again by themselves
    forms = asked.workloads.split(",")
    if unknown := sorted(set(forms) - set(FORM_NAMES)):
        _parser().error(f"no workload is named {', '.join(unknown)}; there are {', '.join(FORM_NAMES)}")
    if asked.markdown:
        pages.check(asked.markdown, ["profile"])
    if asked.record:
        try:
            history.check_committed()
        except history.NotCommittedError as error:
            _parser().error(str(error))
    with own_broker(asked.port) as (broker, directory):
        lab = Lab(broker, directory, http_port=asked.port + 10, timeout_s=asked.timeout)
        results = asyncio.run(_all(lab, forms, asked.rows, asked.assets))
    content = record("bench.profile", {"kafka": broker_versions(), "stream-app": ThisProject().versions()})
    file = asked.output or run_file("profile")
    write(file, {**content, "runs": results})
    steps = {each["workload"]: each.get("steps", []) for each in results}
    kept = history.keep("profile", history.section(content, steps)) if asked.record else None
    if asked.markdown:
        tables = "\n\n".join(map(table, results))
        pages.write(asked.markdown, {"profile": f"{provenance(content, kept)}\n\n{tables}"})
    texts = [table(each, asked.functions) for each in results]
    sys.stdout.write("\n\n".join([*texts, f"written to {kept or file}"]) + "\n")
    return 1 if any(each["problems"] for each in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.profile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    workloads = f"some of {', '.join(FORM_NAMES)}"
    parser.add_argument("--workloads", default="rows,arrow", metavar="NAME,...", help=workloads)
    parser.add_argument("--rows", type=int, default=2_000_000, help="of a workload; columns get 4 times as many")
    parser.add_argument("--assets", type=int, default=ASSETS)
    parser.add_argument("--functions", type=int, default=25, help="functions to show below the steps")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for a run")
    parser.add_argument("--record", action="store_true", help="keep the table in bench/results, in the release's file")
    parser.add_argument("--output", type=Path, help="file for the JSON instead of one in .cache/bench/runs")
    parser.add_argument("--markdown", type=Path, help="page with a place for the table, such as docs/performance.md")
    parser.add_argument("--port", type=int, default=22500, help="first of the ports that are used, 11 in all")
    return parser


if __name__ == "__main__":
    sys.exit(main())
