"""What an experiment is: how it is measured, its table, and the note below the table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from bench.scale.testbed import Record, Testbed

Column = tuple[str, Callable[[Record], str]]


class Experiment(ABC):
    """An experiment; its records are JSON, so that tables and figures can be made from a file too."""

    name: ClassVar[str]
    #: Note below the table.
    note: ClassVar[str]
    columns: ClassVar[Sequence[Column]]

    @abstractmethod
    async def measure(self, testbed: Testbed) -> list[Record]:
        """Measure; a record for each line of the table."""

    def table(self, records: Sequence[Record]) -> str:
        """Return the table in markdown."""
        head = [name for name, _ in self.columns]
        lines = [head, ["---"] * len(head), *([text(record) for _, text in self.columns] for record in records)]
        text_lines = [f"| {' | '.join(line)} |" for line in lines]
        wrong = [f"WRONG: {problem}" for record in records for problem in record.get("problems", ())]
        return "\n".join([*text_lines, "", self.note, *wrong])


def count(name: str, digits: int = 0) -> Callable[[Record], str]:
    """A field as a number with thousands; a dash where there is none."""

    def text(record: Record) -> str:
        value = record.get(name)
        return "-" if value is None else f"{value:,.{digits}f}"

    return text


def yes(record: Record) -> str:
    """Whether all sums were right."""
    return "WRONG" if record.get("problems") else "yes"
