"""The tables of docs/scale.md, from the figures and the arithmetic of ``stream-app plan`` (``make docs``)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.pages import filled
from stream_app.commands.plan import lines
from stream_app.commands.sizing import FIGURES, Fleet, Plan, plan

FILE: Final = Path(__file__).parents[1] / "docs" / "scale.md"
_SIZES: Final = (10_000, 100_000, 1_000_000, 10_000_000)
_WINDOWS_S: Final = (60, 900, 3600, 86_400)
_KEPT: Final = (5, 4, 24, 7)
_ROWS_PER_MESSAGE: Final = 60


def render() -> str:
    """The page, with its tables made anew."""
    return filled(
        FILE.read_text("utf-8"),
        {
            "figures": _figures(),
            "single": _plans([_planned(assets) for assets in _SIZES]),
            "batched": _plans([_planned(assets, _ROWS_PER_MESSAGE) for assets in _SIZES]),
        },
    )


def _planned(assets: int, rows_per_message: int = 1) -> Plan:
    return plan(Fleet(assets, _WINDOWS_S, _KEPT, rows_per_message=rows_per_message))


def _figures() -> str:
    head = "| figure | value | measured |\n|---|---|---|\n"
    return head + "\n".join(f"| {one.what} | {one.value:g} {one.unit} | {one.source} |" for one in FIGURES.values())


def _plans(plans: list[Plan]) -> str:
    columns = [dict(lines(one)) for one in plans]
    names = [name for name in columns[0] if name != "assets"]
    head = f"| | {' | '.join(column['assets'] for column in columns)} |\n|{'---|' * (len(columns) + 1)}\n"
    rows = (f"| {name} | {' | '.join(column[name] for column in columns)} |" for name in names)
    return head + "\n".join(rows)


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
