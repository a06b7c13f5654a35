"""Tables without a time: rows at the sampling period, where nothing may be the time."""

from __future__ import annotations

import io
import json

import pytest

from schemas.diagnosis import Diagnosis
from schemas.file import FileSpec
from stream_app.infra.files import MeasurementFile
from stream_app.infra.files.diagnosis import diagnosis, lines
from stream_app.usecases.errors import InvalidError

ROWS = [f"15,51,{60 + i}" for i in range(8)]
TABLE = "current,voltage,soc\n" + "\n".join(ROWS) + "\n"
START_US = 946_684_800_000_000  # 2000-01-01


def read(text: str, spec: FileSpec | None = None) -> tuple[list[int], list[str]]:
    """Times of a file's rows in seconds since 2000, and what is told about it."""
    file = MeasurementFile(io.BytesIO(text.encode()), spec, kept_rows=0)
    told = file.check().told()
    return [(time - START_US) // 1_000_000 for block in file.blocks() for time in block.time_us.tolist()], told


def test_rows_are_a_second_apart() -> None:
    """From a start that is told."""
    times, told = read(TABLE)
    assert times == list(range(8))
    assert told == [
        "warning: the file has no column of times: its rows are taken to be 1 s apart, the first at "
        "2000-01-01T00:00:00Z: say --period and --start if they are not"
    ]


def test_rows_are_a_sampling_period_apart() -> None:
    """From the spec's start on, over blocks."""
    spec = FileSpec(sampling_period_s=2.5, start="2000-01-02")
    file = MeasurementFile(io.BytesIO(("current,voltage\n" + "15,51\n" * 2500).encode()), spec)
    assert any("2.5 s apart, the first at 2000-01-02" in line for line in file.check().told())
    found = [time for block in file.blocks() for time in block.time_us.tolist()]
    assert found == [START_US + 86_400_000_000 + 2_500_000 * i for i in range(2500)]


def test_row_that_cannot_be_read_takes_its_time() -> None:
    """Rows behind it stay where they are."""
    times, _ = read(TABLE.replace("15,51,62", "x,51,62"))
    assert times == [0, 1, 3, 4, 5, 6, 7]


def test_each_asset_has_its_times() -> None:
    """Its rows follow each other, whoever's stand between them."""
    text = "asset_id," + TABLE.replace("15", "a,15").replace("\na", "\nb", 3)
    times, _ = read(text)
    assert times == [0, 1, 2, 0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "text",
    [
        "# a logger\n\n" + TABLE,
        TABLE.replace("current", "Current [A]"),
        "number," + TABLE.replace("\n15", "\n%d,15") % tuple(range(8)),
        "power;soc\n" + "765,5;60\n" * 8,
        json.dumps([{"current": 15, "voltage": 51}] * 8),
        '{"power": 1}\n' * 8,
    ],
)
def test_any_kind_of_table(text: str) -> None:
    """Lines above the header, row numbers, power alone, JSON."""
    assert read(text)[0] == list(range(8))


@pytest.mark.parametrize("stamp", ["2024-05-0%d", "5/%d/2024", "12:0%d", "171507240%d", "0.%d", "4503%d"])
def test_column_that_may_hold_the_times(stamp: str) -> None:
    """Its title says nothing; its cells do. The user may say that they are no times."""
    text = "note," + TABLE.replace("\n15", f"\n{stamp},15") % tuple(range(1, 9))
    with pytest.raises(InvalidError, match=r"column 'note' may hold the times: say --map timestamp=#1") as error:
        read(text)
    assert (error.value.code, error.value.column) == ("missing_column", "timestamp")
    assert read(text, FileSpec(columns={"timestamp": ""}))[0] == list(range(8))


@pytest.mark.parametrize("title", ["timestmp", "Zeitstempel [x]", "time of day"])
def test_title_that_may_be_that_of_a_time(title: str) -> None:
    """It is told, with the option that decides."""
    with pytest.raises(InvalidError, match=r"no column timestamp; the nearest titles are .* timestamp= says"):
        read(f"{title}," + TABLE.replace("\n15", "\nx,15"))


@pytest.mark.parametrize("text", ["soc\n60\n", "current,soc\n15,60\n", "a,b\n1,2\n"])
def test_table_without_energy_needs_its_times(text: str) -> None:
    """It may be anything."""
    with pytest.raises(InvalidError, match="no column"):
        read(text)


def test_strict_file_needs_its_times() -> None:
    """Nothing is taken for granted."""
    with pytest.raises(InvalidError, match="leave out --strict"):
        read(TABLE, FileSpec(strict=True))


def test_start_that_is_no_date() -> None:
    """It is named."""
    with pytest.raises(InvalidError, match="--start 'noon' is not a date"):
        read(TABLE, FileSpec(start="noon"))


def test_diagnosis_tells_how_far_rows_are_apart() -> None:
    """There is no column of the time."""
    file = MeasurementFile(io.BytesIO(TABLE.encode()))
    file.examine()
    found: Diagnosis = diagnosis(file, FileSpec(), "a.csv")
    assert "stamps: none: the rows are 1 s apart" in list(lines(found))
    assert [column.name for column in found.columns] == ["current", "voltage", "soc"]
