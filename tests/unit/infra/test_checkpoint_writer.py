"""Checkpoints beside the rows that are applied meanwhile: a real ingest and tables, a sink that holds its writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from stream_app.infra.kafka import checkpoint_writer
from stream_app.infra.kafka.checkpoint_sink import CheckpointSink
from stream_app.infra.kafka.errors import BrokerError
from stream_app.infra.kafka.lease import Lease
from stream_app.infra.kafka.log.records import Written
from stream_app.infra.kafka.member import Offsets
from stream_app.infra.kafka.processor import Processor
from stream_app.infra.kafka.reject_reports import RejectReports
from stream_app.infra.kafka.tables import TableStore
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.usecases.checkpoints import KeptWindows
from stream_app.usecases.ingest import Ingest
from stream_app.usecases.ports import MARKER_KEY, Checkpoint
from stream_app.usecases.rejected_rows import RejectedRows
from tests.unit.usecases.site import Site, a_row

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


class HeldSink(CheckpointSink):
    """Each write waits until the test says how it ends."""

    def __init__(self) -> None:
        self.writing: asyncio.Queue[tuple[Checkpoint, asyncio.Future[None]]] = asyncio.Queue()

    @property
    def built_s(self) -> float:
        return 0.0

    async def write(self, checkpoint: Checkpoint) -> tuple[Written | None, Written | None]:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.writing.put_nowait((checkpoint, over))
        await over
        return None, None

    async def discard(self) -> None:
        pass


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
        self.processor = Processor(self.member, self.ingest, self.tables, self.sink, reports, interval_s=0.001)

    async def apply(self, start: int = 0, end: int | None = None) -> None:
        await self.processor.apply(self.site.fetch(start, end), 1)

    def states(self) -> list[bytes]:
        return sorted(self.tables.asset_keys(0))


@asynccontextmanager
async def writing(emit_interval_s: float = 0, tables: TableStore | None = None) -> AsyncIterator[Bench]:
    """A processor that writes checkpoints when they are due."""
    bench = Bench(emit_interval_s, tables)
    task = asyncio.create_task(bench.processor.checkpoint_when_due())
    try:
        async with asyncio.timeout(60):
            yield bench
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def keys(checkpoint: Checkpoint) -> list[bytes]:
    return [entry.key for entry in checkpoint.assets if entry.key != MARKER_KEY]


async def written(bench: Bench, over: asyncio.Future[None], position: int) -> None:
    """End a write well: the tables then have it."""
    over.set_result(None)
    await bench.processor.checkpoints.settled()
    assert bench.tables.position(0) == position


async def test_rows_are_applied_while_a_checkpoint_is_written() -> None:
    """The second checkpoint waits for the first, and has what came meanwhile."""
    async with writing() as bench:
        bench.site.add("a", a_row(0))
        bench.site.add("b", a_row(0))
        await bench.apply(0, 1)
        first, over = await bench.sink.writing.get()
        await bench.apply(1, 2)
        assert bench.ingest.position(0) == 2
        assert bench.sink.writing.empty()
        await written(bench, over, 1)
        second, over = await bench.sink.writing.get()
        await written(bench, over, 2)
        assert (keys(first), keys(second)) == ([b"a"], [b"b"])
        assert bench.member.committed == {SOURCE: 2}


async def test_a_write_that_fails_is_repeated_with_what_came_meanwhile() -> None:
    """Nothing of it is in the tables before."""
    async with writing() as bench:
        bench.site.add("a", a_row(0))
        bench.site.add("b", a_row(0))
        await bench.apply(0, 1)
        _, over = await bench.sink.writing.get()
        await bench.apply(1, 2)
        over.set_exception(BrokerError("no"))
        again, over = await bench.sink.writing.get()
        assert (keys(again), bench.states()) == ([b"a", b"b"], [])
        await written(bench, over, 2)
        assert bench.states() == [b"a", b"b"]


async def test_a_state_released_meanwhile_is_read_again_once_the_write_is_over() -> None:
    """Else it could begin from tables that the write is about to change."""
    async with writing() as bench:
        bench.site.add("a", *(a_row(i) for i in range(5)))
        await bench.apply(0, 2)
        _, over = await bench.sink.writing.get()
        gap = asyncio.create_task(bench.apply(4, 5))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not bench.member.read_again.is_set()
        await written(bench, over, 2)
        await gap
        assert bench.member.since == {SOURCE: 2}
        await bench.apply(2)
        _, over = await bench.sink.writing.get()
        await written(bench, over, 5)


@pytest.mark.parametrize("change", ["generation", "closed"])
async def test_what_is_acked_after_the_generation_is_left_to_the_next(change: str) -> None:
    """The tables may be another's by now: they do not take it, and nothing is committed."""
    async with writing() as bench:
        bench.site.add("a", a_row(0))
        await bench.apply()
        _, over = await bench.sink.writing.get()
        if change == "generation":
            bench.member.generation = 2
        else:
            bench.tables.close()
        bench.processor.drop()
        over.set_result(None)
        await bench.processor.checkpoints.settled()
        assert (bench.states(), bench.member.committed) == ([], {})


async def test_a_checkpoint_collected_in_a_generation_that_ended_is_not_written() -> None:
    """It may end between two slices."""
    async with writing() as bench:
        bench.site.add("a", a_row(0))
        collect, ended = bench.ingest.collect, asyncio.Event()

        def ends_meanwhile(partition: int) -> Any:
            slices = collect(partition)
            next(slices)
            bench.member.generation = 2
            ended.set()
            return (yield from slices)

        bench.ingest.collect = ends_meanwhile  # type: ignore[method-assign]
        await bench.apply()
        await ended.wait()
        await bench.processor.checkpoints.settled()
        assert bench.sink.writing.empty()


async def test_the_last_checkpoint_of_a_generation_waits_for_the_one_under_way() -> None:
    """It then writes what came meanwhile, and the state is forgotten."""
    async with writing() as bench:
        bench.site.add("a", a_row(0), a_row(1))
        await bench.apply(0, 1)
        _, over = await bench.sink.writing.get()
        await bench.apply(1, 2)
        ending = asyncio.create_task(bench.processor.end_generation())
        await written(bench, over, 1)
        _, over = await bench.sink.writing.get()
        over.set_result(None)
        await ending
        assert bench.tables.position(0) == 2
        assert not bench.tables.recovered()


async def test_an_update_that_was_held_back_needs_no_further_row() -> None:
    """When its time has come a checkpoint has it alone; a processor that starts before that writes it at once."""
    async with writing(emit_interval_s=0.2) as bench:
        bench.site.add("a", a_row(0), a_row(1))
        await bench.apply(0, 1)
        _, over = await bench.sink.writing.get()
        await written(bench, over, 1)
        await bench.apply(1, 2)
        while not (last := await bench.sink.writing.get())[0].updates:
            await written(bench, last[1], 2)  # its state; on a slow machine its time may have come already
        tables = bench.tables
    async with writing(emit_interval_s=0.2, tables=tables) as later:
        await later.processor.begin()
        again, over = await later.sink.writing.get()
        assert list(again.updates) == list(last[0].updates)
        await written(later, over, 2)


async def test_a_rest_ends_when_no_row_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it is: it leaves time to rows that wait to be applied, and there are none."""
    for name in ("_REST_PER_WORK", "_REST_MAX_S"):
        monkeypatch.setattr(checkpoint_writer, name, 1e9)
    async with writing() as bench:
        bench.site.add("a", a_row(0), a_row(1))
        await bench.apply(0, 1)
        _, over = await bench.sink.writing.get()
        await written(bench, over, 1)
        await bench.apply(1, 2)
        _, over = await bench.sink.writing.get()
        await written(bench, over, 2)


async def test_large_checkpoints_are_written_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is collected once the first is written, and not held in memory before."""
    monkeypatch.setattr(checkpoint_writer, "_WRITTEN_AT_ONCE_BYTES", 1)
    bench = Bench(0, None)
    for table in bench.tables.tables():
        table.serve([0, 1])
    bench.member.since[SOURCE._replace(partition=1)] = 0
    bench.site.add("a", a_row(0), a_row(1))
    for partition in (0, 1):
        await bench.processor.apply(replace(bench.site.fetch(0, 1), partition=partition), 1)
    ending = asyncio.create_task(bench.processor.end_generation())
    first, over = await bench.sink.writing.get()
    assert bench.sink.writing.empty()
    await bench.processor.apply(replace(bench.site.fetch(1, 2), partition=1), 1)
    over.set_result(None)
    second, over = await bench.sink.writing.get()
    over.set_result(None)
    await ending
    assert [(each.partition, each.position) for each in (first, second)] == [(0, 1), (1, 2)]
