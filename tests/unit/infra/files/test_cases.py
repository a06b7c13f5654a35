"""Small files as users have them, each with the values that it holds or with what is said about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.file import FileSpec
from stream_app.infra.files import MeasurementFile
from stream_app.infra.row_messages import encode
from stream_app.usecases.compute import compute
from stream_app.usecases.errors import InvalidError

FILES = Path(__file__).parents[3] / "data" / "files"
CAPACITIES_AH = {"01": 1.0, "05": 2.0, "53": 60.0}


def lifetime(file: MeasurementFile, spec: FileSpec) -> dict[str, Any]:
    """Values of the lifetime; the reason where there is none."""
    messages = (pair for block in file.blocks() for pair in encode(block, None if block.owners else "file", "arrow"))
    computed = compute(messages, spec.of_asset(), window_sizes_s=(60, 900))
    assert computed.rejected_rows == 0, computed.reason
    metrics = json.loads(computed.updates[0].json)["metrics"]
    return {
        name: metric["value"] if metric["value"] is not None else metric["reason"] for name, metric in metrics.items()
    }


def read(name: str, **options: Any) -> tuple[dict[str, Any], list[str]]:
    """Values of a file, and what is told about it."""
    (path,) = FILES.glob(f"{name}-*")
    spec = FileSpec(nominal_capacity_ah=CAPACITIES_AH.get(name, 100.0), **options)
    with path.open("rb") as source:
        file = MeasurementFile(source, spec)
        told = file.check().told()
        return lifetime(file, spec), told


TEN = {"total_data_points": 10, "energy_in_kwh": 0.11475}
EIGHT = {"total_data_points": 8, "energy_in_kwh": 0.08925}


@pytest.mark.parametrize(
    ("name", "options", "values"),
    [
        ("01", {}, {"energy_in_kwh": 1.2e-4, "power_max_w": 1.44}),
        ("03", {}, {"energy_in_kwh": 0.75, "energy_out_kwh": 0.625, "coverage": 1.0}),
        ("03", {"max_gap_s": 600}, {"energy_in_kwh": 0.75, "energy_out_kwh": 0.625, "coverage": 1.0}),
        ("05", {}, {"energy_in_kwh": 5.768e-4, "energy_out_kwh": 5.230e-4, "gap_count": 0}),
        ("07", {"current_sign": "discharge_positive"}, {"energy_in_kwh": 6.48, "energy_out_kwh": 6.0}),
        ("09", {"soc_scale": "fraction"}, {"soc_min_percent": 25.0, "soc_max_percent": 85.0}),
        ("11", {"timezone": "Europe/Berlin"}, {"total_data_points": 12, "energy_in_kwh": 2.2}),
        ("13", {}, {"total_data_points": 9, "energy_in_kwh": 0.11475}),
        ("15", {}, {"energy_in_kwh": 0.1041667, "power_max_w": 1250.0}),
        ("21", {}, {"energy_in_kwh": 0.087}),
        ("23", {}, {"total_data_points": 9, "energy_in_kwh": 0.11475}),
        ("25", {}, {"total_data_points": 15, "soc_max_percent": 64.2}),
        ("27", {}, TEN),
        ("29", {}, EIGHT),
        ("31", {}, TEN),
        ("33", {}, EIGHT),
        ("35", {}, EIGHT),
        ("37", {}, EIGHT),
        ("39", {}, EIGHT),
        ("41", {}, EIGHT),
        ("43", {}, EIGHT),
        ("45", {}, {"total_data_points": 5, "energy_in_kwh": 0.051}),
        ("47", {}, EIGHT),
        ("49", {}, EIGHT),
        ("51", {}, EIGHT),
        ("53", {}, {"energy_out_kwh": 0.65002}),
        ("55", {"columns": {"voltage": "#2"}}, {"total_data_points": 6, "energy_in_kwh": 0.06375}),
        ("57", {}, {"total_data_points": 6, "energy_in_kwh": 0.06375}),
        ("59", {}, {"total_data_points": 5, "energy_in_kwh": 0.8}),
    ],
)
def test_right_values(name: str, options: dict[str, Any], values: dict[str, float]) -> None:
    """The file gives what was worked out by hand."""
    found, _ = read(name, **options)
    assert {each: found[each] for each in values} == pytest.approx(values, rel=5e-3)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("07", "current > 0 while the SoC falls: say --current-sign discharge_positive"),
        ("09", "SoC is never above 1.5: say --soc-scale fraction"),
        ("13", "row 3: its time 2098-01-01T00:00:00Z is far from those of the rows around it"),
        ("15", "1.250 is read as 1250"),
        ("21", "signals come in turn"),
        ("23", "1 of 10 rows left out, the first: row 5 (line 6), column soc: soc is 255"),
        ("29", "2 lines above it are skipped"),
        ("31", "lines that repeat the header skipped (line 7)"),
        ("33", "last line that was cut skipped (line 10)"),
        ("35", "2 lines below the table skipped"),
        ("45", "each row holds one signal"),
        ("51", "3 rows name no asset: they are taken for 'TESTVIN0000000001'"),
        ("53", "it is read as cp1252"),
    ],
)
def test_what_was_decided_is_told(name: str, told: str) -> None:
    """Nothing is changed in silence."""
    assert told in "\n".join(read(name)[1])


@pytest.mark.parametrize(
    ("name", "code", "detail"),
    [
        ("11", "clock_goes_back", "the clock goes back by one hour (change to winter time?)"),
        ("55", "bad_header", "columns 2 and 3 are both titled 'voltage': remove or rename the other one"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(name: str, code: str, detail: str) -> None:
    """The message says what is wrong and how to say what is meant."""
    with pytest.raises(InvalidError) as caught:
        read(name)
    assert caught.value.code == code
    assert detail in caught.value.detail


def test_strict_files_are_refused_at_their_first_bad_row() -> None:
    """As they were before rows could be left out."""
    with pytest.raises(InvalidError, match=r"row 5 \(line 6\), column soc: soc is 255"):
        read("23", strict=True)
