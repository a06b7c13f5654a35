"""Answers of the batch API: an upload is a task that is polled until it has succeeded."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.metrics import MetricValue

TaskState = Literal["PENDING", "STARTED", "SUCCESS", "FAILURE"]


class TaskAccepted(BaseModel):
    """The file was taken; poll the task for its result."""

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


class ReadingProgress(BaseModel):
    """How far a file is read: to check it, and once more to send its rows."""

    phase: Literal["waiting", "checking", "sending", "sent", "failed"]
    percent: float = Field(description="Of both readings [%]", ge=0, le=100)
    bytes_read: int = Field(description="In this reading")
    bytes: int = Field(description="Size of the file; 0: unknown")
    rows_read: int | None = Field(description="Rows in the file that count; null until it has been checked")
    rows_published: int = Field(description="Rows that are in Kafka")


class TaskProgress(BaseModel):
    """How far an upload is."""

    rows_sent: int | None = Field(description="Rows in the file; null while unknown")
    rows_applied: int
    rows_rejected: int
    reading: ReadingProgress | None = Field(default=None, description="Only while the file is read")


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


class TaskItem(BaseModel):
    """One upload of a list."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    state: TaskState
    rows_applied: int
    rows_rejected: int
    ended: str | None = Field(description="When all of it had been sent, or it failed; ISO 8601, UTC; null: not yet")
    error: str | None = Field(default=None, description="Why it failed")
    reading: ReadingProgress | None = Field(default=None, description="Only while the file is read")


class TaskPage(BaseModel):
    """Uploads by task id, ascending."""

    model_config = ConfigDict(frozen=True)

    tasks: list[TaskItem]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one")


class TaskCancelled(BaseModel):
    """The task is being stopped, or forgotten."""

    task_id: str
