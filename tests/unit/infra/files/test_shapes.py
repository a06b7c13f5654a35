"""The same eight rows in the shapes that loggers, spreadsheets and home automation give them."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.file import FileSpec
from stream_app.infra.files import MeasurementFile
from stream_app.infra.zstandard import zstd
from stream_app.usecases.errors import InvalidError
from tests.unit.infra.files.eight_rows import CELLS, HEADER, OBJECTS, ROWS, START_US, TABLE, TITLES
from tests.unit.infra.files.workbooks import Day, workbook


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
    epoch = START_US // 1_000_000
    return (
        "\n".join(
            pattern.format(
                i=i,
                soc=60 + i,
                day=45419.375 + i / 1440,
                comma=f"{45419.375 + i / 1440:.8f}".replace(".", ","),
                part=0.375 + i / 1440,
                s=60 * i,
                epoch=epoch + 60 * i,
                mac=epoch + 60 * i + 2_082_844_800,
            )
            for i in range(8)
        )
        + "\n"
    )


SHAPES: dict[str, tuple[str | bytes, dict[str, Any]]] = {
    "gzip": (gzip.compress(TABLE.encode()), {}),
    "zstd": (zstd.compress(TABLE.encode()), {}),
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
    "header again, written otherwise": (
        TABLE.replace(ROWS[4], f"Logger 2\nTimestamp, Current, Voltage, SOC\n{ROWS[4]}"),
        {},
    ),
    "lines above the header again": (
        "Logger\nv 1\n" + TABLE.replace(ROWS[4], f"Logger\nv 1\n{HEADER}{ROWS[4]}"),
        {},
    ),
    "thousands by blanks": (
        "timestamp;Current [mA];voltage;soc\n" + rows("2024-05-07T09:{i:02}:00Z;15 000,0;51;{soc}"),
        {},
    ),
    "date with its time beside another time": (
        "Date,Time,I,V,SOC\n" + rows("2024-05-07 09:{i:02}:00,00:00:0{i},15,51,{soc}"),
        {},
    ),
    "part of the day": ("Date,Time,I,V,SOC\n" + rows("2024-05-07,{part},15,51,{soc}"), {}),
    "ctime": (HEADER + rows("Tue May  7 09:{i:02}:00 2024,15,51,{soc}"), {}),
    "date of JavaScript": (HEADER + rows("Tue May 07 2024 11:{i:02}:00 GMT+0200 (CEST),15,51,{soc}"), {}),
    "zone by its letters": (HEADER + rows("2024-05-07 11:{i:02}:00 CEST,15,51,{soc}"), {}),
    "exponent": (HEADER + rows("{epoch:.9E},15,51,{soc}"), {}),
    "day numbers with a comma": (HEADER.replace(",", ";") + rows("{comma};15;51;{soc}"), {}),
    "seconds from 1904": (HEADER + rows("{mac},15,51,{soc}"), {}),
    "text of a spreadsheet": (HEADER + rows('="2024-05-07T09:{i:02}:00Z",15,51,{soc}'), {}),
    "units behind the numbers": (HEADER + rows("2024-05-07T09:{i:02}:00Z,15000 mA,51.0V,{soc} %"), {}),
    "French": (
        "Horodatage;Courant (A);Tension (V);État de charge (%)\n" + rows("07/05/2024 09:{i:02};15,0;51;{soc}"),
        {},
    ),
    "Chinese": ("时间,电流(mA),电压(V),荷电状态(%)\n" + rows("2024/05/07 09:{i:02}:00,15000,51,{soc}"), {}),
    "charge and discharge apart": (
        "Time,Charge Current (A),Discharge Current (A),U,SOC\n" + rows("2024-05-07 09:{i:02},15,0,51,{soc}"),
        {},
    ),
    "names within objects": (
        "".join(
            json.dumps({"time": row[0], "battery": dict(zip("IU", row[1:3], strict=True)), "soc": row[3]}) + "\n"
            for row in CELLS
        ),
        {},
    ),
    "objects behind each other": ("\n".join(json.dumps(row, indent=1) for row in OBJECTS), {}),
    "array that was cut": (json.dumps([*OBJECTS, {}], indent=1)[:-2] + '{"timest', {}),
    "object by time": (
        json.dumps({row[0]: dict(zip("IU", row[1:3], strict=True)) | {"soc": row[3]} for row in CELLS}),
        {},
    ),
    "object by column": (
        json.dumps({title: {str(i): row[title] for i, row in enumerate(OBJECTS)} for title in TITLES}),
        {},
    ),
    "series of points": (
        json.dumps({title: [[row["timestamp"], row[title]] for row in OBJECTS] for title in TITLES[1:]}),
        {},
    ),
    "matrix of Prometheus": (
        json.dumps(
            {
                "data": {
                    "result": [
                        {"metric": {"__name__": title}, "values": [[row["timestamp"], row[title]] for row in OBJECTS]}
                        for title in TITLES[1:]
                    ]
                }
            }
        ),
        {},
    ),
    "map": (
        "time,BMU1 current [mA],x,SoC\n" + rows("2024-05-07T09:{i:02}:00Z,15000,51,{soc}"),
        {"columns": {"current": "BMU1 current [mA]", "voltage": "#3"}},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape: str) -> None:
    """All of them give the same times and readings, from a file as an upload is held in."""
    content, options = SHAPES[shape]
    with SpooledTemporaryFile() as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.seek(0)
        blocks = list(MeasurementFile(cast("BinaryIO", file), FileSpec(**options)).blocks())
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
        (TABLE + "timestamp,voltage,current,soc\n" + TABLE, "bad_header", "line 10 holds another header"),
        (HEADER + "1.71507E+12,15,51,60\n1.71507E+12,15,51,61\n", "bad_timestamp", "was rounded by a spreadsheet"),
        (HEADER + "2024-05-07 09:00 CST,15,51,60\n2024-05-07 09:01 CST,15,51,60\n", "bad_timestamp", "CST"),
    ],
)
def test_what_is_refused(text: str, code: str, detail: str) -> None:
    """The message names the option that decides."""
    with pytest.raises(InvalidError) as caught:
        MeasurementFile(io.BytesIO(text.encode())).check()
    assert caught.value.code == code
    assert detail in caught.value.detail


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(TABLE.encode())[:-4],
        zstd.compress(TABLE.encode())[:-4],
        gzip.compress(TABLE.encode())[:-8] + bytes(8),
        parquet()[:-400] + bytes(300) + parquet()[-100:],
        zipped(TABLE)[:-30],
        sheets()[:-400],
    ],
)
def test_damaged_files(content: bytes) -> None:
    """What is wrong is told, whenever reading comes upon it."""
    with pytest.raises(InvalidError) as caught:
        MeasurementFile(io.BytesIO(content)).check()
    assert caught.value.code == "not_text"
