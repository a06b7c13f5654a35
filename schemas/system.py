"""The workers of the group and what each of them does."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PartitionState(BaseModel):
    """A partition of the measurements topic at its owner."""

    model_config = ConfigDict(frozen=True)

    partition: int
    position: int = Field(description="Next source offset that is not included yet")
    lag: int | None = Field(description="Messages in Kafka that are not included yet; null while unknown")
    messages_per_s: float | None = Field(
        default=None, description="In the last ten seconds; null: the worker has not had it for so long"
    )
    checkpoint_time: str | None = Field(
        default=None,
        description="When its newest checkpoint was seen, to ten seconds; ISO 8601, UTC; null: none was yet",
    )


class WorkerState(BaseModel):
    """One worker."""

    model_config = ConfigDict(frozen=True)

    url: str = Field(examples=["http://worker-0:8000"])
    phase: str = Field(examples=["ready"])
    detail: str
    connected: bool = Field(description="Whether Kafka counts this worker in")
    partitions: list[PartitionState]
    rows_per_s: float | None = Field(default=None, description="Rows applied in the last ten seconds")


class SystemAnswer(BaseModel):
    """All workers that answer, and what nobody answers for."""

    model_config = ConfigDict(frozen=True)

    workers: list[WorkerState]
    unreachable: list[str] = Field(description="URLs of workers of the group that do not answer")
    without_owner: list[int] = Field(description="Partitions that no worker that answers has")


class HistoryStep(BaseModel):
    """Some seconds of a worker."""

    model_config = ConfigDict(frozen=True)

    time: str = Field(description="Their end; ISO 8601, UTC")
    rows_per_s: float = Field(description="Rows applied; those read again after a fault count again")
    messages_per_s: dict[int, float] = Field(description="By partition, as checkpoints include them")
    lag: dict[int, int | None] = Field(description="By partition, at the end; null while unknown")


class WorkerHistory(BaseModel):
    """The last hour of one worker; it begins when the worker started."""

    model_config = ConfigDict(frozen=True)

    url: str
    step_s: int = Field(examples=[10])
    steps: list[HistoryStep] = Field(description="The oldest first")


class HistoryAnswer(BaseModel):
    """The last hour of all workers that answer."""

    model_config = ConfigDict(frozen=True)

    workers: list[WorkerHistory]
    unreachable: list[str] = Field(description="URLs of workers of the group that do not answer")
