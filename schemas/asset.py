"""An asset's specification: its nameplate, and how to read its rows."""

from __future__ import annotations

import re
from typing import Annotated, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

#: Printable, without blanks, slashes or control characters: an asset id is a Kafka key and a segment of a URL's path.
#: There ``.`` and ``..`` would be lost, since clients and proxies resolve them; the pattern has at least one character
#: that is no dot, or three dots.
ASSET_ID_PATTERN = r"^(\.{0,2}[^\s/.\x00-\x1f\x7f]|\.{3})[^\s/\x00-\x1f\x7f]*$"
ASSET_ID_MAX_LENGTH = 200
MAX_WINDOW_SIZES = 5
#: As ``max_ahead_s``: further than any stamp, so that none is refused [s].
UNLIMITED_AHEAD_S = 1e11

AssetId = Annotated[
    str, Field(min_length=1, max_length=ASSET_ID_MAX_LENGTH, pattern=ASSET_ID_PATTERN, examples=["bess-001"])
]

Duplicates = Literal["count", "drop"]

#: Devices and programs whose names and units of readings are known; none: names in many spellings, and no device's.
PROFILES = (
    "none",
    *("bdf", "arbin", "neware", "basytec", "maccor", "biologic", "novonix", "landt", "pec"),
    *(
        "homeassistant",
        "influxdb",
        "emhass",
        "victron",
        "senec",
        "sungrow",
        "split",
        "powerwall",
        "givenergy",
        "sunspec",
    ),
    *("teslafi", "teslamate", "scanmytesla"),
)

#: A JSON number: neither text nor true, as in rows.
_Number = Annotated[float, Field(strict=True)]

#: Header of each record that the service writes for an upload; a record for an upload without it is refused.
UPLOAD_HEADER = "__stream_app.upload"

_UPLOAD_ID = re.compile("upload-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"([1-9][0-9]{0,5})([smhd])")


def is_upload(asset_id: str) -> bool:
    """Whether an asset id is an upload's: ``upload-`` and a UUID. Only the service writes rows and specs of these."""
    return asset_id.startswith("upload-") and _UPLOAD_ID.fullmatch(asset_id) is not None


def _known_profile(name: str | None) -> str | None:
    if name is not None and name not in PROFILES:
        msg = f"there is no profile {name!r}: name one of {', '.join(PROFILES)}"
        raise ValueError(msg)
    return name


def window_size_s(name: str) -> int:
    """Seconds of a window size such as ``15m``; ValueError when it is not one."""
    match = _SIZE.fullmatch(name)
    if match is None:
        msg = f"{name!r} is not a window size: write a number and s, m, h or d, such as 15m"
        raise ValueError(msg)
    return int(match[1]) * _UNIT_S[match[2]]


def window_size_name(size_s: int) -> str:
    """Return the shortest name of a window size, the inverse of :func:`window_size_s`."""
    unit = next(u for u in ("d", "h", "m", "s") if size_s % _UNIT_S[u] == 0)
    return f"{size_s // _UNIT_S[unit]}{unit}"


class AssetSpec(BaseModel):
    """Nameplate of one asset, and how to read its rows. A field that is left out has its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    nominal_capacity_ah: _Number | None = Field(default=None, gt=0, le=1e9, allow_inf_nan=False)
    nominal_energy_kwh: _Number | None = Field(default=None, gt=0, le=1e12, allow_inf_nan=False)
    current_sign: Literal["charge_positive", "discharge_positive"] = "charge_positive"
    soc_scale: Literal["percent", "fraction"] = Field(default="percent", description="percent: 0..100; fraction: 0..1")
    energy_price_per_kwh: _Number | None = Field(
        default=None, ge=0, le=1e6, allow_inf_nan=False, description="Price of lost energy, in any currency"
    )
    warranty_full_cycles: _Number | None = Field(
        default=None, gt=0, le=1e9, allow_inf_nan=False, description="Equivalent full cycles that the warranty covers"
    )
    warranty_throughput_kwh: _Number | None = Field(
        default=None, gt=0, le=1e15, allow_inf_nan=False, description="Discharged energy that the warranty covers"
    )
    temperature_low_c: _Number | None = Field(
        default=None, ge=-25, le=20, multiple_of=5, description="Lowest temperature allowed, a multiple of 5 degC"
    )
    temperature_high_c: _Number | None = Field(
        default=None, ge=25, le=65, multiple_of=5, description="Highest temperature allowed, a multiple of 5 degC"
    )
    soc_low_percent: _Number | None = Field(
        default=None, ge=10, le=50, multiple_of=10, description="Lowest SoC allowed, a multiple of 10 %"
    )
    soc_high_percent: _Number | None = Field(
        default=None, ge=50, le=90, multiple_of=10, description="Highest SoC allowed, a multiple of 10 %"
    )
    voltage_low_v: _Number | None = Field(
        default=None, ge=0, le=1e6, allow_inf_nan=False, description="Lowest pack voltage allowed"
    )
    voltage_high_v: _Number | None = Field(
        default=None, gt=0, le=1e6, allow_inf_nan=False, description="Highest pack voltage allowed"
    )
    c_rate_high: _Number | None = Field(
        default=None,
        gt=0,
        le=1000,
        allow_inf_nan=False,
        description="Highest current allowed, of charge and discharge, as a multiple of nominal_capacity_ah per hour",
    )
    cell_spread_high_v: _Number | None = Field(
        default=None, gt=0, le=1e3, allow_inf_nan=False, description="Largest difference of two cells' voltages allowed"
    )
    sampling_period_s: _Number | None = Field(
        default=None, gt=0, le=86400, description="Nominal time between two rows; without it: the running median"
    )
    max_gap_s: _Number | None = Field(
        default=None,
        gt=0,
        le=31_536_000,
        description="A longer time between two rows is a gap; without it: ten nominal periods, and at least 15 minutes",
    )
    reporting: Literal["periodic", "on_change"] = Field(
        default="periodic", description="on_change: a reading holds until the next one, for an hour at least"
    )
    max_ahead_s: _Number | None = Field(
        default=None,
        ge=0,
        le=UNLIMITED_AHEAD_S,
        description="A stamp further ahead of its record's Kafka time is refused; without it: STREAM_MAX_AHEAD_S",
    )
    duplicates: Duplicates | None = Field(
        default=None,
        description="Whether a row that repeats the last ones to the letter counts; without it: STREAM_DUPLICATES",
    )
    profile: Annotated[str | None, AfterValidator(_known_profile)] = Field(
        default=None,
        examples=["victron"],
        description="Rows without our names are read by the names and units of this device or program",
    )
    windows: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_WINDOW_SIZES,
        description="Window sizes, each a multiple of the first",
    )

    @model_serializer(mode="wrap")
    def _with_said_sign(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        """With a profile, a sign that the user gave stands above the profile's: so it is written, and no other one."""
        content: dict[str, object] = write(self)
        if self.profile is not None:
            content.pop("current_sign", None)
            if "current_sign" in self.model_fields_set:
                content["current_sign"] = self.current_sign
        return content

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        # What is written has the fields too: the serializer only leaves one out.
        return handler(cast(CoreSchema, {name: part for name, part in schema.items() if name != "serialization"}))

    @field_validator("windows")
    @classmethod
    def _nested(cls, sizes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if sizes is not None:
            seconds = [window_size_s(size) for size in sizes]
            if seconds != sorted(set(seconds)) or any(s % seconds[0] for s in seconds):
                msg = f"window sizes must ascend and be multiples of the first; {list(sizes)} do not"
                raise ValueError(msg)
        return sizes
