"""Records that share the measurements topic and key with an asset's rows, so that they are ordered with them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from schemas.asset import AssetId, AssetSpec


class _Control(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    asset_id: AssetId


class SpecControl(_Control):
    """From here on the asset's rows are read by this spec; it replaces the one before."""

    control: Literal["asset_spec"] = "asset_spec"
    spec: AssetSpec


class EndOfUpload(_Control):
    """The asset was an upload and ends here: what still waits for a later row is settled."""

    control: Literal["end_of_upload"] = "end_of_upload"
    rows: int = Field(ge=0, description="Rows that the upload sent")
    error: str | None = Field(default=None, description="Why the upload failed, if it did")


class Forget(_Control):
    """The asset's state and windows are deleted."""

    control: Literal["forget"] = "forget"


Control = Annotated[SpecControl | EndOfUpload | Forget, Field(discriminator="control")]
CONTROL: TypeAdapter[SpecControl | EndOfUpload | Forget] = TypeAdapter(Control)
