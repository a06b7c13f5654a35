"""``python -m bench.scale``: this project alone as its load grows, on a broker of its own; tables, JSON and curves."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bench import history, pages
from bench.broker import broker_versions, own_broker
from bench.project import ThisProject
from bench.provenance import provenance, record, run_file, write
from bench.scale.assets import Assets
from bench.scale.experiment import Experiment
from bench.scale.figures import draw
from bench.scale.latency import Latency
from bench.scale.listeners import Listeners
from bench.scale.lookups import Lookups
from bench.scale.overload import Overload
from bench.scale.recovery import Recovery
from bench.scale.steady import Steady
from bench.scale.testbed import QUICK, Record, Sizes, Testbed
from bench.scale.workers import Workers

EXPERIMENTS: Final[Mapping[str, Experiment]] = {
    experiment.name: experiment
    for experiment in (Assets(), Workers(), Steady(), Latency(), Lookups(), Listeners(), Recovery(), Overload())
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiments that the command line names; status 0 when none failed and all sums were right."""
    asked = _parser().parse_args(arguments)
    names = asked.only or list(EXPERIMENTS)
    if unknown := sorted(set(names) - set(EXPERIMENTS)):
        _parser().error(f"no experiment is named {', '.join(unknown)}; there are {', '.join(EXPERIMENTS)}")
    if asked.markdown:
        pages.check(asked.markdown, names)
    if asked.record and (asked.quick or asked.source is not None):
        _parser().error("--record keeps what is measured now in full: leave out --quick and --from")
    if asked.record:
        try:
            history.check_committed()
        except history.NotCommittedError as error:
            _parser().error(str(error))
    if asked.source is not None:
        content = json.loads(asked.source.read_text("utf-8"))
        failed: list[str] = []
    else:
        content, failed = _measured(asked, names)
    results = {name: content["experiments"][name] for name in names if content["experiments"].get(name)}
    tables = {name: EXPERIMENTS[name].table(records) for name, records in results.items()}
    curves = draw(results, asked.figures) if asked.figures else {}
    kept = _kept(content) if asked.record else None
    if asked.markdown:
        line = provenance(content, kept)
        texts = {name: f"{line}\n\n{text}" for name, text in tables.items()}
        for name, curve in curves.items():
            texts[name] += f"\n\n![{name}]({os.path.relpath(curve, asked.markdown.parent)})"
        pages.write(asked.markdown, texts)
    sys.stdout.write("\n\n".join(f"{name}\n\n{text}" for name, text in tables.items()) + "\n")
    wrong = [problem for records in results.values() for each in records for problem in each.get("problems", ())]
    return 1 if failed or wrong else 0


def _kept(content: Mapping[str, Any]) -> Path:
    """Keep what the tables show in the release's file."""
    rows = {name: [history.scalars(each) for each in records] for name, records in content["experiments"].items()}
    return history.keep("scale", history.section(content, rows))


def _measured(asked: argparse.Namespace, names: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Measure, and write all that is known; an experiment that fails costs the others nothing."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its clients here try again by themselves
    file = asked.output or run_file("scale")
    content = record("bench.scale", {"kafka": broker_versions(), "stream-app": ThisProject().versions()})
    with own_broker(asked.port) as (broker, directory):
        testbed = Testbed(broker, directory, asked.port + 10, _sizes(asked), asked.timeout, asked.capacity)
        results, failed = asyncio.run(_run(testbed, names))
    content |= {"experiments": results, "failed": failed}
    write(file, content)
    sys.stderr.write(f"written to {file}\n")
    return content, failed


async def _run(testbed: Testbed, names: Sequence[str]) -> tuple[dict[str, list[Record]], list[str]]:
    results: dict[str, list[Record]] = {}
    failed: list[str] = []
    await testbed.warm()
    for name in names:
        began = time.monotonic()
        try:
            results[name] = await EXPERIMENTS[name].measure(testbed)
        except Exception as error:
            logging.getLogger(__name__).exception("%s failed", name)
            failed.append(f"{name}: {error!r}")
        testbed.say(f"{name} took {time.monotonic() - began:.0f} s")
        testbed.lab.forget()
    return results, failed


def _sizes(asked: argparse.Namespace) -> Sizes:
    sizes = QUICK if asked.quick else Sizes()
    given = {
        "rows": asked.rows,
        "backlog_rows": asked.backlog or (asked.rows and asked.rows * 5 // 2),
        "fleets": asked.fleets,
        "recovery_assets": asked.recovery_assets,
        "steady": asked.steady,
        "probes": asked.probes,
        "lookups_s": asked.lookup_seconds,
    }
    return replace(sizes, **{name: value for name, value in given.items() if value})


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _fleets(text: str) -> tuple[tuple[int, float, float], ...]:
    fleets = [one.split(":") for one in _names(text)]
    return tuple((int(assets), float(rate), float(emit)) for assets, rate, emit in fleets)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _names(text))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--only", type=_names, help=f"some of {', '.join(EXPERIMENTS)}")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes: shows that all works, the figures mean little"
    )
    parser.add_argument("--rows", type=int, help=f"of a workload instead of {Sizes().rows:,}")
    parser.add_argument("--backlog", type=int, help="rows for overload instead of 2.5 times as many")
    parser.add_argument("--fleets", type=_numbers, help="numbers of assets instead of 100,10000,100000")
    parser.add_argument("--recovery-assets", type=int, help="assets to recover instead of 100,000")
    parser.add_argument(
        "--steady", type=_fleets, help="assets:rows/s of each:emit interval, such as 1000:1:0,10000:1:10"
    )
    parser.add_argument("--probes", type=int, help="of each load instead of 250")
    parser.add_argument("--lookup-seconds", type=float, help="for each way to look up instead of 10")
    parser.add_argument("--capacity", type=float, help="rows/s that loads are shares of, instead of what was measured")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for a run")
    parser.add_argument("--output", type=Path, help="file for the JSON instead of one in .cache/bench/runs")
    parser.add_argument("--record", action="store_true", help="keep the tables in bench/results, in the release's file")
    parser.add_argument("--from", dest="source", type=Path, help="measure nothing: take this JSON")
    parser.add_argument("--markdown", type=Path, help="page with places for the tables, such as docs/performance.md")
    parser.add_argument("--figures", type=Path, help="folder for the curves, such as docs/img")
    parser.add_argument("--port", type=int, default=22500, help="first of the ports that are used, 14 in all")
    return parser


if __name__ == "__main__":
    sys.exit(main())
