"""How metrics look in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from schemas.metrics import MetricsUpdate, MetricValue

#: What people ask for first; it leads each table.
_HEADLINE: Final = "rte_level"


def metrics_table(updates: Sequence[MetricsUpdate]) -> Table:
    """Return a table with a line per metric: asset, window, name, value, unit, reason of a null.

    The round-trip efficiency comes first, the others by name.
    """
    table = Table("asset", "window", "metric", "value", "unit", "reason", box=None, header_style="bold")
    table.columns[3].justify = "right"
    for update in updates:
        window = update.window.size if update.window.end is None else f"{update.window.size} {update.window.start}"
        for name, metric in sorted(update.metrics.items(), key=lambda item: (item[0] != _HEADLINE, item[0])):
            table.add_row(update.asset_id, window, name, value_text(metric), metric.unit, metric.reason or "")
    return table


def value_text(metric: MetricValue) -> str:
    """Return a metric's value as text: six digits; of a list the first entries; a dash for null."""
    if metric.value is None:
        return "–"
    if isinstance(metric.value, list):
        shown = " ".join(f"{entry:.4g}" for entry in metric.value[:6])
        return shown if len(metric.value) <= 6 else f"{shown} … ({len(metric.value)})"
    return f"{metric.value}" if isinstance(metric.value, int) else f"{metric.value:.6g}"


def stdout() -> Console:
    """Return a console on stdout; 200 columns wide where that is a file or a pipe, so that no column is cut."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200)
