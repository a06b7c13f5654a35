"""What is wrong with a run: rows lost, rows doubled, contradictions."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

_SHOWN = 3


@dataclass
class Findings:
    """Everything that is wrong with a run."""

    rows: int = 0
    lost: Counter[str] = field(default_factory=Counter)  # rows, by where they are missing
    doubled: Counter[str] = field(default_factory=Counter)
    contradictions: list[str] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)  # allowed, and worth counting

    @property
    def ok(self) -> bool:
        """Whether every row counted once and nothing contradicts."""
        return not (self.lost.total() or self.doubled.total() or self.contradictions)

    def count(self, where: str, what: str, due: int, got: int) -> None:
        """Compare a number of rows."""
        self.lost[where] += max(0, due - got)
        self.doubled[where] += max(0, got - due)
        if due != got:
            self.contradict(f"{where}: {what} has {got} rows, {due} are due")

    def contradict(self, text: str) -> None:
        """Record a broken promise."""
        self.contradictions.append(text)

    def summary_lines(self) -> list[str]:
        """The first contradictions of each kind, one per line."""
        kinds: dict[str, list[str]] = defaultdict(list)
        for text in self.contradictions:
            kinds[text.partition(":")[0]].append(text)
        lines = []
        for texts in kinds.values():
            more = len(texts) - _SHOWN
            lines += texts[:_SHOWN] + ([f"... and {more} more such"] if more > 0 else [])
        return lines
