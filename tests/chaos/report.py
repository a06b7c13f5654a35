"""Table and summary of some runs, of this call or gathered from the directories of earlier calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.chaos.provenance import heading
from tests.chaos.runs import OUTCOME, Outcome, doubled, lost, spread


def table(outcomes: Sequence[Outcome]) -> str:
    """Provenance of the runs, then a markdown table with a line per fault."""
    lines = [
        heading(outcome.provenance for outcome in outcomes),
        "",
        "| fault | injected | runs | rows | lost | doubled | contradictions | recovery s, median (max) | exact |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(outcome.name for outcome in outcomes):
        mine = [outcome for outcome in outcomes if outcome.name == name]
        recovery = sorted(outcome.recovery_s for outcome in mine if outcome.recovery_s is not None)
        shown = f"{recovery[len(recovery) // 2]:.1f} ({recovery[-1]:.1f})" if recovery else "-"
        shown = "; ".join(f"{what}: {spread(seconds)}" for what, seconds in figures(mine).items()) or shown
        cells = (
            name,
            mine[0].injected,
            len(mine),
            sum(outcome.findings.rows for outcome in mine),
            sum(lost(outcome.findings) for outcome in mine),
            sum(doubled(outcome.findings) for outcome in mine),
            sum(len(outcome.findings.contradictions) for outcome in mine),
            shown,
            f"{sum(outcome.findings.ok for outcome in mine)} of {len(mine)}",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def summary(outcomes: Sequence[Outcome]) -> str:
    """All runs in one line."""
    all_findings = [outcome.findings for outcome in outcomes]
    failed = [f"{outcome.name}/{outcome.seed}" for outcome in outcomes if not outcome.findings.ok]
    stops = sorted(stop for outcome in outcomes for stop in outcome.stops_s)
    slowest = f", slowest of {len(stops)} SIGTERM {stops[-1]:.1f} s" if stops else ""
    measured = "".join(f", {what}: {spread(seconds)}" for what, seconds in figures(outcomes).items())
    return (
        f"chaos: {len(outcomes)} runs, {sum(outcome.faults for outcome in outcomes)} faults, "
        f"{sum(findings.rows for findings in all_findings)} rows, {sum(map(lost, all_findings))} lost, "
        f"{sum(map(doubled, all_findings))} doubled, {sum(len(v.contradictions) for v in all_findings)} contradictions"
        f"{slowest}{measured}: {'FAILED ' + ' '.join(failed) if failed else 'all exact'}"
    )


def figures(outcomes: Iterable[Outcome]) -> dict[str, list[float]]:
    """Measured seconds of all runs together, by name."""
    together: dict[str, list[float]] = {}
    for outcome in outcomes:
        for what, seconds in outcome.figures.items():
            together.setdefault(what, []).extend(seconds)
    return together


def gathered(directories: Iterable[Path]) -> tuple[list[Outcome], list[Path]]:
    """Outcomes of all runs below some directories by name and seed, and the runs that did not finish."""
    runs = {file.parent for top in directories for name in (OUTCOME, "history.jsonl") for file in top.rglob(name)}
    ended = {run for run in runs if (run / OUTCOME).exists()}
    outcomes = [Outcome.load(run / OUTCOME) for run in ended]
    return sorted(outcomes, key=lambda outcome: (outcome.name, outcome.seed)), sorted(runs - ended)
