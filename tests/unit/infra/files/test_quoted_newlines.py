"""Cells in quotes that hold line ends, and quotes that are not closed."""

from __future__ import annotations

import io

import pytest

from stream_app.infra.files import MeasurementFile
from stream_app.usecases.errors import InvalidError
from tests.unit.infra.files.eight_rows import HEADER, ROWS, START_US

MINUTE_US = 60_000_000


def minutes(text: str) -> tuple[list[int], list[str]]:
    """Minutes of a file's rows since the first one, and what is told about it."""
    file = MeasurementFile(io.BytesIO(text.encode()))
    told = file.check().told()
    return [(time - START_US) // MINUTE_US for block in file.blocks() for time in block.time_us.tolist()], told


@pytest.mark.parametrize("note", ['"a\nb"', '"a\n\n""b"",\nc"', '"1,2,3\r\n"'])
@pytest.mark.parametrize("place", ["first", "last", "every"])
def test_quoted_cell_may_hold_line_ends(note: str, place: str) -> None:
    """In any column, in one row or in all."""
    rows = [f"{note},{row}" if place == "first" else f"{row},{note}" for row in ROWS]
    if place != "every":
        rows[1:] = [f"x,{row}" if place == "first" else f"{row},x" for row in ROWS[1:]]
    header = "note," + HEADER if place == "first" else HEADER.strip() + ",note\n"
    assert minutes(header + "\n".join(rows) + "\n") == (list(range(8)), [])


@pytest.mark.parametrize("note", ["y", '"p\nq"', '"p\n\nq\nr\ns"'])
def test_long_file_with_line_ends_in_cells(note: str) -> None:
    """Over blocks and over what is read of the file at a time."""
    start = START_US // 1_000_000
    rows = [f"{note if i % 3 else 'x'},{start + 60 * i},15,51,60" for i in range(60_000)]
    found, told = minutes("note," + HEADER + "\n".join(rows) + "\n")
    assert found == list(range(60_000))
    assert told == []


@pytest.mark.parametrize(
    ("second", "later"),
    [('"x,', "x,"), ('"x,', '"y",'), ('"x,', 'y",'), ('x,"', "x,")],
)
def test_quote_that_is_not_closed_swallows_no_row(second: str, later: str) -> None:
    """Its row is named, and those after it are read, even if another quote seems to close it."""
    rows = [f"x,{row}" for row in ROWS]
    rows[1], rows[5] = second + ROWS[1], later + ROWS[5]
    file = MeasurementFile(io.BytesIO(("note," + HEADER + "\n".join(rows) + "\n").encode()))
    findings = file.examine()
    assert findings.rows + findings.left_out == 8
    assert findings.rows >= 6
    assert findings.first is not None
    assert (findings.first.code, findings.first.row) == ("bad_csv", 2)
    assert "row 2 (line 3): a quote is not closed" in findings.first.detail


def test_cell_of_too_many_lines() -> None:
    """The file is refused at its line."""
    text = "note," + HEADER + "".join(f"x,{row}\n" for row in ROWS) + '"' + "\n" * 200 + '",' + ROWS[-1] + "\n"
    with pytest.raises(InvalidError, match=r"row 9 \(line 10\): a quote is not closed"):
        minutes(text)


def test_lines_are_counted_below_a_cell_of_several() -> None:
    """A bad row behind it is named by its own line."""
    text = "note," + HEADER + '"a\nb\nc",' + "\nx,".join([*ROWS[:2], "never,15,51,60", *ROWS[3:]]) + "\n"
    (told,) = minutes(text)[1]
    assert "row 3 (line 6), column timestamp" in told
