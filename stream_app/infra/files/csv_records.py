"""Records of a CSV table: the cells of a line, or of several where a quoted cell holds line ends."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import Final

#: Begins the only cell of a row that cannot be read; code and reason follow.
UNREADABLE: Final = "\x00"

#: Line of a file, its cells.
Record = tuple[int, Sequence[str]]

#: A record of more lines is a quote that is not closed.
MOST_LINES: Final = 100
_OPEN: Final = "unexpected end of data"


def unreadable(code: str, reason: str) -> list[str]:
    """Cells of a row that cannot be read."""
    return [f"{UNREADABLE}{code}{UNREADABLE}{reason}"]


def records_of(
    lines: Sequence[str], separator: str, line: int, width: int | None = None, *, last: bool = True
) -> tuple[list[Record], int]:
    """Cells of lines, of which ``line`` came before, and how many lines were read.

    A line that cannot be split is a record of one cell. So is the line of a quote that is not closed, or that seems to
    be closed by a later row: the rows after it are read as they are.

    Parameters
    ----------
    width
        Cells of a row, without which no record has several lines.
    last
        Whether no lines follow; else a record that may go on in them is not read.
    """
    try:
        records = list(csv.reader(lines, delimiter=separator, strict=True))
        if len(records) == len(lines):
            return list(zip(range(line + 1, line + 1 + len(lines)), records, strict=True)), len(lines)
    except csv.Error:
        pass
    found: list[Record] = []
    at = 0
    while at < len(lines):
        cells, taken = _record(lines, at, separator, width, last=last)
        if not taken:
            break
        found.append((line + 1 + at, cells))
        at += taken
    return found, at


def _record(
    lines: Sequence[str], at: int, separator: str, width: int | None, *, last: bool
) -> tuple[Sequence[str], int]:
    """Cells of the record that begins at a line, and of how many lines it is: 0 when lines that follow decide."""
    try:
        return next(csv.reader([lines[at]], delimiter=separator, strict=True), []), 1
    except csv.Error as error:
        reason = f"a quote is not closed on its line, or is inside a cell without being doubled ({error})"
        opened = str(error) == _OPEN
    if opened and width is not None:
        reader = csv.reader(_with_ends(lines, at), delimiter=separator, strict=True)
        try:
            cells = next(reader)
        except csv.Error as error:
            if str(error) == _OPEN and not last and at + MOST_LINES > len(lines):
                return (), 0
        else:
            taken = reader.line_num
            if len(cells) == width and not _swallows(lines[at : at + taken], separator, width):
                return cells, taken
    return unreadable("bad_csv", reason), 1


def _with_ends(lines: Sequence[str], at: int) -> Iterator[str]:
    return (f"{lines[i]}\n" for i in range(at, min(at + MOST_LINES, len(lines))))


def _swallows(lines: Sequence[str], separator: str, width: int) -> bool:
    """Whether lines of a record may be rows of their own.

    The last line of a record holds the cells behind the quoted one: as many as a row has when that is the first one.
    """
    inner = lines[1:-1] if lines[0].lstrip().startswith('"') else lines[1:]
    return any(text.count(separator) >= width - 1 for text in inner)
