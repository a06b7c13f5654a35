"""Answers about many assets: pages of a list, and a fleet in a few numbers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.asset import AssetId
from schemas.lookup import AnswerMeta

Activity = Literal["charging", "discharging", "idle", "silent", "unknown", "upload"]


class ListedMetric(BaseModel):
    """A metric of the lifetime. ``value`` is null exactly when ``reason`` is there."""

    model_config = ConfigDict(frozen=True)

    value: float | None
    unit: str = Field(examples=["kWh"])
    reason: str | None = Field(default=None, description="Why there is no value; no_rows: before the first row")
    sigma: float | None = Field(default=None, description="Standard uncertainty (1 sigma), in the value's unit")


class AssetItem(BaseModel):
    """One asset of a list."""

    model_config = ConfigDict(frozen=True)

    asset_id: AssetId
    partition: int
    rows: int
    last_time: str | None = Field(description="Stamp of the newest row; ISO 8601, UTC")
    rows_rejected: int = Field(default=0, description="Rows that came too late, or whose stamps are not plausible")
    received_time: str | None = Field(
        default=None,
        description="When its newest rows were taken in; ISO 8601, UTC; null: none since the worker has the partition",
    )
    state: Activity = Field(
        default="unknown",
        description="By the newest row; idle: within the rest band; silent: nothing came for longer than a step may "
        "take without being a gap; unknown: there is neither a current nor a power",
    )
    soc_percent: float | None = Field(default=None, description="Newest SoC [%]; null: there is none")
    power_w: float | None = Field(
        default=None, description="Power in the newest row [W], > 0 charging; null: the row tells none"
    )
    efficiency: ListedMetric | None = Field(default=None, description="`rte_level` of the lifetime")
    soh: ListedMetric | None = Field(default=None, description="`soh_capacity` of the lifetime")
    coverage: ListedMetric | None = Field(default=None, description="Share of the lifetime that is known")
    metrics: dict[str, ListedMetric] = Field(
        default={}, description="Metrics of the lifetime that were asked for, and that which orders the list"
    )


class AssetPage(BaseModel):
    """A page of assets, in the order that was asked for."""

    model_config = ConfigDict(frozen=True)

    assets: list[AssetItem]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one")
    partitions: list[int] = Field(description="Partitions of the measurements topic that the list covers")
    meta: AnswerMeta
    behind: int = Field(
        default=0,
        description="Assets that have changed since they were put into this order; what is shown of each is as of now",
    )


class FleetSum(BaseModel):
    """A sum over the assets that have a value. ``value`` is null exactly when ``reason`` is there."""

    model_config = ConfigDict(frozen=True)

    value: float | None
    unit: str = Field(examples=["kWh"])
    reason: str | None = Field(
        description="no_power: no asset that is not silent tells one; no_energy: none has a known one; no_day_window: "
        "no asset has windows of a day (1d)"
    )
    assets: int = Field(description="Assets in the sum")


class FleetSummary(BaseModel):
    """All assets of all workers that exist for the asker."""

    model_config = ConfigDict(frozen=True)

    assets: int = Field(description="Assets that are no uploads")
    by_state: dict[Activity, int] = Field(description="Of them by what they do; a state that none is in is not there")
    uploads: int
    power_w: FleetSum = Field(description="Power of the assets that are not silent, > 0 charging")
    energy_in_today_kwh: FleetSum = Field(description="Charged on the day of `day_start`, by windows of a day")
    energy_out_today_kwh: FleetSum = Field(description="Discharged on that day")
    day_start: str = Field(
        description="Today, or the day that most assets are at if none has rows of today; ISO 8601, UTC"
    )
    rows: int = Field(description="Rows that are neither rejected nor repeats, of all assets")
    rows_rejected: int
    partitions: list[int]
    behind: int = Field(description="Assets that have changed since they were counted")
    meta: AnswerMeta
