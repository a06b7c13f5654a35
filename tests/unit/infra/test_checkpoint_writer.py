"""Checkpoints beside the rows that are applied meanwhile: a real ingest and tables, a sink that holds its writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from stream_app.infra.kafka import checkpoint_writer
from stream_app.infra.kafka.errors import BrokerError
from stream_app.infra.kafka.tables import TableStore
from stream_app.usecases.ports import MARKER_KEY, Checkpoint
from tests.unit.infra.checkpoint_bench import SOURCE, Bench
from tests.unit.usecases.site import a_row


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
        bench.site.add("a", *(a_row(i) for i in range(100)))
        updates, position = True, 0
        while updates:  # on a slow machine the next update's time may have come before its row
            position += 1
            await bench.apply(position - 1, position)
            state, over = await bench.sink.writing.get()
            updates = len(state.updates) > 0
            await written(bench, over, position)
        last, _ = await bench.sink.writing.get()
        tables = bench.tables
    async with writing(emit_interval_s=0.2, tables=tables) as later:
        await later.processor.begin()
        again, over = await later.sink.writing.get()
        assert list(again.updates) == list(last.updates)
        await written(later, over, position)


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
