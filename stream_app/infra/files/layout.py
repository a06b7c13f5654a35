"""How a table is written: which column holds which reading, and in which unit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from schemas.columns import COLUMNS
from stream_app.infra.files.numbers import Numbers

#: Readings whose sign says whether the battery is charged.
SIGNED: Final = frozenset(column.wire_name for column in COLUMNS if column.signed)


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column of a file that we read."""

    name: str  # on the wire
    title: str  # in the file
    index: int
    scale: float
    offset: float
    suffix: str = ""  # behind its numbers


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is written, the same for all of its rows.

    Parameters
    ----------
    titles
        Of all its columns.
    stamps, dates
        Columns of the time, and of the date where that is apart; without a time, rows are a sampling period apart.
    assets, readings
        The other columns that we read; the readings in the order of messages.
    separator
        Between cells.
    numbers
        How numbers are written.
    short_rows
        Whether rows end with their last cell that is not empty.
    elapsed
        Whether the title says that the time is elapsed time.
    profile
        Name of the device or program that writes such titles.
    flipped
        Whether current and power are above 0 in the file when the battery is discharged, and are read otherwise.
    repeated
        Cells of lines above the first row, which may come again.
    outflows
        Columns of what leaves the battery, which count against the reading of the same name.
    state, discharging
        Column of the state that gives the current its sign, and how states of discharging begin.
    """

    titles: tuple[str, ...]
    stamps: FileColumn | None
    dates: FileColumn | None
    assets: FileColumn | None
    readings: tuple[FileColumn, ...]
    separator: str = ","
    numbers: Numbers = field(default_factory=Numbers)
    short_rows: bool = False
    elapsed: bool = False
    profile: str | None = None
    flipped: bool = False
    repeated: frozenset[tuple[str, ...]] = frozenset()
    outflows: tuple[FileColumn, ...] = ()
    state: FileColumn | None = None
    discharging: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Cells of a row."""
        return len(self.titles)
