"""Answers of the batch API: an upload is a task that is polled until it has succeeded."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.metrics import MetricValue

TaskState = Literal["PENDING", "STARTED", "SUCCESS", "FAILURE"]


class TaskAccepted(BaseModel):
    """The upload's rows are all in Kafka; poll the task for its result."""

    task_id: str
    warnings: list[str] | None = Field(
        default=None, description="How the file was read, what is suspicious, what was left out; not there when nothing"
    )


class TaskData(BaseModel):
    """Result of an upload. ``rte`` and ``c_rate`` are API v1's own definitions; null where undefined (see metrics)."""

    rte: float | None
    c_rate: float | None
    total_data_points: int
    metrics: dict[str, MetricValue] = Field(description="Every metric over the whole upload, by name")


class TaskProgress(BaseModel):
    """How far an upload is."""

    rows_sent: int | None = Field(description="Rows in the file; null while unknown")
    rows_applied: int
    rows_rejected: int


class AssetResult(BaseModel):
    """Result of one asset of a file that holds several."""

    asset_id: str = Field(description="As the file names it")
    state: TaskState
    data: TaskData | None = None
    progress: TaskProgress | None = None
    error: str | None = Field(default=None, description="Why it failed")


class TaskStatus(BaseModel):
    """State of one upload."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    state: TaskState
    data: TaskData | None = None
    progress: TaskProgress | None = None
    error: str | None = Field(default=None, description="Why it failed")
    warnings: list[str] | None = Field(
        default=None, description="As the answer to the upload had them; not there when nothing is to be said"
    )
    assets: list[AssetResult] | None = Field(
        default=None, description="Of a file with several assets, in place of data: a result each; else not there"
    )
