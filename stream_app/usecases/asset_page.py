"""A page of a list of assets, as it is answered."""

from __future__ import annotations

from dataclasses import dataclass, field

from stream_app.usecases.fleet_order import Activity
from stream_app.usecases.lookup import Freshness


@dataclass(frozen=True, slots=True)
class ListedMetric:
    """A metric of a lifetime, as :class:`schemas.fleet.ListedMetric` describes."""

    value: float | None
    unit: str
    reason: str | None = None
    sigma: float | None = None


@dataclass(frozen=True, slots=True)
class ListedAsset:
    """One asset of a list, as :class:`schemas.fleet.AssetItem` describes."""

    asset_id: str
    partition: int
    rows: int
    last_time: str | None
    rows_rejected: int = 0
    received_time: str | None = None
    state: Activity = "unknown"
    soc_percent: float | None = None
    power_w: float | None = None
    efficiency: ListedMetric | None = None
    soh: ListedMetric | None = None
    coverage: ListedMetric | None = None
    metrics: dict[str, ListedMetric] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AssetList:
    """A page of assets in the order that was asked for, as :class:`schemas.fleet.AssetPage` describes.

    ``values`` are what decides the order, for whoever merges pages.
    """

    assets: list[ListedAsset]
    next_cursor: str | None
    partitions: list[int]
    meta: Freshness
    behind: int = 0
    values: list[float | None] = field(default_factory=list)
