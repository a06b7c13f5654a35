"""The same eight rows in the shapes that loggers, spreadsheets and home automation give them."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.file import FileSpec
from stream_app.infra.files import MeasurementFile
from stream_app.usecases.errors import InvalidError
from tests.unit.infra.files.workbooks import Day, workbook

HEADER = "timestamp,current,voltage,soc\n"
TITLES = HEADER.strip().split(",")
ROWS = [f"2024-05-07T09:{i:02}:00Z,15,51,{60 + i}" for i in range(8)]
TABLE = HEADER + "\n".join(ROWS) + "\n"
START_US = 1_715_072_400_000_000


def zipped(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", text)
    return buffer.getvalue()


def parquet() -> bytes:
    columns = {
        "ts": [datetime(2024, 5, 7, 9, i) for i in range(8)],
        "I (mA)": [15000.0] * 8,
        "Volts": [51] * 8,
        "soc": list(range(60, 68)),
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def sheets() -> bytes:
    titles = ["Date_Time", "Current(mA)", "Voltage(V)", "SOC(%)"]
    data = [[Day(45419.375 + i / 1440), 15000, 51, 60 + i] for i in range(8)]
    return workbook(
        {
            "Info": [["Tester"], ["Time", "x"]],
            "Channel_1_1": [["Channel 1"], [], titles, *data[:5]],
            "Channel_1_2": [titles, *data[5:]],
        }
    )


def rows(pattern: str) -> str:
    """Eight lines."""
    return "\n".join(pattern.format(i=i, soc=60 + i, day=45419.375 + i / 1440, s=60 * i) for i in range(8)) + "\n"


SHAPES: dict[str, tuple[str | bytes, dict[str, Any]]] = {
    "gzip": (gzip.compress(TABLE.encode()), {}),
    "zip": (zipped(TABLE), {}),
    "utf-16": (TABLE.encode("utf-16"), {}),
    "utf-16 without mark": (TABLE.encode("utf-16-le"), {}),
    "lines above": ("Device: X\nSerial;1,2\n\n" + TABLE, {}),
    "units": (HEADER + "s,mA,V,%\n" + rows("2024-05-07T09:{i:02}:00Z,15000,51,{soc}"), {}),
    "sep": ("sep=;\n" + TABLE.replace(",", ";"), {}),
    "pipe": (TABLE.replace(",", "|"), {}),
    "ragged": ("timestamp,current,voltage,soc,note\n" + "\n".join(ROWS), {}),
    "trailing": (HEADER + "".join(f"{row},,\n" for row in ROWS), {}),
    "nul": (TABLE.encode().replace(b"\n2024-05-07T09:05", b"\n" + b"\0" * 99 + b"2024-05-07T09:05"), {}),
    "day numbers": (HEADER + rows("{day},15,51,{soc}"), {}),
    "elapsed": ("Test_Time(s),Current(A),Voltage(V),SOC(%)\n" + rows("{s},15,51,{soc}"), {"start": "2024-05-07 09:00"}),
    "clock": ("Time,I,V,SOC\n" + rows("00:{i:02}:00,15,51,{soc}"), {"start": "2024-05-07 09:00"}),
    "year first": (TABLE.replace("2024-05-07T", "2024/05/07 ").replace("Z", ""), {}),
    "day first": (HEADER + rows("07/05/2024 09:{i:02},15,51,{soc}"), {"day_first": True}),
    "newest first": (HEADER + "\n".join(ROWS[::-1]), {}),
    "document": (json.dumps({"data": {"rows": [dict(zip(TITLES, row.split(","), strict=True)) for row in ROWS]}}), {}),
    "parquet": (parquet(), {}),
    "workbook": (sheets(), {}),
    "long": (
        "timestamp;metric;value\n"
        + "".join(rows("2024-05-07T09:{i:02}:00Z;" + each) for each in ("I;15", "V;51", "SOC;{soc}")),
        {},
    ),
    "map": (
        "time,BMU1 current [mA],x,SoC\n" + rows("2024-05-07T09:{i:02}:00Z,15000,51,{soc}"),
        {"columns": {"current": "BMU1 current [mA]", "voltage": "#3"}},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape: str) -> None:
    """All of them give the same times and readings."""
    content, options = SHAPES[shape]
    spec = FileSpec(**options)
    blocks = list(MeasurementFile(io.BytesIO(content.encode() if isinstance(content, str) else content), spec).blocks())
    times = np.concatenate([block.time_us for block in blocks])
    assert (times - START_US).tolist() == [60_000_000 * i for i in range(8)]
    for name, values in {"current": [15.0] * 8, "voltage": [51.0] * 8, "soc": [60.0 + i for i in range(8)]}.items():
        np.testing.assert_allclose(np.concatenate([block.columns[name] for block in blocks]), values, rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "code", "detail"),
    [
        ('time,power,soc\n2024-05-07,"1,250",60\n', "bad_number", "may be 1250 or 1.25"),
        ("time,power_mw,soc\n2024-05-07,1,60\n", "missing_column", "mW or MW?"),
        ("time,BMU1 current [A],soc\n2024-05-07,1,60\n", "missing_column", "--map current='BMU1 current [A]'"),
        ("Test_Time(s),I,V\n0,1,2\n1,1,2\n", "bad_timestamp", "--start"),
        (HEADER + "\n".join([ROWS[0].replace("15", "x"), *ROWS[1:3]]), "bad_number", "'x'"),
    ],
)
def test_what_is_refused(text: str, code: str, detail: str) -> None:
    """The message names the option that decides."""
    with pytest.raises(InvalidError) as caught:
        MeasurementFile(io.BytesIO(text.encode())).check()
    assert caught.value.code == code
    assert detail in caught.value.detail
