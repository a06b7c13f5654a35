"""Rows lost and time waited under each rule of lateness, for kinds of disorder: the table of decision 7.

Run ``python -m tools.lateness_table``; an asset sends 10 rows a second for two hours.
"""

from __future__ import annotations

import itertools
import sys
from typing import Final

import numpy as np

from stream_app.columns.arrays import FloatArray
from stream_app.domain import ingestion
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.rows import Rows
from stream_app.domain.state import Fleet

_RATE_HZ: Final = 10
_ROWS: Final = 72_000
_RULES: Final = {"fixed 0 s": 0.0, "fixed 10 s": 10.0, "learned": None}


def _swapped(stamps_s: FloatArray, size: int, every: int, since: int = 0) -> FloatArray:
    """Swap a batch of ``size`` rows with the next one, once in ``every`` rows."""
    found = stamps_s.copy()
    for at in range(since, len(stamps_s) - 2 * size + 1, every):
        found[at : at + 2 * size] = np.roll(stamps_s[at : at + 2 * size], size)
    return found


def _disorders() -> dict[str, FloatArray]:
    """Stamps [s] in the order of arrival."""
    stamps_s = np.arange(_ROWS) / _RATE_HZ
    rng = np.random.default_rng(1)
    jitter_s = stamps_s + rng.exponential(0.1, _ROWS)
    again = [stamps_s[max(0, at - 20) : at + 50] for at in range(0, _ROWS, 50)]
    return {
        "in order": stamps_s,
        "neighbours swapped": _swapped(stamps_s, 1, 2),
        "threads of a gateway, 0.1 s apart": stamps_s[np.argsort(jitter_s, kind="stable")],
        "batches of 5 s swapped in pairs": _swapped(stamps_s, 50, 100),
        "the last 2 s again, each 5 s": np.concatenate(again),
        "a retry of 0.5 s each minute": _swapped(stamps_s, 5, 600),
        "a retry of 0.5 s each hour": _swapped(stamps_s, 5, 36_000, 18_000),
        "neighbours swapped, from the second hour on": _swapped(stamps_s, 1, 2, 36_000),
        "batches of 5 s swapped, from the second hour on": _swapped(stamps_s, 50, 100, 36_000),
    }


def _measured(stamps_s: FloatArray, lateness_s: float | None) -> tuple[int, float]:
    """Rows lost, and mean time [s] that a window stays open beyond its end."""
    fleet = Fleet(Catalogue(), (60,), lateness_s)
    slot, n, time_us = fleet.slot("a"), len(stamps_s), np.round(stamps_s * 1e6).astype(np.int64)
    lost, waited_s = 0, []
    for low, high in itertools.pairwise([*range(0, n, 100), n]):
        part = np.arange(low, high)
        readings = {"current_a": np.ones(len(part))}
        lost += len(ingestion.apply(fleet, Rows(np.full(len(part), slot), part, time_us[part], readings)).late)
        waited_s.append((fleet.integers.last_us[slot] - fleet.integers.watermark_us[slot]) / 1e6)
    return lost, float(np.mean(waited_s))


def main() -> None:
    """Print the table."""
    lines = ["| disorder | " + " | ".join(_RULES) + " |", "|---" * (1 + len(_RULES)) + "|"]
    for name, stamps_s in _disorders().items():
        measured = [_measured(stamps_s, rule) for rule in _RULES.values()]
        lines.append(
            f"| {name} | " + " | ".join(f"{lost:,} lost, {waited_s:.1f} s" for lost, waited_s in measured) + " |"
        )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
