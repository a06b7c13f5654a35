"""JSON rows as devices and programs write them, by the profile of their asset's spec."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.asset import PROFILES as NAMES
from schemas.asset import AssetSpec
from stream_app.infra.files.profiles import NO_PROFILE, PROFILES
from stream_app.infra.foreign_rows import ForeignRows
from stream_app.wire.decode.refusal import Refusal

T = "2024-05-07T09:00:00Z"


def read(profile: str, row: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return ForeignRows()(AssetSpec(profile=profile, **spec), "a", row)


def test_a_spec_may_name_every_profile() -> None:
    """The contract cannot import the tables, so it repeats their names."""
    assert set(NAMES) == {NO_PROFILE, *PROFILES}
    with pytest.raises(ValueError, match="there is no profile 'victorn': name one of none, bdf"):
        AssetSpec(profile="victorn")


@pytest.mark.parametrize(
    ("profile", "row", "expected"),
    [
        (
            "none",
            {"time": T, "Current (mA)": 1500, "Spannung [V]": 3.6, "SOC": 50},
            {"current": 1.5, "voltage": 3.6, "soc": 50},
        ),
        (
            "victron",
            {
                "timestamp": T,
                "Battery Monitor Voltage": 52.1,
                "Battery Monitor Current": -8,
                "Battery Monitor State of charge": 71,
            },
            {"current": -8, "voltage": 52.1, "soc": 71},
        ),
        (
            "powerwall",
            {"timestamp": T, "solar_power": 10, "battery_power": 800, "grid_services_power": 0},
            {"power": -800.0, "current": None, "voltage": None, "soc": None},
        ),
        (
            "powerwall",
            {"timestamp": T, "solar_power": 10, "battery_power": 800, "power_setpoint": 790, "grid_services_power": 0},
            {"power": -800.0, "power_setpoint": -790.0},
        ),
        (
            "sungrow",
            {
                "Time": T,
                "Battery Charging Power(W)": "0",
                "Battery Discharging Power(W)": "650",
                "Battery Level(SOC)(%)": "--",
            },
            {"power": -650.0, "soc": None},
        ),
        (
            "maccor",
            {
                "Rec#": 1,
                "TestTime": "0d 00:00:01",
                "StepTime": "0",
                "State": "D",
                "Amps": 2.0,
                "Volts": 3.6,
                "DPt Time": T,
            },
            {"current": -2.0, "voltage": 3.6},
        ),
    ],
)
def test_a_row_has_our_names_units_and_sign(profile: str, row: dict[str, Any], expected: dict[str, Any]) -> None:
    """As a file with these titles is read; what the row does not have is null."""
    found = read(profile, row)
    assert (found["asset_id"], found["timestamp"]) == ("a", T)
    assert {name: found[name] for name in expected} == expected


def test_the_sign_of_the_spec_stands_above_the_profile() -> None:
    """It is applied later, to all rows of the asset: the profile then flips nothing."""
    row = {"timestamp": T, "solar_power": 10, "battery_power": 800, "grid_services_power": 0}
    assert read("powerwall", row, current_sign="discharge_positive")["power"] == 800


def test_a_sign_that_is_said_is_not_the_default_one() -> None:
    """A profile turns the current round, unless the spec says that it need not: stored and read back as well."""
    row = {"timestamp": T, "solar_power": 10, "battery_power": 800, "grid_services_power": 0}
    assert read("powerwall", row, current_sign="charge_positive")["power"] == 800
    for said in ({}, {"current_sign": "charge_positive"}):
        spec = AssetSpec.model_validate({"profile": "powerwall", **said})
        for written in (spec.model_dump_json(exclude_defaults=True), spec.model_dump_json()):
            again = AssetSpec.model_validate_json(written)
            assert ForeignRows()(again, "a", row)["power"] == (800 if said else -800)
    assert json.loads(AssetSpec().model_dump_json())["current_sign"] == "charge_positive"  # without a profile: as ever


def test_the_asset_of_the_row_stays() -> None:
    """So a row under another asset's key is refused as ever."""
    assert read("none", {"asset_id": "b", "ts": T, "I": 1, "U": 2})["asset_id"] == "b"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"ts": T, "colour": "red"}, "the header has no column"),
        ({"Test Time / s": 5, "I": 1, "U": 2}, "elapsed time"),
        ({"I": 1, "U": 2}, "names no time"),
        ({"ts": T, "I": "hot", "U": 2}, "I must be a number or null, not the text 'hot'"),
    ],
)
def test_what_cannot_be_read_is_told(row: dict[str, Any], reason: str) -> None:
    """With the cure, as for a file."""
    with pytest.raises(Refusal, match=reason):
        read("none", row)
