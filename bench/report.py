"""The table, the line of the quick run, and what is known about runs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.measure import Outcome
from bench.messages import FORMS

_HEAD = ("contender", "rows", "rows/s", "rows/CPU s", "peak MB", "ours : it, wall", "ours : it, CPU", "right")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: a contender in a workload, medians of its runs."""

    workload: str
    contender: str
    title: str
    rows: int
    runs: int
    rows_per_s: float | None
    rows_per_cpu_s: float | None
    peak_mb: float | None
    right: bool | None  # None: it was skipped
    skipped: str | None = None
    problems: list[str] = field(default_factory=list)


def rows_of(outcomes: Sequence[Outcome]) -> list[Row]:
    """Lines of the table, in the order in which the contenders ran first."""
    by_line: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        by_line.setdefault((outcome.form, outcome.contender), []).append(outcome)
    return [_row(some) for some in by_line.values()]


def _row(outcomes: Sequence[Outcome]) -> Row:
    first = outcomes[0]
    return Row(
        workload=first.form,
        contender=first.contender,
        title=first.title,
        rows=first.rows,
        runs=len(outcomes),
        rows_per_s=median(outcomes, lambda o: o.rows_per_s),
        rows_per_cpu_s=median(outcomes, lambda o: o.rows_per_cpu_s),
        peak_mb=median(outcomes, lambda o: o.peak_mb),
        right=None if first.skipped is not None else all(outcome.right for outcome in outcomes),
        skipped=first.skipped,
        problems=[problem for outcome in outcomes for problem in outcome.problems],
    )


def kept_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What the repository keeps of a table: not the problems, which quote logs of this machine."""
    return [{name: value for name, value in asdict(row).items() if name != "problems"} for row in rows]


def table(rows: Sequence[Row], ours: str) -> str:
    """A markdown table for each workload."""
    texts = [
        _workload_table([row for row in rows if row.workload == workload], ours)
        for workload in dict.fromkeys(row.workload for row in rows)
    ]
    fewer = "* fewer rows than the others: too slow for all of them, the rate is of its own rows"
    return "\n\n".join([*texts, fewer] if any("*" in text for text in texts) else texts)


def _workload_table(rows: Sequence[Row], ours: str) -> str:
    own = next((row for row in rows if row.contender == ours), None)
    most = max(row.rows for row in rows)
    lines = [_HEAD, tuple("---" for _ in _HEAD), *(_line(row, own, most) for row in rows)]
    notes = [f"WRONG {row.title}: {'; '.join(row.problems)}" for row in rows if row.right is False]
    notes += [f"skipped {row.title}: {row.skipped}" for row in rows if row.skipped is not None]
    workload = rows[0].workload
    return "\n".join(
        [
            f"{workload}: {FORMS[workload].title}, {most:,} rows",
            "",
            *(f"| {' | '.join(line)} |" for line in lines),
            "",
            *notes,
        ]
    )


def _line(row: Row, own: Row | None, most: int) -> tuple[str, ...]:
    right = {None: "skipped", True: "yes", False: "WRONG"}[row.right]
    return (
        row.title,
        f"{row.rows:,}{'*' if row.rows < most else ''}",
        _count(row.rows_per_s),
        _count(row.rows_per_cpu_s),
        _count(row.peak_mb),
        _ratio(own.rows_per_s if own else None, row.rows_per_s),
        _ratio(own.rows_per_cpu_s if own else None, row.rows_per_cpu_s),
        right,
    )


def median(outcomes: Iterable[Outcome], of: Callable[[Outcome], float | None]) -> float | None:
    """Median of what was measured; None when nothing was."""
    values = [value for outcome in outcomes if (value := of(outcome)) is not None]
    return statistics.median(values) if values else None


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _ratio(ours: float | None, its: float | None) -> str:
    return "-" if ours is None or not its else f"{ours / its:,.2f}"


def ratio_line(rows: Sequence[Row], ours: str) -> str:
    """One line for a machine that watches the ratio: this project to the other contender."""
    own = next(row for row in rows if row.contender == ours)
    other = next(row for row in rows if row.contender != ours)
    parts = {
        "wall": _ratio(own.rows_per_s, other.rows_per_s),
        "cpu": _ratio(own.rows_per_cpu_s, other.rows_per_cpu_s),
        ours: _count(own.rows_per_s),
        other.contender: _count(other.rows_per_s),
    }
    right = "yes" if all(row.right for row in rows) else "WRONG"
    return " ".join(["ratio", *(f"{name}={text.replace(',', '')}" for name, text in parts.items()), f"right={right}"])


def runs(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """All that is known about runs."""
    return [
        {**asdict(each), "rows_per_s": each.rows_per_s, "rows_per_cpu_s": each.rows_per_cpu_s, "right": each.right}
        for each in outcomes
    ]
