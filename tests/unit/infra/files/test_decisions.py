"""What is decided for a whole file: years, assets, local time, marks of no value."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from schemas.file import FileSpec
from stream_app.infra.files import MeasurementFile
from stream_app.infra.files.diagnosis import diagnosis, lines
from stream_app.usecases.errors import InvalidError
from tests.unit.infra.files.eight_rows import HEADER, OBJECTS, ROWS, START_US, TABLE


def test_years_of_two_digits() -> None:
    """They stand where the part stays the same, and what was taken for the year is told."""
    text = HEADER + "".join(f"24-05-{day:02} 09:00,15,51,60\n" for day in range(7, 15))
    file = MeasurementFile(io.BytesIO(text.encode()))
    assert "dates such as 24-05-07 09:00 are read year first" in file.check().told()
    (block,) = file.blocks()
    assert (block.time_us - START_US).tolist() == [86_400_000_000 * i for i in range(8)]


def test_one_of_several_assets() -> None:
    """The one that is named is read; one that is not in the file is refused."""
    lines = "".join(f"{name},{row}\n" for row in ROWS for name in ("b", "a"))
    file = MeasurementFile(io.BytesIO(f"asset_id,{HEADER}{lines}".encode()), asset_id="a")
    assert "8 rows of other assets are not read (--asset a)" in file.check().told()
    (block,) = file.blocks()
    assert block.asset_ids == ["a"] * 8
    with pytest.raises(InvalidError, match=r"2 assets \(b, a\), and 'x' is none of them"):
        MeasurementFile(io.BytesIO(f"asset_id,{HEADER}{lines}".encode()), asset_id="x").check()


def test_rows_of_nobody_stand_among_those_of_the_only_asset() -> None:
    """They are sorted together."""
    lines = "".join(f"{'a' if i % 2 else ''},{row}\n" for i, row in enumerate([*ROWS[1:], ROWS[0]]))
    (block,) = MeasurementFile(io.BytesIO(f"asset_id,{HEADER}{lines}".encode())).blocks()
    assert (np.diff(block.time_us) > 0).all()
    assert block.asset_ids == ["a"] * 8


@pytest.mark.parametrize("named", [range(0, 9, 7), range(3, 4), range(2_400, 2_500), range(2_400)])
def test_rows_of_nobody_and_of_the_only_asset_are_covered_together(named: tuple[int, ...]) -> None:
    """Whichever rows name it: the times are those of all rows."""
    rows = [f"{1_715_072_400 + 60 * i + i % 7},15,51,60" for i in range(2_500)]  # more than a block
    lines = "".join(f"{'a' if i in named else ''},{row}\n" for i, row in enumerate(rows))
    file = MeasurementFile(io.BytesIO(f"asset_id,{HEADER}{lines}".encode()))
    alone = MeasurementFile(io.BytesIO((HEADER + "\n".join(rows) + "\n").encode()))
    file.check()
    alone.check()
    (times,) = diagnosis(file, FileSpec(), "a.csv").times
    (expected,) = diagnosis(alone, FileSpec(), "a.csv").times
    assert times.asset_id == "a"
    assert times.model_dump(exclude={"asset_id"}) == expected.model_dump(exclude={"asset_id"})


@pytest.mark.parametrize(
    "document",
    [
        {"a": OBJECTS, "b": OBJECTS},
        [{"asset_id": "a", "rows": OBJECTS}, {"asset_id": "b", "rows": OBJECTS}],
    ],
)
def test_rows_of_each_asset_apart(document: Any) -> None:
    """No asset's rows are lost."""
    file = MeasurementFile(io.BytesIO(json.dumps(document).encode()))
    assert file.check().rows == 16
    assert file.assets == ["a", "b"]


def test_register_without_a_value() -> None:
    """It is suspicious, and a missing reading when the user says so."""
    text = TABLE.replace("09:03:00Z,15", "09:03:00Z,-3276.8").encode()
    told = MeasurementFile(io.BytesIO(text)).check().told()
    assert any("current is -3276.8 in 1 rows" in line and "--no-value=-3276.8" in line for line in told)
    (block,) = MeasurementFile(io.BytesIO(text), FileSpec(no_value=("-3276.8",))).blocks()
    assert np.isnan(block.columns["current"]).tolist() == [False] * 3 + [True] + [False] * 4


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("odd", [False, True])
def test_year_of_local_time(*, odd: bool, descending: bool) -> None:
    """Through both changes of the clock, in blocks that compiled code reads and in others."""
    start = np.datetime64("2024-01-01T00:00", "s")
    times = start + 600 * np.arange(366 * 144).astype("timedelta64[s]")
    zone = ZoneInfo("Europe/Berlin")
    moments = [datetime.fromtimestamp(int(time), UTC).astimezone(zone) for time in times.astype(np.int64)]
    lines = [
        f"{moment:%Y-%m-%dT%H:%M:%S},{'n/a' if odd and i % 3000 == 0 else 15},51,60" for i, moment in enumerate(moments)
    ]
    text = HEADER + "\n".join(lines[::-1] if descending else lines)
    file = MeasurementFile(io.BytesIO(text.encode()), FileSpec(timezone="Europe/Berlin"))
    assert file.check().left_out == 0
    found = np.concatenate([block.time_us for block in file.blocks()])
    np.testing.assert_array_equal(found, times.astype(np.int64) * 1_000_000)


def test_doctor_says_what_is_done_with_each_column_and_ends_with_the_command() -> None:
    """Only what there is to say: a factor, an offset, what is missing, what repeats."""
    text = (
        "timestamp,Current (mA),voltage,soc,Temperature (K)\n"
        "2024-05-07T09:00:00Z,1000,3.6,50,300\n"
        "2024-05-07T09:00:00Z,1000,,50,300\n"
        "2024-05-07T09:01:00Z,1000,3.6,51,300\n"
    )
    file = MeasurementFile(io.BytesIO(text.encode()))
    file.examine()
    found = list(lines(diagnosis(file, FileSpec(), "a.csv")))
    assert found[2:6] == [
        "column 'Current (mA)' -> current [A], x 0.001",
        "column 'voltage' -> voltage [V], not measured in 33 % of the rows",
        "column 'soc' -> soc [%]",
        "column 'Temperature (K)' -> temperature [degC], -273.15",
    ]
    assert "time: 2024-05-07T09:00:00Z to 2024-05-07T09:01:00Z, stamps that repeat the one before: 1" in found
    assert found[-2:] == [
        "read it with (AH is the nominal capacity):",
        "stream-app compute a.csv --nominal-capacity AH",
    ]
