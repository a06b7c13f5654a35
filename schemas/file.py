"""How a file of measurements is read: the asset's spec, and what the file does not say itself."""

from __future__ import annotations

from typing import Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from schemas.asset import AssetSpec

#: Share of the rows that may be left out without leave; of few rows, one.
MAX_LEFT_OUT: Final = 0.01
_FEW_ROWS: Final = 5


def too_many_left_out(left_out: int, rows: int) -> bool:
    """Whether more rows are left out than goes without leave; ``rows`` counts them too."""
    return left_out > max(int(rows * MAX_LEFT_OUT), 1 if rows >= _FEW_ROWS else 0)


class FileSpec(AssetSpec):
    """Spec of a file's assets, and how to read the file. What is left out is decided from the file itself, and told."""

    timezone: str | None = Field(
        default=None, description="Zone of stamps that name none, such as Europe/Berlin; without it: UTC"
    )
    day_first: bool | None = Field(default=None, description="Whether 05/07/2024 is 5 July; without it: by the file")
    decimal: Literal["point", "comma"] | None = Field(default=None, description="Decimal mark; without it: by the file")
    encoding: str | None = Field(default=None, description="Encoding of the text, such as cp1252")
    start: str | None = Field(default=None, description="When elapsed time was 0, such as 2024-05-07T09:00:00Z")
    columns: dict[str, str] = Field(
        default_factory=dict, description="Title of each of our columns in the file; #3 is the third column"
    )
    profile: str | None = Field(
        default=None, description="Device or program that wrote the file, such as maccor; without it: by the titles"
    )
    no_value: tuple[str, ...] = Field(
        default=(), description="Cells that stand for a missing reading beside the usual ones, such as 9999"
    )
    hold: bool | None = Field(
        default=None, description="Whether a reading holds until the next one; without it: when signals come in turn"
    )
    strict: bool = Field(default=False, description="Refuse the file at its first bad row")
    allow_rejected: bool = Field(default=False, description="Accept that more than 1 % of the rows is left out")

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (KeyError, ValueError, OSError):
                msg = f"{name!r} is not a time zone: write a name such as Europe/Berlin, or UTC"
                raise ValueError(msg) from None
        return name

    def of_asset(self) -> AssetSpec:
        """The asset's part."""
        # The rows of a file are sent with our names.
        return AssetSpec(**{name: getattr(self, name) for name in AssetSpec.model_fields if name != "profile"})
