"""A member of the consumer group as its worker sees it, and the worker as the member sees it.

``engine`` implements :class:`Member` with Faust; another consumer would replace that folder alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from stream_app.domain.source import Source
from stream_app.infra.kafka.lease import Lease
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.wire.batch import Fetch

Offsets = Mapping[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A worker as the group's coordinator knows it."""

    member_id: str
    url: str
    host: str  # address from which it is connected to the broker


class Member(Protocol):
    """Reads the partitions that the group has given to this worker.

    Each ``async`` method raises BrokerError or TimeoutError when the broker refuses or does not answer, also for a
    partition that went away meanwhile.
    """

    @property
    def source(self) -> str:
        """Topic whose rows are applied; the others are changelogs."""
        ...

    @property
    def lease(self) -> Lease:
        """Proof of the membership, kept by its heartbeats."""
        ...

    @property
    def generation(self) -> int | None:
        """Number that grows with each rebalance of the group."""
        ...

    @property
    def rebalancing(self) -> bool:
        """Whether partitions are being assigned and recovered."""
        ...

    @property
    def stopping(self) -> bool:
        """Whether the worker is to end."""
        ...

    def reading_since(self, tp: TopicPartition) -> int | None:
        """Offset at which reading of a source partition last began."""
        ...

    def end_of(self, tp: TopicPartition) -> int | None:
        """End of what may be read of a partition, as of the last fetch; None while unknown.

        It is before the first transaction that is open: what follows is read when that has ended.
        """
        ...

    def log_end_of(self, tp: TopicPartition) -> int | None:
        """End of a partition with the transactions that are open, as of the last fetch; None while unknown."""
        ...

    def recovering(self) -> Offsets:
        """Next offset that each changelog waits for while the tables are being recovered."""
        ...

    def refusals(self) -> int:
        """Count the answers in which the broker refused a fetch of the source: its log may have been changed."""
        ...

    def read_only(self, source: Source) -> None:
        """Have the broker refuse every fetch of another topic than this one; it must be able to tell ids."""
        ...

    async def foreign_commits(self, tps: Collection[TopicPartition]) -> Offsets:
        """Committed offsets of the group that no worker has committed: they were set by a tool."""
        ...

    async def position(self, tp: TopicPartition) -> int:
        """Next offset that will be fetched."""
        ...

    async def log_starts(self, tps: Collection[TopicPartition]) -> Offsets:
        """First offset that the broker still has of each partition."""
        ...

    async def ends(self, tps: Collection[TopicPartition]) -> Offsets:
        """End of each partition, asked of the broker."""
        ...

    async def seek(self, positions: Offsets) -> None:
        """Fetch on from these offsets."""
        ...

    async def read_from(self, positions: Offsets) -> None:
        """Seek in source partitions, and remember that reading began there."""
        ...

    def checkpointed(self, tp: TopicPartition, position: int) -> None:
        """Let the next commit say that all rows before ``position`` are done."""
        ...

    def fail(self, error: Exception) -> None:
        """End the worker with an error: going on would lose data or never end."""
        ...


class MemberLife(Protocol):
    """Called by a member, in this order; from ``assigned`` to ``revoked`` once for each generation."""

    async def prepare(self) -> None:
        """Wait for the broker; the member connects when this returns."""
        ...

    def assigned(self) -> None:
        """Partitions were given to this worker; the tables are recovered next."""
        ...

    async def recovered(self) -> None:
        """The tables are complete: reading may begin."""
        ...

    async def apply(self, fetch: Fetch, generation: int | None) -> None:
        """Apply a fetch of the source that was made in a generation, maybe one that has ended."""
        ...

    async def revoked(self) -> None:
        """Others may get the partitions once this returns."""
        ...

    async def leave(self) -> None:
        """Finish the work; the member leaves the group when this returns."""
        ...
