"""Workbooks of spreadsheets: a sheet of measurements as CSV text, which is then read like any other."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import BinaryIO, Final

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from stream_app.infra.files.dialect import HEADER_LINES
from stream_app.infra.files.findings import Findings
from stream_app.infra.files.header import fits
from stream_app.infra.files.long_table import long_titles
from stream_app.usecases.errors import InvalidError

_HALF_MS: Final = timedelta(microseconds=500)


def sheet_text(file: BinaryIO, wanted: Mapping[str, str], findings: Findings) -> BinaryIO:
    """The sheet whose titles are those of measurements, as CSV text; sheets that continue it follow.

    Parameters
    ----------
    wanted
        Titles that the user gives, by our names.

    Raises
    ------
    InvalidError
        The file cannot be read, or no sheet holds anything.
    """
    try:
        file.seek(0)
        book = CalamineWorkbook.from_filelike(file)
        sheets = {name: book.get_sheet_by_name(name) for name in book.sheet_names}
        heads = {name: _head(sheet) for name, sheet in sheets.items()}
    except CalamineError as error:
        detail = f"the workbook cannot be read ({str(error)[:200]}): save the sheet as CSV"
        raise InvalidError("not_text", detail) from None
    known = {name: max((_known(row, wanted) for row in rows), default=0) for name, rows in heads.items()}
    best = max(known, key=lambda name: (known[name], sheets[name].height), default=None)
    if best is None or not heads[best]:
        raise InvalidError("no_header", "the workbook holds no cells: send a sheet with a header and rows below it")
    title = max(heads[best], key=lambda row: _known(row, wanted))
    chosen = [name for name in sheets if name == best or (known[best] and title in heads[name])]
    findings.note(f"the file is a workbook: {_sheets(chosen)} read" + _others(len(sheets) - len(chosen)))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for name in chosen:  # the titles of those that follow are skipped like any that come again
        writer.writerows([_cell(value) for value in row] for row in sheets[name].iter_rows())
    return io.BytesIO(text.getvalue().encode())


def _head(sheet: CalamineSheet) -> list[list[str]]:
    if not sheet.height:
        return []
    return [[_cell(value) for value in row] for row in islice(sheet.iter_rows(), HEADER_LINES)]


def _known(titles: Sequence[str], wanted: Mapping[str, str]) -> int:
    return fits(titles, wanted) or (long_titles(titles) is not None)


def _sheets(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
    return f"sheet {shown} is" if len(names) == 1 else f"sheets {shown} are"


def _others(count: int) -> str:
    return f", {count} others are not" if count > 1 else ", another one is not" if count else ""


def _cell(value: object) -> str:
    """A cell as text. Spreadsheets keep times as days: what is beyond their resolution is rounded off."""
    match value:
        case bool():
            return str(value).lower()
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime():
            rounded = value + _HALF_MS
            return rounded.replace(microsecond=rounded.microsecond // 1000 * 1000).isoformat()
        case date() | time():
            return value.isoformat()
        case timedelta():
            seconds, part = divmod(round(value.total_seconds() * 1000), 1000)
            return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{part:03}"
        case _:
            return str(value).replace("\n", " ")
