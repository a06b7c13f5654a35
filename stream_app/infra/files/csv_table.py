"""Rows of a table, cell by cell: says what is wrong, and where, and leaves out the rows at fault."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
from pydantic import TypeAdapter, ValidationError

from schemas.asset import AssetId
from schemas.columns import BY_WIRE_NAME
from stream_app.columns.arrays import BoolArray, FloatArray, IntArray
from stream_app.infra.files.block import Block, iso, owners_of
from stream_app.infra.files.csv_records import UNREADABLE, Record
from stream_app.infra.files.dialect import COMMENTS
from stream_app.infra.files.findings import Findings
from stream_app.infra.files.header import fits
from stream_app.infra.files.layout import SIGNED, FileColumn, Layout
from stream_app.infra.files.numbers import NO_VALUE
from stream_app.infra.files.stamp_form import stamps_of
from stream_app.infra.files.stamps import Stamps
from stream_app.infra.files.titles import ASSET_ID, plain
from stream_app.usecases.errors import InvalidError
from stream_app.wire.decode.refusal import ASSET_ID_CURE, out_of_range, quoted

_ASSET_ID: Final[TypeAdapter[str]] = TypeAdapter(AssetId)
_FOOTER_LINES: Final = 10
_FOOTER: Final = re.compile(
    r"\W*(?:total|sum|av(?:era)?ge?|mean|min|max|count|end|rows?\b|summe|mittel)", re.IGNORECASE
)


class CellTable:
    """Reads rows of cells: slow, and the judge of what is valid.

    Parameters
    ----------
    layout, stamps
        How the table and its times are written.
    findings
        Takes the rows that are left out.
    """

    def __init__(self, layout: Layout, stamps: Stamps, findings: Findings) -> None:
        self._layout, self._stamps, self._findings = layout, stamps, findings
        self._needed = max(
            column.index
            for column in (layout.stamps, layout.dates, layout.assets, layout.state, *layout.readings, *layout.outflows)
            if column is not None
        )
        self._bad: list[tuple[InvalidError, bool]] = []  # behind the last good row; whether a footer may be such
        self.rows = 0  # that have been read, the bad ones too

    def block(self, records: Sequence[Record]) -> Block:
        """Read rows into a block.

        Raises
        ------
        InvalidError
            At the first fault, when the file is read strictly: ``row`` counts the rows from 1.
        """
        lines, rows = self._rows_of(records)
        numbers = np.arange(self.rows + 1, self.rows + 1 + len(rows))
        self.rows += len(rows)
        problems: dict[int, tuple[InvalidError, bool]] = {}
        tell = partial(self._tell, problems, lines, numbers)
        for i, row in enumerate(rows):
            if row[0].startswith(UNREADABLE):
                _, code, detail = row[0].split(UNREADABLE, 2)
                tell(i, code, None, detail)
                rows[i] = [""] * self._layout.width
            elif len(row) != self._layout.width:
                detail = f"the row has {len(row)} cells, the header has {self._layout.width}: send as many"
                tell(i, "bad_csv", None, detail, footer=len(row) < self._layout.width)
                rows[i] = [""] * self._layout.width
        whole = np.fromiter((i not in problems for i in range(len(rows))), np.bool_, len(rows))
        written = stamps_of(self._layout, rows)
        assets = None
        if self._layout.assets is not None:
            cells = [row[self._layout.assets.index].strip() for row in rows]
            assets = ["" if cell.casefold() in NO_VALUE else cell for cell in cells]
        time_us, ok, as_written = self._stamps.read(written, assets)
        for i in np.flatnonzero(~ok & whole).tolist():
            footer = bool(_FOOTER.match(written[i])) or (
                not written[i][:1].isdigit()
                and not all(rows[i][column.index].strip() for column in self._layout.readings)
            )
            title = None if self._layout.stamps is None else self._layout.stamps.title
            tell(i, "bad_timestamp", title, self._stamps.why(written[i]), footer=footer)
        columns = {column.name: self._numbers(column, rows, tell) for column in self._layout.readings}
        for column in self._layout.outflows:
            columns[column.name] = _balance(columns[column.name], self._numbers(column, rows, tell))
        if self._layout.state is not None:
            self._sign(columns, [row[self._layout.state.index].strip().casefold() for row in rows])
        for asset in dict.fromkeys(assets or ()):
            if asset and not _is_asset_id(asset):
                for i in (i for i, each in enumerate(assets or ()) if each == asset):
                    tell(i, "bad_row", ASSET_ID, f"{quoted(asset)} is not an asset id: {ASSET_ID_CURE}")
        self._settle(problems, len(rows))
        stamps = written if as_written else iso(time_us)
        block = Block(stamps, time_us, columns, None if assets is None else owners_of(assets), numbers)
        return block if not problems else block.take([i for i in range(len(rows)) if i not in problems])

    def went_well(self, rows: int) -> IntArray:
        """Count rows that were read elsewhere, all of them good; returns their numbers."""
        self._settle({}, rows)
        numbers = np.arange(self.rows + 1, self.rows + 1 + rows)
        self.rows += rows
        return numbers

    def finish(self, *, cut: bool) -> None:
        """Judge the rows behind the last good one: a footer, or a last line that was ``cut``, is no row."""
        footer = self._bad if self._findings.rows else []
        if len(footer) > _FOOTER_LINES or not all(may_be for _, may_be in footer):
            footer = []
        for error, _ in self._bad if not footer else ():
            self._findings.leave_out(error)
        for i, (error, _) in enumerate(footer):
            was_cut = cut and i == len(footer) - 1 and error.code == "bad_csv"
            what = "last line that was cut" if was_cut else "lines below the table"
            self._findings.skip(what, int(error.detail.partition("(line ")[2].partition(")")[0]))
        self._bad = []

    def _rows_of(self, records: Sequence[Record]) -> tuple[list[int], list[list[str]]]:
        """Lines and cells of what is a row."""
        width, titles = self._layout.width, [plain(title) for title in self._layout.titles]
        lines: list[int] = []
        rows: list[list[str]] = []
        for line, record in records:
            cells = list(record)
            if not any(map(str.strip, cells)):
                continue
            if cells[0].lstrip().startswith(COMMENTS):
                self._findings.skip("comment lines", line)
                continue
            if not cells[0][:1].isdigit() and tuple(map(str.strip, cells)) in self._layout.repeated:
                if list(map(plain, cells)) == titles:
                    self._skip_header(line, cells, titles, lines, rows)
                else:
                    self._findings.skip("lines that repeat those above the table", line)
                continue
            if len(cells) > width and not any(map(str.strip, cells[width:])):
                cells = cells[:width]
            if (
                len(cells) < width
                and not cells[0].startswith(UNREADABLE)
                and (self._layout.short_rows or len(cells) > self._needed)
            ):
                cells += [""] * (width - len(cells))
            if self._may_be_header(cells) and fits(cells, {}):
                self._skip_header(line, cells, titles, lines, rows)
                continue
            lines.append(line)
            rows.append(cells)
        return lines, rows

    def _may_be_header(self, cells: Sequence[str]) -> bool:
        """Whether a row holds words where a time and readings should be."""
        columns = [column for column in (self._layout.stamps, *self._layout.readings) if column is not None]
        words = [cells[column.index].strip() for column in columns if column.index < len(cells)]
        return len(words) > 1 and all(word[:1].isalpha() for word in words)

    def _skip_header(
        self, line: int, cells: Sequence[str], titles: Sequence[str], lines: list[int], rows: list[list[str]]
    ) -> None:
        """Skip a header that comes again, and what stands above it.

        Raises
        ------
        InvalidError
            It is another header: what follows would be read into the wrong columns.
        """
        if [plain(cell) for cell in cells] != titles:
            shown = ", ".join(cell.strip() for cell in cells)[:100]
            detail = f"line {line} holds another header ({shown}): split the file there, and read its parts one by one"
            raise InvalidError("bad_header", detail, self.rows + len(rows) + 1)
        self._findings.skip("lines that repeat the header", line)
        while rows and not rows[-1][0][:1].isdigit() and not any(map(str.strip, rows[-1][2:])):
            self._findings.skip("lines above it", lines.pop())
            rows.pop()

    def _settle(self, problems: dict[int, tuple[InvalidError, bool]], rows: int) -> None:
        """Leave out the bad rows but for those behind the last good one, which may be a footer."""
        good = rows - len(problems)
        last_good = next((i for i in reversed(range(rows)) if i not in problems), -1) if problems else rows - 1
        if good:
            for error, _ in self._bad:
                self._findings.leave_out(error)
            self._bad = []
        for i in sorted(problems):
            if i < last_good:
                self._findings.leave_out(problems[i][0])
            else:
                self._bad.append(problems[i])
        self._findings.rows += good
        if len(self._bad) > _FOOTER_LINES or (self._findings.strict and any(not may_be for _, may_be in self._bad)):
            for error, _ in self._bad:
                self._findings.leave_out(error)
            self._bad = []

    def _tell(
        self,
        problems: dict[int, tuple[InvalidError, bool]],
        lines: Sequence[int],
        numbers: IntArray,
        index: int,
        code: str,
        column: str | None,
        detail: str,
        *,
        footer: bool = False,
    ) -> None:
        if index not in problems:
            place = f"row {numbers[index]} (line {lines[index]})" + (f", column {column}" if column else "")
            problems[index] = InvalidError(code, f"{place}: {detail}", int(numbers[index]), column), footer

    def _sign(self, columns: dict[str, FloatArray], states: Sequence[str]) -> None:
        """Give current and power the sign of the state, where they have none."""
        out = np.fromiter((state.startswith(self._layout.discharging) for state in states), np.bool_, len(states))
        for name in SIGNED & columns.keys():
            unsigned: BoolArray = out & (columns[name] > 0)
            if unsigned.any() and self._layout.state is not None:
                self._findings.note(f"{name} has no sign: column {self._layout.state.title!r} tells when it discharges")
                columns[name] = np.where(unsigned, -columns[name], columns[name])

    def _numbers(self, column: FileColumn, rows: Sequence[Sequence[str]], tell: partial[None]) -> FloatArray:
        cells = [row[column.index] for row in rows]
        if column.suffix:
            cells = [cell.strip().removesuffix(column.suffix).rstrip() for cell in cells]
        values, ok = self._layout.numbers.read(cells)
        for i in np.flatnonzero(~ok).tolist():
            detail = f"{quoted(cells[i].strip())} is not a number: leave the cell empty if it was not measured"
            tell(i, "bad_number", column.title, detail)
        if (column.scale, column.offset) != (1.0, 0.0):
            values = values * column.scale + column.offset
        limits = BY_WIRE_NAME[column.name]
        outside: BoolArray = (values < limits.low) | (values > limits.high)
        for i in np.flatnonzero(outside).tolist():
            tell(i, "out_of_range", column.title, out_of_range(column.name, float(values[i])))
        return values


def _balance(into: FloatArray, out: FloatArray) -> FloatArray:
    """What enters the battery, less what leaves it; one of both is enough."""
    both_missing = np.isnan(into) & np.isnan(out)
    return np.where(both_missing, np.nan, np.nan_to_num(into) - np.nan_to_num(out))


def _is_asset_id(text: str) -> bool:
    try:
        _ASSET_ID.validate_python(text)
    except ValidationError:
        return False
    return True
