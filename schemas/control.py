"""Control records: they have the topic and key of an asset's rows, and so a place in their order."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from schemas.asset import AssetId, AssetSpec

ERROR_MAX_LENGTH: Final = 2000
#: Event times are from the first to before the end, as those of rows.
_FIRST_US: Final = 631_152_000_000_000  # 1990-01-01
_END_US: Final = 7_258_118_400_000_000  # 2200-01-01


class _Control(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    asset_id: AssetId


class SpecControl(_Control):
    """The asset's rows after this record are read by this spec, which replaces the one before."""

    control: Literal["asset_spec"] = "asset_spec"
    spec: AssetSpec


class EndOfUpload(_Control):
    """The asset is an upload and ends here: rows that wait for a later row are applied."""

    control: Literal["end_of_upload"] = "end_of_upload"
    rows: int = Field(ge=0, lt=1 << 63, description="Rows that the upload has sent")
    error: str | None = Field(
        default=None, max_length=ERROR_MAX_LENGTH, description="Why the upload failed, if it did; it stays in the state"
    )
    allow_rejected: bool = Field(default=False, description="Accept that more than 1 % of the rows is left out")
    warnings: tuple[str, ...] = Field(default=(), description="How the file was read, and what is suspicious in it")
    digest: str | None = Field(
        default=None, max_length=64, description="Of an upload with an Idempotency-Key: SHA-256 of what was sent"
    )
    assets: tuple[str, ...] = Field(
        default=(), description="Of a file with several assets: their names; the first one's rows are this upload's"
    )


class Forget(_Control):
    """The asset's state and windows are deleted."""

    control: Literal["forget"] = "forget"


class CloseUntil(_Control):
    """The asset is silent: what waits is applied, and its windows that have ended by ``until_us`` are closed.

    Rows before that are late from here on; the asset itself goes on.
    """

    control: Literal["close_until"] = "close_until"
    until_us: int = Field(
        ge=_FIRST_US, lt=_END_US, description="Event time in microseconds since 1970 UTC, in the years 1990 to 2199"
    )


AnyControl = SpecControl | EndOfUpload | Forget | CloseUntil
Control = Annotated[AnyControl, Field(discriminator="control")]
CONTROL: TypeAdapter[AnyControl] = TypeAdapter(Control)
