"""One of the things that are measured: how, its table, and what must be said with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from bench.scale.scene import Record, Scene

Column = tuple[str, Callable[[Record], str]]


class Part(ABC):
    """A part; its records are JSON, so that tables and figures can be made from a file too."""

    name: ClassVar[str]
    #: What stands below the table.
    note: ClassVar[str]
    columns: ClassVar[Sequence[Column]]

    @abstractmethod
    async def measure(self, scene: Scene) -> list[Record]:
        """Measure; a record for each line of the table."""

    def table(self, records: Sequence[Record]) -> str:
        """Return the table in markdown."""
        head = [name for name, _ in self.columns]
        lines = [head, ["---"] * len(head), *([text(record) for _, text in self.columns] for record in records)]
        told = [f"| {' | '.join(line)} |" for line in lines]
        wrong = [f"WRONG: {problem}" for record in records for problem in record.get("problems", ())]
        return "\n".join([*told, "", self.note, *wrong])


def count(name: str, digits: int = 0) -> Callable[[Record], str]:
    """A field as a number with thousands; a dash where there is none."""

    def text(record: Record) -> str:
        value = record.get(name)
        return "-" if value is None else f"{value:,.{digits}f}"

    return text


def yes(record: Record) -> str:
    """Whether all that was told was right."""
    return "WRONG" if record.get("problems") else "yes"
