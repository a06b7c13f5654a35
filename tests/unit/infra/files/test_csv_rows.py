"""CSV files in the dialects that users have."""

from __future__ import annotations

import contextlib
import csv
import io
import math
from datetime import datetime

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.file import FileSpec
from stream_app.infra.files import Block, read_blocks
from stream_app.infra.files.block import BLOCK_ROWS
from stream_app.usecases.errors import InvalidError
from stream_app.wire.decode.timestamps import parse_timestamps

STAMP = "2022-04-13T00:00:02Z"
HEADER = "timestamp,current,voltage,soc\n"
GOOD = f"{STAMP},-40.5,890,51\n"


def read(text: str | bytes, asset_id: str | None = None, *, hold: bool | None = None) -> list[Block]:
    content = io.BytesIO(text.encode() if isinstance(text, str) else text)
    return list(read_blocks(content, asset_id, FileSpec(strict=True, hold=hold)))


def column(text: str | bytes, name: str) -> list[float]:
    values: list[float] = np.concatenate([block.columns[name] for block in read(text)]).tolist()
    return values


def error(text: str | bytes) -> InvalidError:
    with pytest.raises(InvalidError) as caught:
        read(text)
    return caught.value


def test_plain_table() -> None:
    """Rows become columns; stamps stay as they are written."""
    (block,) = read(HEADER + GOOD + f"4/13/2022 0:01,,{'8' * 3}.25,5e1\n")
    assert list(block.timestamps) == [STAMP, "4/13/2022 0:01"]
    assert block.asset_ids is None
    np.testing.assert_array_equal(block.columns["current"], [-40.5, math.nan])
    np.testing.assert_array_equal(block.columns["voltage"], [890, 888.25])
    np.testing.assert_array_equal(block.columns["soc"], [51, 50])


@pytest.mark.parametrize(
    "text",
    [
        HEADER.replace("\n", "\r\n") + GOOD.replace("\n", "\r\n"),
        "\ufeff" + HEADER + GOOD,
        HEADER + GOOD.rstrip(),
        "\n \n" + HEADER + "\n" + GOOD + "\n  \n,,,\n",
        (HEADER + GOOD).replace(",", "\t"),
        (HEADER + GOOD).replace(",", ";"),
        (HEADER + GOOD).replace(",", ";").replace("40.5", "40,5"),
        f'"timestamp","current","voltage","soc"\n"{STAMP}","-40.5","890","51"\n',
        f"soc,note,voltage,current,Timestamp\n51,ok,890,-40.5,{STAMP}\n",
        f" TimeStamp , CURRENT,Voltage ,SoC\n {STAMP} , -40.5 ,890 , 51\n",
        f"Date Time,I[A],U[V],StateOfCharge\n{STAMP},-40.5,890,51\n",
        f"Date/Time,I/mA,Ecell/V,SOC (%)\n{STAMP},-40500,890,51\n",
        f"Unix Time / s,Current / A,Voltage / kV,soc_percent\n{STAMP},-40.5,0.89,51\n",
        f"unix_time_second,current_ampere,voltage_volt,soc fraction\n{STAMP},-40.5,890,0.51\n",
        f"DateAndTime,I_DC_Batt,U_DC_Batt,SOC_REAL\n{STAMP},-40.5,890,51\n",
        f"ts,amps,PackVoltage,battery_level\n{STAMP},-40.5,890,51\n",
        f"t,A,V,SOC\n{STAMP},-40.5,890,51\n",
        f"t,I,current,V,SOC\n{STAMP},7,-40.5,890,51\n",
        f"t,current,I,V,SOC\n{STAMP},-40.5,7,890,51\n",
    ],
)
def test_dialects(text: str) -> None:
    """Separators, quotes, line ends, blank lines, names and units of the wild give the same row."""
    (block,) = read(text)
    assert list(block.timestamps) == [STAMP]
    assert {name: values.tolist() for name, values in block.columns.items()} == {
        "current": [-40.5],
        "voltage": [890.0],
        "soc": [51.0],
    }


@pytest.mark.parametrize(
    ("title", "cell", "name", "value"),
    [
        ("P_BAT", "7", "power", 7.0),
        ("Power (kW)", "7", "power", 7000.0),
        ("power_kw", "7", "power", 7000.0),
        ("T", "21.5", "temperature", 21.5),
        ("Cell_Temperature (C)", "21.5", "temperature", 21.5),
        ("temp [K]", "294.65", "temperature", 21.5),
        ("Temperature (°F)", "212", "temperature", 100.0),
        ("tmin", "20", "t_min", 20.0),
        ("ModuleTempMax", "30", "t_max", 30.0),
        ("CellVMin (mV)", "3300", "cell_v_min", 3.3),
        ("BrickVoltageMax", "3.4", "cell_v_max", 3.4),
        ("Battery Power Setpoint (kW)", "-7", "power_setpoint", -7000.0),
        ("P_set", "-7", "power_setpoint", -7.0),
    ],
)
def test_optional_columns(title: str, cell: str, name: str, value: float) -> None:
    """Optional columns are found by their aliases; the unit in the header converts."""
    assert column(f"{HEADER.strip()},{title}\n{GOOD.strip()},{cell}\n", name) == [pytest.approx(value, rel=1e-12)]


def test_asset_column() -> None:
    """A file may say whose each row is."""
    (block,) = read(f"device_id,{HEADER}a,{GOOD}b,{GOOD}")
    assert block.asset_ids == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "code", "row", "name", "detail"),
    [
        ("", "no_header", None, None, "the file is empty: send a header such as timestamp,current,voltage,soc"),
        ("\n\n", "no_header", None, None, "the file is empty"),
        (HEADER, "no_rows", None, None, "a header and no rows"),
        (HEADER + "\n,,,\n", "no_rows", None, None, "a header and no rows"),
        (
            GOOD,
            "no_header",
            0,
            None,
            "line 1 holds data, not titles: the first line must be a header such as timestamp,",
        ),
        ("4/13/2022 0:00,1,2,3\n", "no_header", 0, None, "line 1 holds data"),
        ("abc\n123\n", "missing_column", 0, "timestamp", "separated by comma, semicolon, tab or |"),
        (
            "timestamp,current (furlong),voltage,soc\n",
            "missing_column",
            0,
            "current",
            "is not known: write one of A, mA",
        ),
        (
            "timestamp,I,amps,voltage,soc\n",
            "bad_header",
            0,
            "current",
            "'I' and 'amps' both mean current: say which one",
        ),
        (
            "timestamp,current,current,voltage,soc\n",
            "bad_header",
            0,
            "current",
            "columns 2 and 3 are both titled 'current'",
        ),
        (f"{HEADER.strip()}{',x' * 497}\n", "bad_csv", 0, None, "501 columns; at most 500"),
        ('timestamp,"current,voltage,soc\n', "bad_csv", 0, None, "line 1"),
        (
            HEADER + GOOD + GOOD.replace("890", "high"),
            "bad_number",
            2,
            "voltage",
            "row 2 (line 3), column voltage: 'high'",
        ),
        (
            HEADER + ",,,\n" + GOOD.replace("890", "inf"),
            "bad_number",
            1,
            "voltage",
            "row 1 (line 3), column voltage: 'inf'",
        ),
        (HEADER + GOOD.replace("890", "1_000"), "bad_number", 1, "voltage", "'1_000' is not a number"),
        (HEADER + GOOD.replace("890", "٣"), "bad_number", 1, "voltage", "is not a number"),
        (HEADER + GOOD.replace("890", "1e999"), "bad_number", 1, "voltage", "'1e999' is not a number"),
        (HEADER + GOOD.replace("890", "x" * 9999), "bad_number", 1, "voltage", "is not a number"),
        (
            HEADER.replace(",", ";") + GOOD.replace(",", ";").replace("890", "1.234,5"),
            "bad_number",
            0,
            None,
            "both , and . are decimal marks",
        ),
        (HEADER + GOOD.replace("51", "5100"), "out_of_range", 1, "soc", "soc is 5100, outside -10 to 120 %"),
        (HEADER + GOOD.replace(STAMP, ""), "bad_timestamp", 1, "timestamp", "'' is not a date or time"),
        (HEADER + GOOD.replace(",51", ""), "bad_csv", 1, None, "row 1 (line 2): the row has 3 cells, the header has 4"),
        (HEADER + GOOD + "\n" + GOOD.replace("51", "51,7"), "bad_csv", 2, None, "row 2 (line 4): the row has 5 cells"),
        (HEADER + GOOD + '"' + GOOD + GOOD * 5, "bad_csv", 2, None, "row 2 (line 3): a quote is not closed"),
        (HEADER + GOOD + f'"{STAMP}"x,1,2,3\n', "bad_csv", 2, None, "row 2 (line 3): a quote"),
        (HEADER + f'{STAMP},1,2,"3\n', "bad_csv", 1, None, "row 1 (line 2): a quote"),
        (HEADER + "\n\n" + GOOD + f'"{STAMP}"x,1,2,3\n', "bad_csv", 2, None, "row 2 (line 5): a quote"),
        (HEADER + GOOD.replace("890", "x") + GOOD.replace(STAMP, "y"), "bad_number", 1, "voltage", "'x'"),
        (HEADER + GOOD.replace("890", "x") + '"' + GOOD, "bad_number", 1, "voltage", "'x'"),
        ("asset_id," + HEADER + "a b," + GOOD, "bad_row", 1, "asset_id", "'a b' is not an asset id"),
        (b"PK\x03\x04rest", "not_text", None, None, "the file is damaged"),
        (HEADER + "x" * (64 << 10) + "y\n", "not_text", None, None, "line 2 is longer than 64 KiB"),
        (HEADER + "x" * (3 << 20), "not_text", None, None, "line 2 is longer than 64 KiB"),
    ],
)
def test_bad_files(text: str | bytes, code: str, row: int | None, name: str | None, detail: str) -> None:
    """The first thing that is wrong is told with its row, line and column, and what to send instead."""
    found = error(text)
    assert (found.code, found.row, found.column) == (code, row, name)
    assert detail in found.detail
    assert len(found.detail) < 400


def test_unnamed_column_keeps_its_title_in_errors() -> None:
    """An error names the column as the file does."""
    assert error(f"ts,I/mA,U,SoC\n{STAMP},x,890,51\n").column == "I/mA"


def test_row_counts_go_on_over_blocks() -> None:
    """Blocks hold at most a thousand rows; rows and lines are counted through the whole file."""
    text = HEADER + GOOD * (BLOCK_ROWS + 1) + "\n" + GOOD * BLOCK_ROWS
    assert [len(block) for block in read(text)] == [BLOCK_ROWS, BLOCK_ROWS - 1, 2]
    found = error(text + GOOD.replace("890", "x"))
    assert found.row == 2 * BLOCK_ROWS + 2
    assert f"row {2 * BLOCK_ROWS + 2} (line {2 * BLOCK_ROWS + 4})" in found.detail


class _Dribble(io.BytesIO):
    """A file that gives few bytes at a time, as a pipe may."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(7)


def test_portions_do_not_matter() -> None:
    """A file that arrives in crumbs reads the same."""
    text = ("\ufeff" + HEADER + GOOD * 50).encode()
    (block,) = read_blocks(_Dribble(text))
    assert len(block) == 50
    assert block.columns["soc"].tolist() == [51.0] * 50


_cells = st.one_of(st.none(), st.floats(-1e5, 1e5), st.integers(-100, 100))


@given(
    st.lists(st.tuples(st.datetimes(), _cells, _cells, st.one_of(st.none(), st.floats(-10, 120))), min_size=1),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
@example(
    [(datetime(2000, 1, 1), None, None, 0.0), (datetime(2000, 1, 1), None, 0.0, None)], ",", "\n", csv.QUOTE_MINIMAL
)
def test_what_csv_writes_is_read(rows: list[tuple[object, ...]], separator: str, end: str, quoting: int) -> None:
    """A table written by the csv module reads back exactly, or fails for its first stamp out of bounds."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(["timestamp", "current", "voltage", "soc"])
    writer.writerows(rows)
    stamps = [str(row[0]) for row in rows]
    _, ok = parse_timestamps(stamps)
    if not ok.all():
        assert error(text.getvalue()).row == int(np.argmin(ok)) + 1
        return
    (block,) = read(text.getvalue(), hold=False)  # rows of one reading each would be filled in
    assert list(block.timestamps) == stamps
    for i, name in enumerate(("current", "voltage", "soc"), start=1):
        expected = [math.nan if row[i] is None else float(str(row[i])) for row in rows]
        np.testing.assert_array_equal(block.columns[name], expected)


@given(st.binary(max_size=200), st.booleans())
def test_any_file_is_read_or_refused(content: bytes, headed: bool) -> None:
    """Whatever is sent: rows, or a refusal; never another exception."""
    with contextlib.suppress(InvalidError):
        read(HEADER.encode() + content if headed else content)
