"""The dynamic part of a battery's passport."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from schemas.asset import AssetId
from schemas.lookup import AssetMeta


class PassportEntry(BaseModel):
    """One value of the passport."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(examples=["capacity_fade"])
    annex: str = Field(description="Part of annex VII of regulation (EU) 2023/1542", examples=["VII A"])
    clause: str = Field(description="Of DIN DKE SPEC 99100", examples=["6.7.2.4"])
    metric: str = Field(description="What it comes from: a name of the catalogue", examples=["soh_capacity"])
    value: float | None
    unit: str
    sigma: float | None = Field(description="Standard uncertainty; null where there is none")
    reason: str | None = Field(description="Why the value is null, as the metric has it")
    updated: str | None = Field(description="Newest row that the value rests on, ISO 8601; null without a value")


class Passport(BaseModel):
    """What the rows of an asset say of its battery; the nameplate's part is the maker's."""

    model_config = ConfigDict(frozen=True)

    asset_id: AssetId
    nominal_capacity_ah: float | None
    nominal_energy_kwh: float | None
    first_time: str | None = Field(description="Oldest row: the values cover the time since then; ISO 8601")
    entries: list[PassportEntry]
    meta: AssetMeta
