"""``python -m bench``: this project beside its peers on a broker of its own; a table, and JSON in ``bench/results``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import pages
from bench.broker import broker_versions, own_broker
from bench.contenders import FORM_NAMES, Contender, rows_for
from bench.lab import Lab
from bench.measure import Outcome
from bench.messages import FORMS
from bench.peers import PEERS
from bench.project import ThisProject
from bench.report import provenance, ratio_line, record, runs, table, write

_QUICK_ROWS = {"stream-app": 500_000, "faust-naive": 15_000}
_CONTENDERS: dict[str, Contender] = {each.name: each for each in (ThisProject(), *PEERS)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked for; status 0 when all were right."""
    asked = _parser().parse_args(arguments)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its clients here try again by themselves
    names = list(_QUICK_ROWS) if asked.quick else asked.contenders or list(_CONTENDERS)
    forms = ["rows"] if asked.quick else asked.workloads or list(FORM_NAMES)
    for given, known in ((names, _CONTENDERS), (forms, FORM_NAMES)):
        if unknown := sorted(set(given) - set(known)):
            _parser().error(f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
    if asked.markdown:
        pages.check(asked.markdown, ["peers"])
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    file = asked.output or Path(__file__).parent / "results" / f"{stamp}.json"
    with own_broker(asked.port) as (broker, directory):
        lab = Lab(broker, directory, http_port=asked.port + 10, timeout_s=asked.timeout)
        outcomes = asyncio.run(_runs(lab, names, forms, asked))
    content = record("bench", {"kafka": broker_versions(), **{name: _CONTENDERS[name].versions() for name in names}})
    write(file, {**content, "runs": runs(outcomes)})
    if asked.markdown and outcomes:
        text = f"{provenance(content)}\n\n{table(outcomes, ours=ThisProject.name)}"
        pages.write(asked.markdown, {"peers": text})
    if asked.quick:
        _say(ratio_line(outcomes, ours=ThisProject.name))
    else:
        _say(table(outcomes, ours=ThisProject.name), "", f"written to {file}")
    return 0 if outcomes and all(outcome.right for outcome in outcomes) else 1


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
        told = f"{wall:>10,.0f} rows/s {cpu:>10,.0f} rows/CPU s  {'' if outcome.right else 'WRONG'}"
        sys.stderr.write(f"{outcome.form:<8} {outcome.contender:<18} {outcome.rows:>9,} rows {told}\n")
    for problem in outcome.problems:
        sys.stderr.write(f"  {outcome.contender}: {problem}\n")


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="this project and the naive Faust agent only; one line")
    parser.add_argument(
        "--rows", type=int, default=2_000_000, help="of a workload; slow contenders get fewer, columns 4 times as many"
    )
    parser.add_argument("--contenders", type=_names, help=f"some of {', '.join(_CONTENDERS)}")
    parser.add_argument("--workloads", type=_names, help=f"some of {', '.join(FORM_NAMES)}")
    parser.add_argument("--passes", type=int, default=1, help="runs of each; the table has their medians")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for a run")
    parser.add_argument("--output", type=Path, help="file for the JSON instead of one in bench/results")
    parser.add_argument("--markdown", type=Path, help="page with a place for the table, such as docs/performance.md")
    parser.add_argument("--port", type=int, default=22500, help="first of the ports that are used, 11 in all")
    return parser


if __name__ == "__main__":
    sys.exit(main())
