"""How a text file is written, found from its beginning: separator, header, units, numbers, stamps."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from schemas.file import FileSpec
from stream_app.infra.files import numbers
from stream_app.infra.files.csv_records import UNREADABLE, records_of
from stream_app.infra.files.findings import Findings
from stream_app.infra.files.header import EXPECTED, HEADER_ROW, fits, read_header
from stream_app.infra.files.layout import Layout
from stream_app.infra.files.numbers import NO_VALUE
from stream_app.infra.files.profiles.victron import LINES as MERGED_LINES
from stream_app.infra.files.profiles.victron import MergedHeader, merged_header
from stream_app.infra.files.titles import convert, recognise
from stream_app.usecases.errors import InvalidError

SEPARATORS: Final = ";\t,|"
#: Lines in which the header is looked for, and rows by which the rest is decided.
HEADER_LINES, _SAMPLE_ROWS = 100, 2000
_SEPARATOR_LINE: Final = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
COMMENTS: Final = ("#", "//", "%")
_HABIT: Final = 0.05  # share of short rows that makes them a habit


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table is written.

    Parameters
    ----------
    layout
        Its columns.
    lines
        How many lines stand above the first row.
    sample
        Cells of its first rows.
    timezone
        Of its stamps, where the header names it.
    """

    layout: Layout
    lines: int
    sample: list[list[str]]
    timezone: str | None = None


def sniff(lines: Sequence[str], spec: FileSpec, findings: Findings) -> Dialect:
    """Find how a file is written from its first lines.

    Raises
    ------
    InvalidError
        There is no header, or it lacks a column, or numbers can be read in two ways.
    """
    merged = _merged_header(lines)
    if merged is not None:
        return _below(merged, lines, spec, findings)
    header, separator, titles = find_header(lines, spec.columns)
    place = f"line {header + 1}"
    following = next((i for i in range(header + 1, len(lines)) if lines[i].strip(" \t\r,;|")), None)
    units = [] if following is None else _units(_cells(lines[following], separator), titles)
    layout = read_header(titles, place, spec, findings, units)
    first = header + 1
    if units and following is not None:
        first = following + 1
        findings.note(f"line {first} holds units")
    if header:
        above = sum(1 for line in lines[:header] if line.strip())
        if above:
            findings.note(f"the header is on line {header + 1}; {above} lines above it are skipped")
    return _sampled(layout, separator, lines, first, spec, findings)


def _merged_header(lines: Sequence[str]) -> tuple[str, MergedHeader] | None:
    """Separator and titles of a header that takes several lines."""
    for separator in SEPARATORS:
        merged = merged_header([_cells(line, separator) for line in lines[:MERGED_LINES]])
        if merged is not None:
            return separator, merged
    return None


def _below(found: tuple[str, MergedHeader], lines: Sequence[str], spec: FileSpec, findings: Findings) -> Dialect:
    separator, merged = found
    findings.note(f"the header takes {MERGED_LINES} lines")
    layout = read_header(merged.titles, "the header", spec, findings)
    dialect = _sampled(layout, separator, lines, MERGED_LINES, spec, findings)
    return replace(dialect, timezone=merged.timezone)


def _sampled(
    layout: Layout, separator: str, lines: Sequence[str], first: int, spec: FileSpec, findings: Findings
) -> Dialect:
    """How the numbers below a header are written."""
    sample = _sample(lines[first : first + _SAMPLE_ROWS], separator, layout.width)
    layout = with_suffixes(layout, sample, findings)
    form, notes = numbers.decide(cells_of(layout, sample), separator, spec)
    short = sum(1 for cells in sample if len(cells) < layout.width)
    for note in notes:
        findings.note(note)
    if habit := short > max(1, _HABIT * len(sample)):
        findings.note("rows end with their last cell that is not empty: those behind it are not measured")
    above = (_cells(line, separator) for line in lines[:first])
    repeated = frozenset(tuple(cell.strip() for cell in cells) for cells in above if any(map(str.strip, cells)))
    layout = replace(
        layout,
        separator=separator,
        numbers=replace(form, no_value=frozenset(map(str.casefold, spec.no_value))),
        short_rows=habit,
        repeated=repeated,
    )
    return Dialect(layout, first, sample)


def _sample(lines: Sequence[str], separator: str, width: int) -> list[list[str]]:
    """Cells of rows; of lines that a quoted cell joins, too."""
    if any(line.count('"') % 2 for line in lines):
        records, _ = records_of(lines, separator, 0, width)
        return [list(cells) for _, cells in records if any(cells) and not cells[0].startswith(UNREADABLE)]
    return [cells for line in lines if any(cells := _cells(line, separator))]


def find_header(lines: Sequence[str], wanted: Mapping[str, str]) -> tuple[int, str, list[str]]:
    """Number of the line of titles, the separator and the titles.

    Raises
    ------
    InvalidError
        There are no lines, or the first one cannot be split.
    """
    filled = [i for i, line in enumerate(lines) if line.strip(" \t\r,;|\x00")]
    if not filled:
        raise InvalidError("no_header", f"the file is empty: send a header such as {EXPECTED}, and rows below it")
    given = _SEPARATOR_LINE.fullmatch(lines[filled[0]])
    if given:
        filled.pop(0)
    for untimed in (False, True):
        best: tuple[int, int, str, list[str]] = (0, 0, "", [])
        for i in filled[:HEADER_LINES]:
            for separator in given[1] if given else SEPARATORS:
                titles = _cells(lines[i], separator)
                known = fits(titles, wanted, untimed=untimed)
                if known == 0 and lines[i].lstrip().startswith(COMMENTS):
                    titles = _cells(lines[i].lstrip().lstrip("#%/ "), separator)
                    known = fits(titles, wanted, untimed=untimed)
                if known > best[0]:
                    best = (known, i, separator, titles)
        if best[0]:
            return best[1], best[2], best[3]
    return _likely_header(lines, filled, given[1] if given else None)


def _likely_header(lines: Sequence[str], filled: Sequence[int], given: str | None) -> tuple[int, str, list[str]]:
    """The first line that is no comment, whose titles are not known enough."""
    i = next((i for i in filled if not lines[i].lstrip().startswith(COMMENTS)), filled[0] if filled else 0)
    separator = given or max(";\t,", key=lines[i].count)
    try:
        titles = next(csv.reader([lines[i]], delimiter=separator, strict=True))
    except csv.Error as error:
        raise InvalidError("bad_csv", f"line {i + 1}: {error}", HEADER_ROW) from None
    return i, separator, titles


def cells_of(layout: Layout, sample: Sequence[Sequence[str]]) -> list[str]:
    """Cells of the readings in rows of a sample."""
    readings = [column for column in layout.readings if not column.suffix]
    cells = [row[column.index] for row in sample for column in readings if column.index < len(row)]
    for column in layout.readings:
        if column.suffix:
            cells += [
                row[column.index].strip().removesuffix(column.suffix) for row in sample if column.index < len(row)
            ]
    return cells


def with_suffixes(layout: Layout, sample: Sequence[Sequence[str]], findings: Findings) -> Layout:
    """The layout with the units that stand behind the numbers of a column, as in ``51.2 V``."""
    readings = []
    for column in layout.readings:
        suffix = numbers.suffix_of([row[column.index] for row in sample if column.index < len(row)])
        conversion = convert(column.name, suffix) if suffix else None
        if conversion is not None:
            findings.note(f"the numbers of column {column.title!r} have the unit {suffix!r}")
            sign = -1.0 if column.scale < 0 else 1.0
            column = replace(  # noqa: PLW2901
                column, scale=sign * conversion.scale, offset=sign * conversion.offset, suffix=suffix
            )
        readings.append(column)
    return replace(layout, readings=tuple(readings))


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r")], delimiter=separator), [])
    except csv.Error:
        return []


def _units(cells: Sequence[str], titles: Sequence[str]) -> list[str]:
    """The cells when they are the units of the columns; else nothing."""
    known = 0
    for title, cell in zip(titles, cells, strict=False):
        unit = cell.strip(" []()")
        named = recognise(title)
        if unit.casefold() in NO_VALUE or named is None:
            continue
        if any(c.isdigit() for c in unit) and convert(named.name, unit) is None:
            return []
        known += convert(named.name, unit) is not None and unit != ""
    return list(cells) if known else []
