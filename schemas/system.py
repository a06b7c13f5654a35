"""The workers of the group and what each of them does."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PartitionState(BaseModel):
    """A partition of the measurements topic at its owner."""

    model_config = ConfigDict(frozen=True)

    partition: int
    position: int = Field(description="Next source offset that is not included yet")
    lag: int | None = Field(description="Messages in Kafka that are not included yet; null while unknown")


class WorkerState(BaseModel):
    """One worker."""

    model_config = ConfigDict(frozen=True)

    url: str = Field(examples=["http://worker-0:8000"])
    phase: str = Field(examples=["ready"])
    detail: str
    connected: bool = Field(description="Whether Kafka counts this worker in")
    partitions: list[PartitionState]


class SystemAnswer(BaseModel):
    """All workers that answer, and what nobody answers for."""

    model_config = ConfigDict(frozen=True)

    workers: list[WorkerState]
    unreachable: list[str] = Field(description="URLs of workers of the group that do not answer")
    without_owner: list[int] = Field(description="Partitions that no worker that answers has")
