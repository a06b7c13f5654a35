"""Checkpoints that are collected and written together."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.infra.kafka.update_batches import UpdateBatches
from stream_app.infra.traces import CheckpointSpan
from stream_app.usecases.ports import Checkpoint


class Collected(NamedTuple):
    """A checkpoint, the batches of its updates and its span."""

    checkpoint: Checkpoint
    updates: UpdateBatches
    span: CheckpointSpan

    @property
    def size_bytes(self) -> int:
        """What it takes in memory: compressed texts and values."""
        entries = chain(self.checkpoint.windows, self.checkpoint.assets)
        return self.updates.size_bytes + sum(len(entry.packed or b"") for entry in entries)


@dataclass(slots=True)
class UnderWay:
    """Checkpoints that are written together."""

    began: float
    generation: int | None
    collected: list[Collected] = field(default_factory=list)
    size_bytes: int = 0
    failed: list[TopicPartition] = field(default_factory=list)  # whose checkpoint cannot be made
    work_s: float = 0.0  # CPU time of collecting them [s]
