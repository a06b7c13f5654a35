"""A real ingest, tables and processor on a site's log, with a member and a sink that tests hold in their hands."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator

from stream_app.domain.source import Source
from stream_app.infra.kafka.checkpoint_sink import CheckpointSink
from stream_app.infra.kafka.lease import Lease
from stream_app.infra.kafka.log.compression import ZSTD, Codec
from stream_app.infra.kafka.log.records import Written
from stream_app.infra.kafka.member import Offsets
from stream_app.infra.kafka.processor import Processor
from stream_app.infra.kafka.reject_reports import RejectReports
from stream_app.infra.kafka.tables import TableStore
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.infra.kafka.update_batches import UpdateBatches
from stream_app.usecases.ingest import Ingest
from stream_app.usecases.ports import Checkpoint, WholeCheckpoint
from stream_app.usecases.rejected_rows import RejectedRows
from stream_app.usecases.spans import KeptWindows
from stream_app.wire.encode.update_list import UpdateList
from tests.unit.usecases.site import Site

SOURCE = TopicPartition("measurements", 0)


class FakeMember:
    """A member that reads partition 0 from its begin on."""

    source, rebalancing, stopping = "measurements", False, False

    def __init__(self) -> None:
        self.generation: int | None = 1
        self.lease = Lease(1e6, lambda: 0.0)
        self.lease.renew(0.0)
        self.since: dict[TopicPartition, int] = {SOURCE: 0}
        self.committed: dict[TopicPartition, int] = {}
        self.end = 1_000_000
        self.read_again = asyncio.Event()

    def reading_since(self, tp: TopicPartition) -> int | None:
        return self.since.get(tp)

    def log_end_of(self, tp: TopicPartition) -> int | None:
        return self.end_of(tp)

    def end_of(self, tp: TopicPartition) -> int | None:
        return self.end

    def recovering(self) -> Offsets:
        return {}

    def refusals(self) -> int:
        return 0

    def read_only(self, source: Source) -> None:
        return None

    async def foreign_commits(self, tps: Collection[TopicPartition]) -> Offsets:
        return {}

    async def position(self, tp: TopicPartition) -> int:
        return 0

    async def log_starts(self, tps: Collection[TopicPartition]) -> Offsets:
        return dict.fromkeys(tps, 0)

    async def ends(self, tps: Collection[TopicPartition]) -> Offsets:
        return dict.fromkeys(tps, self.end)

    async def seek(self, positions: Offsets) -> None:
        raise AssertionError

    async def read_from(self, positions: Offsets) -> None:
        self.since.update(positions)
        self.read_again.set()

    def checkpointed(self, tp: TopicPartition, position: int) -> None:
        self.committed[tp] = position

    def fail(self, error: Exception) -> None:
        raise error


class KeptUpdates(UpdateBatches):
    """Batches that can be asked what is in them."""

    def __init__(self, topic: str, partitions: int, codec: Codec, cure: str) -> None:
        super().__init__(topic, partitions, codec, cure)
        self.parts: list[UpdateList] = []

    def put(self, updates: UpdateList) -> Iterator[None]:
        self.parts.append(updates)
        return super().put(updates)


class HeldSink(CheckpointSink):
    """Each write waits until the test says how it ends."""

    def __init__(self) -> None:
        self.writing: asyncio.Queue[tuple[WholeCheckpoint, asyncio.Future[None]]] = asyncio.Queue()

    @property
    def built_s(self) -> float:
        return 0.0

    async def prepare(self) -> None:
        pass

    def update_batches(self, traceparent: bytes | None = None) -> UpdateBatches:
        return KeptUpdates("metrics", 1, ZSTD, "make it smaller")

    async def write(self, checkpoint: Checkpoint, updates: UpdateBatches) -> tuple[Written | None, Written | None]:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        assert isinstance(updates, KeptUpdates)
        parts = checkpoint.dead_letters, checkpoint.windows, checkpoint.assets
        whole = WholeCheckpoint(checkpoint.partition, checkpoint.position, *parts, UpdateList.joined(updates.parts))
        self.writing.put_nowait((whole, over))
        await over
        return None, None

    async def discard(self) -> None:
        pass


IDENTITY = Source("measurements", "1")


async def ask() -> Source:
    return IDENTITY


class Bench:
    """A processor on a site's log."""

    def __init__(self, emit_interval_s: float, tables: TableStore | None) -> None:
        self.site, self.member, self.sink = Site(), FakeMember(), HeldSink()
        self.tables = tables or TableStore(self.member, "assets", "windows")
        for table in self.tables.tables():
            table.serve([0])
        self.ingest = Ingest(
            tables=self.tables,
            catalogue=self.site.catalogue,
            window_sizes_s=(60, 3600),
            kept_windows=KeptWindows({}, 24),
            emit_interval_s=emit_interval_s,
        )
        reports = RejectReports("measurements", RejectedRows(lambda: 0.0))
        self.ingest.source = IDENTITY
        self.processor = Processor(self.member, self.ingest, self.tables, self.sink, reports, 0.001, ask)

    async def apply(self, start: int = 0, end: int | None = None) -> None:
        await self.processor.apply(self.site.fetch(start, end), 1)

    def states(self) -> list[bytes]:
        return sorted(self.tables.asset_keys(0))
