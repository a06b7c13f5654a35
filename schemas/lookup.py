"""Answers of look-ups: what the tables hold, and how fresh and from whom it is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from schemas.asset import AssetId, AssetSpec
from schemas.metrics import MetricsUpdate
from schemas.rejected import RejectCode


class AnswerMeta(BaseModel):
    """How fresh an answer is and which worker gave it."""

    model_config = ConfigDict(frozen=True)

    owner: str = Field(description="URL of the worker that answered", examples=["http://worker-0:8000"])
    seq: int | None = Field(description="Last source offset included; null where an answer spans partitions")
    lag: int | None = Field(description="Messages in Kafka that are not included yet; null while unknown")
    stale: bool = Field(description="Messages are missing, or it cannot be told")


class AssetMeta(AnswerMeta):
    """The same of one asset."""

    partition: int = Field(ge=0, description="Partition of the measurements topic where the asset's rows live")
    rows: int = Field(ge=0, description="Rows included; 0: nothing but a spec is known yet")
    also_in: list[int] = Field(
        default=[],
        description="Other partitions that have rows of the asset, since its producers use different partitioners: "
        "this answer is without these rows",
    )


class AssetRejected(BaseModel):
    """Rows of an asset that went to the dead letters, counted by the worker that has its partition now."""

    model_config = ConfigDict(frozen=True)

    rows: int = Field(gt=0, description="Rows; a message that was refused as a whole counts as one")
    share: float = Field(description="Of the asset's rows since `since` [1]", gt=0, le=1)
    by_code: dict[RejectCode, int]
    reason: str = Field(description="Why the last of them was refused, and what to send instead")
    since: str = Field(description="When the first of them was refused; ISO 8601, UTC")


class SpanAnswer(BaseModel):
    """The newest windows of one size as one window: a rolling look-up."""

    model_config = ConfigDict(frozen=True)

    size: str = Field(description="The span that was asked for", examples=["24h"])
    pane: str = Field(description="Size of the windows that it is made of, the last of which is open", examples=["1h"])
    windows: int = Field(description="How many of them have rows")
    begin: str = Field(description="From where the span counts: the begin of a window; ISO 8601, UTC")
    end: str = Field(description="Newest stamp in it; ISO 8601, UTC")
    coverage: float | None = Field(description="Share of the time from begin to end that valid steps cover [1]")
    update: MetricsUpdate


class TemperatureBin(BaseModel):
    """Windows of one size that were as warm as each other, as one."""

    model_config = ConfigDict(frozen=True)

    from_c: float = Field(description="Their mean temperature is this or above [degC]", examples=[20.0])
    to_c: float = Field(description="and below this", examples=[25.0])
    windows: int = Field(gt=0, description="How many they are; the update's window has their length together")
    update: MetricsUpdate


class TemperaturesAnswer(BaseModel):
    """An asset by its temperature: what it is worth, and how long it was there, warm and cold."""

    model_config = ConfigDict(frozen=True)

    asset_id: AssetId
    size: str = Field(description="Size of the windows", examples=["1h"])
    bins: list[TemperatureBin] = Field(description="By temperature, ascending; those that have windows")
    unknown: int = Field(description="Windows without a temperature, which are in no bin")
    meta: AssetMeta


class AssetAnswer(BaseModel):
    """One asset: what is known of it, its lifetime and its open windows."""

    model_config = ConfigDict(frozen=True)

    asset_id: AssetId
    rows: int = Field(description="Rows that are neither rejected nor repeats")
    rows_rejected: int = Field(description="Rows that came too late, or whose stamps are not plausible")
    rows_held: int = Field(
        default=0, description="Of `rows` those that leapt ahead, and wait until a later row confirms them"
    )
    rows_repeated: int = Field(
        default=0, description="With duplicates=drop: rows that repeated another one and were left out"
    )
    rows_differing: int = Field(
        default=0, description="With duplicates=drop: rows that differ from all others of their stamp"
    )
    lateness_s: float = Field(default=0, description="A row may now be this far behind the newest stamp [s]")
    rejected: AssetRejected | None = Field(description="Rows rejected for any reason; null: none")
    first_time: str | None
    last_time: str | None
    ended: bool = Field(description="The asset was an upload and is complete")
    spec: AssetSpec
    lifetime: MetricsUpdate | None = Field(description="Null before the first row")
    open_windows: list[MetricsUpdate] = Field(description="By size, ascending")
    span: SpanAnswer | None = Field(default=None, description="With ?span= the newest windows as one; else not there")
    meta: AssetMeta


class WindowsAnswer(BaseModel):
    """Windows of one size, oldest first; the newest page ends with the open window."""

    model_config = ConfigDict(frozen=True)

    asset_id: AssetId
    size: str = Field(examples=["15m"])
    windows: list[MetricsUpdate]
    next_cursor: str | None = Field(description="`cursor` of the page before (older windows); null on the oldest")
    meta: AssetMeta


class SpecAnswer(BaseModel):
    """Nameplate and reading rules in force."""

    model_config = ConfigDict(frozen=True)

    asset_id: AssetId
    spec: AssetSpec
    meta: AssetMeta


class Accepted(BaseModel):
    """A control record is in Kafka and holds from ``offset`` on."""

    asset_id: AssetId
    partition: int
    offset: int


class Deleted(Accepted):
    """The record that deletes an asset is in Kafka."""

    also_in: list[int] = Field(default=[], description="Further partitions that had the asset: it is deleted there too")


class SpecAccepted(Accepted):
    """The spec is in Kafka and holds from ``offset`` on."""

    reset: list[str] = Field(
        default=[],
        description="Fields that had another value and have their default again: PUT replaces the whole spec",
        examples=[["nominal_capacity_ah"]],
    )


class RowsWritten(BaseModel):
    """Where rows of an asset stand."""

    partition: int
    offset: int = Field(description="They are included once this offset is: `?min_offset=` waits for it")


class RowsPosted(BaseModel):
    """Rows in one request."""

    accepted: int = Field(description="Rows that are in Kafka now")
    written: dict[AssetId, RowsWritten] = Field(default={}, description="By asset, where its rows stand")


class CatalogueEntry(BaseModel):
    """One metric."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(examples=["rte_v1"])
    unit: str = Field(examples=["1"])
    version: int
    description: str
    formula: str | None = Field(default=None, description="TeX; null where the description says it in words")
    notes: list[str] = Field(default=[], description="When the value is valid, and what it means")
    reasons: list[str] = Field(default=[], description="Why it may be null; docs/metrics.md explains each")
    reference: str | None = Field(default=None, description="Standard or paper that defines it")


class CatalogueAnswer(BaseModel):
    """Every metric that the processor computes."""

    metrics: list[CatalogueEntry]


class WorkerHealth(BaseModel):
    """What the worker is doing."""

    phase: str = Field(examples=["ready"])
    detail: str = Field(description="What the worker waits for, or what somebody should look at; empty: nothing")
