"""Answers from the history store: a metric of one asset over time, and of all assets at one time."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from schemas.asset import AssetId


class HistoryAnswer(BaseModel):
    """A metric of an asset over time, on an even grid: value ``i`` is of the time from ``start`` + ``i`` steps on."""

    model_config = ConfigDict(frozen=True)

    asset_id: AssetId
    metric: str = Field(examples=["soc_mean_percent"])
    unit: str = Field(examples=["%"])
    size: str = Field(description="Window size", examples=["15m"])
    start: str = Field(description="Begin of the first step; ISO 8601, UTC")
    end: str = Field(description="End of the last step, exclusive; ISO 8601, UTC")
    step_s: int = Field(gt=0, description="Length of a step: a window, or several if points were asked for [s]")
    values: list[float | None] = Field(
        description="Value of each window, or the mean of the windows in a step; null where none has a value"
    )
    low: list[float | None] | None = Field(
        default=None, description="Lowest value in each step; null where a step is one window"
    )
    high: list[float | None] | None = Field(default=None, description="Highest value in each step")
    undefined: dict[str, int] = Field(
        description="Windows that are stored and have no value, by reason; other nulls are gaps: there is no window",
        examples=[{"no_discharge": 12}],
    )


class RankedAsset(BaseModel):
    """An asset's value."""

    model_config = ConfigDict(frozen=True)

    asset_id: AssetId
    value: float
    start: str = Field(description="Begin of the window; of the lifetime: stamp of the first row; ISO 8601, UTC")
    final: bool = Field(description="Whether the window is closed")


class FleetAnswer(BaseModel):
    """A metric of all assets, sorted."""

    model_config = ConfigDict(frozen=True)

    metric: str = Field(examples=["energy_out_kwh"])
    unit: str = Field(examples=["kWh"])
    size: str = Field(description="Window size", examples=["1d"])
    at: str | None = Field(description="Begin of the window that was asked for; null: each asset's newest; ISO 8601")
    assets: list[RankedAsset]
    defined: int = Field(ge=0, description="Assets with a value, of which `assets` lists the first")
    undefined: int = Field(ge=0, description="Assets with a window and without a value")
