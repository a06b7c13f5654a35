"""Rows of a CSV table, cell by cell: says what is wrong, and where."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from pydantic import TypeAdapter, ValidationError

from schemas.asset import AssetId
from schemas.columns import BY_WIRE_NAME
from stream_app.columns.arrays import BoolArray, FloatArray
from stream_app.infra.files.block import Block, owners_of
from stream_app.infra.files.csv_header import ASSET_ID, FileColumn, Layout
from stream_app.usecases.errors import InvalidError
from stream_app.wire.decode.refusal import ASSET_ID_CURE, out_of_range, quoted
from stream_app.wire.decode.timestamps import TimestampError, parse_timestamp, parse_timestamps

_ASSET_ID: TypeAdapter[str] = TypeAdapter(AssetId)


@dataclass(frozen=True, slots=True)
class _Problem:
    """A fault of a row in a block; the user hears of the first one."""

    index: int
    code: str
    column: str | None
    detail: str


class CellTable:
    """Reads lines below a header by Python's csv module: slow, and the judge of what is valid."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def block(self, lines: Sequence[str], line: int, rows: int) -> Block:
        """Read lines into a block; ``line`` and ``rows`` count what came before. Blank lines are left out.

        Raises
        ------
        InvalidError
            At the first fault: ``row`` counts the rows from 1; the message names the line too.
        """
        records, broken = self._split(lines)
        numbers: Sequence[int] = range(line + 1, line + 1 + len(records))
        if not all(map(any, records)) or set(map(len, records)) - {self._layout.width}:
            filled = [any(map(str.strip, record)) for record in records]
            numbers, records = list(compress(numbers, filled)), list(compress(records, filled))
        if set(map(len, records)) - {self._layout.width}:
            index = next(i for i, record in enumerate(records) if len(record) != self._layout.width)
            detail = f"the row has {len(records[index])} cells, the header has {self._layout.width}: send as many"
            records, broken = records[:index], _Problem(index, "bad_csv", None, detail)
        elif broken is not None:
            numbers = [*numbers, line + 1 + broken.index]
            broken = _Problem(len(records), broken.code, broken.column, broken.detail)
        problems = [] if broken is None else [broken]
        cells = list(zip(*records, strict=True)) or [()] * self._layout.width
        stamps = [cell.strip() for cell in cells[self._layout.stamps.index]]
        time_us, ok = parse_timestamps(stamps)
        problems += self._explain_stamps(stamps, ok)
        columns = {
            column.name: self._numbers(column, cells[column.index], problems) for column in self._layout.readings
        }
        asset_ids = None if self._layout.assets is None else [cell.strip() for cell in cells[self._layout.assets.index]]
        problems += self._check_assets(asset_ids or ())
        if problems:
            first = min(problems, key=lambda problem: problem.index)
            row, at = rows + first.index + 1, numbers[first.index]
            named = f"row {row} (line {at}), column {first.column}" if first.column else f"row {row} (line {at})"
            raise InvalidError(first.code, f"{named}: {first.detail}", row, first.column)
        return Block(stamps, time_us, columns, None if asset_ids is None else owners_of(asset_ids))

    def _split(self, lines: Sequence[str]) -> tuple[list[list[str]], _Problem | None]:
        """Cells of lines, up to the first that cannot be split."""
        try:
            records = list(csv.reader(lines, delimiter=self._layout.separator, strict=True))
            if len(records) == len(lines):
                return records, None
        except csv.Error:
            pass
        # A quote that is not closed swallows the lines after it: reading line by line finds the line at fault.
        records = []
        for index, line in enumerate(lines):
            try:
                records += csv.reader([line], delimiter=self._layout.separator, strict=True)
            except csv.Error as error:
                detail = f"a quote is not closed on its line, or is inside a cell without being doubled ({error})"
                return records, _Problem(index, "bad_csv", None, detail)
        return records, None

    def _explain_stamps(self, stamps: Sequence[str], ok: BoolArray) -> Iterator[_Problem]:
        if not ok.all():
            index = int(np.argmin(ok))
            try:
                parse_timestamp(stamps[index])
            except TimestampError as error:
                yield _Problem(index, "bad_timestamp", self._layout.stamps.title, str(error))

    def _check_assets(self, asset_ids: Sequence[str]) -> Iterator[_Problem]:
        for asset_id in dict.fromkeys(asset_ids):
            try:
                _ASSET_ID.validate_python(asset_id)
            except ValidationError:
                detail = f"{quoted(asset_id)} is not an asset id: {ASSET_ID_CURE}"
                yield _Problem(asset_ids.index(asset_id), "bad_row", ASSET_ID, detail)

    def _numbers(self, column: FileColumn, cells: Sequence[str], problems: list[_Problem]) -> FloatArray:
        if self._layout.decimal_comma:
            cells = [cell.replace(",", ".") for cell in cells]
        text = "".join(cells)
        try:
            if "_" in text or not text.isascii():  # Python reads 1_000 and other scripts' digits as numbers
                raise ValueError
            values = np.fromiter(map(float, cells), np.float64, len(cells))
            measured = np.ones(len(cells), np.bool_)
        except ValueError:
            found = [_number(cell) for cell in cells]
            values = np.array(found, np.float64)
            measured = np.fromiter((bool(cell.strip()) for cell in cells), np.bool_, len(cells))
        if not (readable := np.isfinite(values) | ~measured).all():
            index = int(np.argmin(readable))
            detail = f"{quoted(cells[index].strip())} is not a number: leave the cell empty if it was not measured"
            problems.append(_Problem(index, "bad_number", column.title, detail))
        if (column.scale, column.offset) != (1.0, 0.0):
            values = values * column.scale + column.offset
        limits = BY_WIRE_NAME[column.name]
        outside = (values < limits.low) | (values > limits.high)
        if outside.any():
            index = int(np.argmax(outside))
            detail = out_of_range(column.name, float(values[index]))
            problems.append(_Problem(index, "out_of_range", column.title, detail))
        return values


def _number(cell: str) -> float | None:
    """Read a cell; None when it is empty or not a number."""
    try:
        return None if "_" in cell or not cell.isascii() else float(cell)
    except ValueError:
        return None
