"""What the metrics topic carries and what a look-up answers: one model for both."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.asset import AssetId


class MetricValue(BaseModel):
    """One metric's reading. ``value`` is null exactly when ``reason`` is there."""

    model_config = ConfigDict(frozen=True)

    value: float | int | list[float] | None
    unit: str = Field(description="Unit of the value; 1 for a ratio", examples=["kWh"])
    reason: str | None = Field(default=None, description="Machine-readable reason of a null", examples=["no_charge"])
    sigma: float | None = Field(default=None, description="Standard uncertainty (1 sigma), in the value's unit")
    value_unchecked: float | None = Field(
        default=None, description="What the value would be if the reason, which is about its meaning, were ignored"
    )
    coverage: float | None = Field(default=None, ge=0, le=1, description="Share of the time that valid steps cover")
    since: str | None = Field(
        default=None,
        description="ISO 8601, UTC: the metric counts from here, where it was added later than the window began",
    )


class Window(BaseModel):
    """A tumbling event-time window, or the asset's lifetime (``end`` is null then)."""

    model_config = ConfigDict(frozen=True)

    size: str = Field(examples=["15m", "lifetime"])
    start: str = Field(description="ISO 8601, UTC; lifetime: stamp of the first row")
    end: str | None = Field(description="ISO 8601, UTC, exclusive; null for lifetime")


class _Update(BaseModel):
    model_config = ConfigDict(frozen=True)

    asset_id: AssetId
    partition: int | None = Field(
        default=None,
        ge=0,
        description="Partition of the measurements topic that has the rows, within which `seq` counts; 0 for a file. "
        "Updates of early releases have none",
    )
    window: Window
    seq: int = Field(ge=0, description="Last source offset applied (after a reset: plus a multiple of 10^9)")
    final: bool = Field(description="The window is closed: no later update of it follows")


class MetricsUpdate(_Update):
    """State of one asset and window after source offset ``seq``.

    Same asset, partition, window and ``seq``: same bytes. A consumer that keeps the highest ``seq`` per asset and
    window has the newest state, whatever was repeated. An asset has one partition, unless its producers choose it
    differently.
    """

    metrics: dict[str, MetricValue]


class FlatUpdate(_Update):
    """The same state with one type for all values, for typed readers (``STREAM_OUTPUT__FORMAT=flat`` or ``both``)."""

    values: dict[str, float] = Field(
        description="Metrics by name; an undefined value is absent. Number 3 of a list is name.3, counted from 0",
        examples=[{"energy_in_kwh": 12.5, "soc_dwell_s.0": 0.0, "soc_dwell_s.1": 60.0}],
    )


class UpdateHeaders(BaseModel):
    """Kafka headers of an update, as UTF-8 text: a consumer filters by them without parsing the value."""

    model_config = ConfigDict(frozen=True)

    size: str = Field(description="Window size", examples=["15m", "lifetime"])
    final: Literal["true", "false"] = Field(description="Whether the window is closed")
    seq: str = Field(pattern="^[0-9]+$", description="Last source offset applied", examples=["4711"])
    asset: AssetId


class EventHeaders(BaseModel):
    """Further headers of an update with ``STREAM_OUTPUT__CLOUDEVENTS``: a CloudEvent in Kafka's binary mode.

    A repeated update is the same event: it has the same source and id.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    content_type: Literal["application/json"] = Field(default="application/json", alias="content-type")
    ce_specversion: Literal["1.0"] = "1.0"
    ce_type: Literal["app.stream.metrics.update.v1"] = "app.stream.metrics.update.v1"
    ce_source: str = Field(
        description="Application id and partition of the measurements topic", examples=["/stream-app/3"]
    )
    ce_id: str = Field(
        description="Asset, size and start of the window, and seq",
        examples=["bess-001/15m/2022-04-13T00:00:00Z/4711"],
    )


#: Stands between asset id, size and start in the key of a window (``STREAM_KAFKA__METRICS_KEY=window``); none has it.
KEY_SEPARATOR: Final = "/"
