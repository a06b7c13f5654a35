"""``python -m tests.chaos``: a line per run, a table, and a summary as the last line; status 0 when all is exact."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.catalogue import FAULTS
from tests.chaos.pool import outcomes
from tests.chaos.report import gathered, summary, table
from tests.chaos.runs import MIXED, Outcome


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the requested runs."""
    asked = _parser().parse_args(arguments)
    if asked.gather:
        return gather(asked.gather, asked.report)
    names = asked.fault.split(",") if asked.fault else [MIXED]
    names = list(FAULTS) if names == ["all"] else names
    if unknown := [name for name in names if name not in (MIXED, *FAULTS)]:
        _parser().error(f"no fault is named {', '.join(unknown)}: there are {', '.join(FAULTS)}, and all")
    wanted = [(name, seed) for name in names for seed in range(asked.seed, asked.seed + asked.seeds)]
    directory = (asked.directory or Path(tempfile.mkdtemp(prefix="chaos-"))).absolute()
    # Workers that all compile at once are not ready in time.
    subprocess.run([sys.executable, "-m", "stream_app.warm_up"], check=True)
    done: list[Outcome] = []
    for outcome in outcomes(wanted, asked.rows, directory, asked.port, asked.jobs):
        done.append(outcome)
        say(outcome.line(), *(f"    {line[:1000]}" for line in outcome.findings.summary_lines()))
        if outcome.findings.ok and not asked.keep:
            shutil.rmtree(outcome.directory, ignore_errors=True)
            outcome.directory.mkdir()
            outcome.save()  # all that a later --gather needs
    return close(done, asked.report)


def gather(directories: Sequence[Path], report: Path | None) -> int:
    """Report the runs of earlier calls; an unfinished run is reported too, since it could hide a failure."""
    done, unfinished = gathered(directories)
    for outcome in done:
        if not outcome.findings.ok:
            say(outcome.line(), *(f"    {line[:1000]}" for line in outcome.findings.summary_lines()))
    say(*(f"came to no end: {run}" for run in unfinished))
    if not done:
        say("no run is there")
        return 1
    return close(done, report) or int(bool(unfinished))


def close(done: Sequence[Outcome], report: Path | None) -> int:
    """Print the table and the summary; the exit status."""
    text = table(done)
    say(text)
    if report:
        report.write_text(text + "\n")
    say(summary(done))
    return 0 if all(outcome.findings.ok for outcome in done) else 1


def say(*lines: str) -> None:
    """Print at once: the reader of a long run sees its progress."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--fault", help="faults such as F1,F3, or all, instead of the mixed run")
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=1, help="runs at a time")
    parser.add_argument("--rows", type=int, default=100_000, help="of a mixed run")
    parser.add_argument("--report", type=Path, help="file for the table")
    parser.add_argument("--directory", type=Path, help="for outcomes; histories and logs of failed runs are kept")
    parser.add_argument("--gather", type=Path, nargs="+", metavar="DIR", help="report all outcomes below, run nothing")
    parser.add_argument("--keep", action="store_true", help="keep histories and logs of all runs")
    parser.add_argument("--port", type=int, default=19500, help="first of the ports that are used")
    return parser


if __name__ == "__main__":
    sys.exit(main())
