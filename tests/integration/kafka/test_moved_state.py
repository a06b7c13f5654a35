"""A state that is computed anew, or goes on with another log: seq never goes back, and no row is lost or doubled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream_app.infra.kafka.errors import (
    ResetUnfinishedError,
    SourceTruncatedError,
    StateInUseError,
)
from stream_app.infra.kafka.log.topics import Topics
from stream_app.infra.kafka.stored_state import StoredState
from stream_app.settings import KafkaSettings
from stream_app.usecases.ports import MARKER_KEY
from tests.integration.kafka.other_logs import filled, ingest, lifetimes, markers, position_is, recreate, rows
from tests.integration.kafka.running import produce, producing, running

pytestmark = pytest.mark.kafka


async def test_adopt_goes_on_with_the_state_from_the_beginning_of_the_new_log(kafka: KafkaSettings) -> None:
    """All rows of both logs count once, seq never goes back, and a restart goes on in the new log."""
    await filled(kafka, rows(0, 30))
    old = await lifetimes(kafka)
    await recreate(kafka)
    await produce(kafka, rows(100, 110), partition=0)
    state = await StoredState.read(kafka)
    await state.adopt({each.number: each.log_start for each in state.partitions})
    async with running(kafka, ingest=ingest) as run:
        await position_is(run, 10)
    await produce(kafka, rows(110, 125), partition=0)
    async with running(kafka, ingest=ingest) as run:
        await position_is(run, 25)
        assert run.worker.lag(0) == 0
    found = await lifetimes(kafka)
    assert found[max(found)] == 55
    assert min(set(found) - set(old)) > max(old)
    assert (await markers(kafka))[-1].shift % 1_000_000_000 == 0


async def test_adopt_of_a_restored_copy_goes_on_where_the_state_is(kafka: KafkaSettings) -> None:
    """The copy has the same rows at the same offsets, and more: only these are new."""
    await filled(kafka, rows(0, 30))
    await recreate(kafka)
    await produce(kafka, rows(0, 45), partition=0)
    state = await StoredState.read(kafka)
    await state.adopt(None)
    async with running(kafka, ingest=ingest) as run:
        await position_is(run, 45)
    found = await lifetimes(kafka)
    assert found[max(found)] == 45
    assert max(found) == 44


async def test_adopt_of_a_copy_that_is_shorter_than_the_state_is_told(kafka: KafkaSettings) -> None:
    """A position beyond the log's end is never settled by reading from another place."""
    await filled(kafka, rows(0, 30))
    await recreate(kafka)
    await produce(kafka, rows(0, 20), partition=0)
    await (await StoredState.read(kafka)).adopt(None)
    async with running(kafka, ready=False, ingest=ingest) as run:
        with pytest.raises(SourceTruncatedError, match="ends at offset 20, but the state is at 30"):
            await run.task


async def test_reset_computes_anew_and_seq_goes_on(kafka: KafkaSettings) -> None:
    """After a reset the state is that of the log's rows alone; whoever keeps the highest seq has it."""
    await filled(kafka, [*rows(0, 30), *rows(0, 5, "gone")])
    old = await lifetimes(kafka)
    await recreate(kafka)
    await produce(kafka, rows(0, 12), partition=0)
    await (await StoredState.read(kafka)).reset()
    async with running(kafka, ingest=ingest) as run:
        await position_is(run, 12)
        assert run.worker.tables.asset(0, b"gone") is None
        assert list(run.worker.tables.asset_keys(0)) == [b"a"]
    found = await lifetimes(kafka)
    assert found[max(found)] == 12
    assert min(set(found) - set(old)) > max(old)
    async with running(kafka, ingest=ingest) as run:  # recovered from the changelogs
        assert list(run.worker.tables.asset_keys(0)) == [b"a"]


async def test_a_reset_that_was_cut_short_is_not_taken_for_a_state(kafka: KafkaSettings) -> None:
    """The worker refuses what is left; a second reset mends it."""
    await filled(kafka, rows(0, 30))
    begun = replace((await markers(kafka))[-1], resetting=True)
    async with producing(kafka) as producer:
        await producer.send_and_wait(Topics.of(kafka).assets_changelog, begun.dump(), key=MARKER_KEY, partition=0)
    with pytest.raises(ResetUnfinishedError, match="run `stream-app reset` again"):
        await (await StoredState.read(kafka)).adopt(None)
    async with running(kafka, ready=False, ingest=ingest) as run:
        with pytest.raises(ResetUnfinishedError):
            await run.task
    await (await StoredState.read(kafka)).reset()
    async with running(kafka, ingest=ingest) as run:
        await position_is(run, 30)
    found = await lifetimes(kafka)
    assert found[max(found)] == 30


async def test_no_state_is_changed_below_a_worker(kafka: KafkaSettings) -> None:
    """Reset and adopt refuse while the group has a member, and name it."""
    async with running(kafka):
        with pytest.raises(StateInUseError, match=r"1 active member.*stop all workers"):
            await StoredState.read(kafka)
