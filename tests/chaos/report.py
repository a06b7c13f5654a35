"""The table and the summary of some runs."""

from __future__ import annotations

from collections.abc import Sequence

from tests.chaos.runs import Outcome, doubled, lost


def table(outcomes: Sequence[Outcome]) -> str:
    """A markdown table, a line per fault."""
    lines = [
        "| fault | injected | runs | rows | lost | doubled | contradictions | recovery s, median (max) | exact |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(outcome.name for outcome in outcomes):
        mine = [outcome for outcome in outcomes if outcome.name == name]
        recovery = sorted(outcome.recovery_s for outcome in mine if outcome.recovery_s is not None)
        spread = f"{recovery[len(recovery) // 2]:.1f} ({recovery[-1]:.1f})" if recovery else "-"
        cells = (
            name,
            mine[0].injected,
            len(mine),
            sum(outcome.verdict.rows for outcome in mine),
            sum(lost(outcome.verdict) for outcome in mine),
            sum(doubled(outcome.verdict) for outcome in mine),
            sum(len(outcome.verdict.contradictions) for outcome in mine),
            spread,
            f"{sum(outcome.verdict.ok for outcome in mine)} of {len(mine)}",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def summary(outcomes: Sequence[Outcome]) -> str:
    """Everything in a line."""
    verdicts = [outcome.verdict for outcome in outcomes]
    failed = [f"{outcome.name}/{outcome.seed}" for outcome in outcomes if not outcome.verdict.ok]
    stops = sorted(stop for outcome in outcomes for stop in outcome.stops_s)
    slowest = f", slowest of {len(stops)} SIGTERM {stops[-1]:.1f} s" if stops else ""
    return (
        f"chaos: {len(outcomes)} runs, {sum(outcome.faults for outcome in outcomes)} faults, "
        f"{sum(verdict.rows for verdict in verdicts)} rows, {sum(map(lost, verdicts))} lost, "
        f"{sum(map(doubled, verdicts))} doubled, {sum(len(v.contradictions) for v in verdicts)} contradictions"
        f"{slowest}: {'FAILED ' + ' '.join(failed) if failed else 'all exact'}"
    )
