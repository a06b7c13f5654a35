"""Measures this project beside its peers on a broker of its own, and prints a table.

All that is known about the runs is written as JSON; ``--record`` also keeps the table in the repository.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import history, pages
from bench.broker import broker_versions, own_broker
from bench.contenders import FORM_NAMES, Contender, rows_for
from bench.lab import Lab
from bench.measure import Outcome
from bench.messages import FORMS
from bench.peers import PEERS
from bench.project import ThisProject
from bench.provenance import provenance, record, run_file, write
from bench.report import kept_rows, ratio_line, rows_of, runs, table

_QUICK_ROWS = {"stream-app": 500_000, "faust-naive": 15_000}
_CONTENDERS: dict[str, Contender] = {each.name: each for each in (ThisProject(), *PEERS)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the contenders that the command line names; status 0 when all sums were right."""
    asked = _parser().parse_args(arguments)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its clients here try again by themselves
    names = list(_QUICK_ROWS) if asked.quick else asked.contenders or list(_CONTENDERS)
    forms = ["rows"] if asked.quick else asked.workloads or list(FORM_NAMES)
    _check(asked, names, forms)
    file = asked.output or run_file("peers")
    with own_broker(asked.port) as (broker, directory):
        lab = Lab(broker, directory, http_port=asked.port + 10, timeout_s=asked.timeout)
        outcomes = asyncio.run(_runs(lab, names, forms, asked))
    versions = {name: _CONTENDERS[name].versions() for name in names}
    content = record("bench", {"kafka": broker_versions(), **versions})
    write(file, {**content, "runs": runs(outcomes)})
    rows = rows_of(outcomes)
    kept = history.keep("peers", history.section(content, kept_rows(rows))) if asked.record else None
    if asked.markdown and outcomes:
        text = f"{provenance(content, kept)}\n\n{table(rows, ours=ThisProject.name)}"
        pages.write(asked.markdown, {"peers": text})
    if asked.quick:
        _say(ratio_line(rows, ours=ThisProject.name))
    else:
        _say(table(rows, ours=ThisProject.name), "", *(f"written to {each}" for each in (file, kept) if each))
    return 0 if outcomes and all(outcome.right for outcome in outcomes) else 1


def _check(asked: argparse.Namespace, names: Sequence[str], forms: Sequence[str]) -> None:
    """End with a message before anything is measured for nothing."""
    for given, known, kind in ((names, _CONTENDERS, "contender"), (forms, FORM_NAMES, "workload")):
        if unknown := sorted(set(given) - set(known)):
            _parser().error(f"no {kind} is named {', '.join(unknown)}; there are {', '.join(known)}")
    if asked.markdown:
        pages.check(asked.markdown, ["peers"])
    if asked.record and asked.quick:
        _parser().error("--quick measures too little to be kept: leave out --record")
    if asked.record:
        try:
            history.check_committed()
        except history.NotCommittedError as error:
            _parser().error(str(error))


async def _runs(lab: Lab, names: Sequence[str], forms: Sequence[str], asked: argparse.Namespace) -> list[Outcome]:
    outcomes: list[Outcome] = []
    await lab.warm()
    for form in forms:
        for number in range(asked.passes):
            for contender in map(_CONTENDERS.__getitem__, names):
                most = _QUICK_ROWS.get(contender.name, asked.rows) if asked.quick else asked.rows
                rows = rows_for(contender, form, min(most, asked.rows) * FORMS[form].times)
                if rows is None:
                    continue
                outcome = await lab.run(contender, form, rows, number)
                outcomes.append(outcome)
                _progress(outcome, quiet=asked.quick)
    return outcomes


def _progress(outcome: Outcome, *, quiet: bool) -> None:
    wall, cpu = outcome.rows_per_s or 0, outcome.rows_per_cpu_s or 0
    if not quiet:
        rates = f"{wall:>10,.0f} rows/s {cpu:>10,.0f} rows/CPU s  {'' if outcome.right else 'WRONG'}"
        text = f"skipped: {outcome.skipped}" if outcome.skipped is not None else rates
        sys.stderr.write(f"{outcome.form:<8} {outcome.contender:<18} {outcome.rows:>9,} rows {text}\n")
    for problem in outcome.problems:
        sys.stderr.write(f"  {outcome.contender}: {problem}\n")


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _parser() -> argparse.ArgumentParser:
    contenders = [f"  {name:<18} {each.title} ({', '.join(each.limits)})" for name, each in _CONTENDERS.items()]
    workloads = [f"  {name:<18} {form.title}" for name, form in FORMS.items()]
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog="\n".join(["contenders (and their workloads):", *contenders, "", "workloads:", *workloads]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="this project and the naive Faust agent only; one line")
    parser.add_argument(
        "--rows", type=int, default=2_000_000, help="of a workload; slow contenders get fewer, columns 4 times as many"
    )
    parser.add_argument("--contenders", type=_names, metavar="NAME,...", help="run these only, for example: go,rust")
    parser.add_argument("--workloads", type=_names, metavar="NAME,...", help="run these only, for example: rows")
    parser.add_argument("--passes", type=int, default=1, help="runs of each; the table has their medians")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for a run")
    parser.add_argument("--record", action="store_true", help="keep the table in bench/results, in the release's file")
    parser.add_argument("--output", type=Path, help="file for the JSON instead of one in .cache/bench/runs")
    parser.add_argument("--markdown", type=Path, help="page with a place for the table, such as docs/performance.md")
    parser.add_argument("--port", type=int, default=22500, help="first of the ports that are used, 11 in all")
    return parser


if __name__ == "__main__":
    sys.exit(main())
