"""Where an asset is: found here, found elsewhere, not there, and not known."""

from __future__ import annotations

import asyncio

import pytest

from schemas.asset import AssetSpec
from stream_app.domain.reading import LIFETIME
from stream_app.usecases.errors import NotFoundError, UnavailableError
from stream_app.usecases.lookup import AssetFreshness
from stream_app.usecases.ports import PeerAnswer
from stream_app.usecases.queries import AssetFound, SpecFound
from tests.fakes import PARTITIONS, partition_of
from tests.worker import ELSEWHERE, HERE, THERE, Worker, problem


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.mark.parametrize("partition", range(PARTITIONS))
async def test_asset_is_found_whatever_partition_its_producer_chose(worker: Worker, partition: int) -> None:
    """The key does not tell the partition: each one of this worker is looked through."""
    worker.tables.put("a", partition=partition, seq=42)
    worker.cluster.lags[partition] = 3
    found = await worker.queries.asset("a")
    assert isinstance(found, AssetFound)
    assert found.view.readings is not None
    assert found.view.readings.windows.size_us.tolist() == [LIFETIME, 60_000_000]
    assert found.meta == AssetFreshness(owner=HERE, partition=partition, seq=42, rows=5, lag=3, stale=True)


async def test_answer_that_includes_all_messages_is_fresh(worker: Worker) -> None:
    """Lag 0: not stale."""
    worker.tables.put("a")
    found = await worker.queries.asset("a")
    assert isinstance(found, AssetFound)
    assert (found.meta.lag, found.meta.stale) == (0, False)


async def test_answer_of_unknown_lag_is_stale(worker: Worker) -> None:
    """What cannot be told fresh is called stale."""
    partition = worker.tables.put("a")
    worker.cluster.lags[partition] = None
    found = await worker.queries.asset("a")
    assert isinstance(found, AssetFound)
    assert (found.meta.lag, found.meta.stale) == (None, True)


async def test_place_with_rows_outdoes_place_with_a_spec_alone(worker: Worker) -> None:
    """A spec that was put before the first row may stand in another partition than the rows: never answer zeros."""
    worker.tables.put("a", partition=0, rows=0)
    worker.tables.put("a", partition=2, rows=9)
    found = await worker.queries.asset("a")
    assert isinstance(found, AssetFound)
    assert (found.meta.partition, found.view.summary.rows) == (2, 9)


async def test_unknown_asset_is_404_when_this_worker_owns_everything(worker: Worker) -> None:
    """No other worker is asked then."""
    worker.cluster.others = [THERE]
    with pytest.raises(NotFoundError, match="'a'"):
        await worker.queries.asset("a")
    assert worker.peers.asked == []


async def test_worker_that_kafka_does_not_count_in_cannot_tell_that_an_asset_is_unknown(worker: Worker) -> None:
    """Another one may have its partitions, and new assets in them; what it has it tells, as stale."""
    worker.tables.put("a")
    worker.cluster.connected = False
    assert isinstance(await worker.queries.asset("a"), AssetFound)
    with pytest.raises(UnavailableError, match="partition 0, 1, 2, 3"):
        await worker.queries.asset("b")
    with pytest.raises(NotFoundError) as told:
        await worker.queries.asset("b", hop=True)
    assert told.value.partitions == frozenset()


async def test_worker_that_kafka_does_not_count_in_believes_the_others(worker: Worker) -> None:
    """All partitions are theirs, as far as it knows."""
    worker.cluster.connected = False
    worker.cluster.others = [THERE]
    body = worker.found_at(THERE, "b")
    assert await worker.queries.asset("b") == PeerAnswer(THERE, 200, body)
    worker.not_found_at(THERE, *range(PARTITIONS))
    with pytest.raises(NotFoundError, match="'b'"):
        await worker.queries.asset("b")


@pytest.mark.parametrize("phase", ["starting", "waiting_for_broker", "recovering", "stopping", "failed"])
async def test_worker_that_is_not_ready_cannot_tell(worker: Worker, phase: str) -> None:
    """503, with what it is doing, even for an asset that it has."""
    worker.tables.put("a")
    worker.cluster.phase, worker.cluster.detail = phase, "12 of 90"  # type: ignore[assignment]  # parametrised
    with pytest.raises(UnavailableError, match="12 of 90"):
        await worker.queries.asset("a")


async def test_owner_by_partitioner_answers_for_its_asset(worker: Worker) -> None:
    """Its answer is passed on as it is, and nobody else is asked."""
    worker.give_away(partition_of(b"a"))
    worker.give_away((partition_of(b"a") + 1) % PARTITIONS, to=ELSEWHERE)
    body = worker.found_at(THERE, "a")
    assert await worker.queries.asset("a") == PeerAnswer(THERE, 200, body)
    assert worker.peers.asked == [(THERE, "assets/a")]


async def test_all_others_are_asked_when_the_owner_by_partitioner_has_it_not(worker: Worker) -> None:
    """A producer with another partitioner put it elsewhere."""
    likely = partition_of(b"a")
    other = (likely + 1) % PARTITIONS
    worker.give_away(likely)
    worker.give_away(other, to=ELSEWHERE)
    worker.not_found_at(THERE, likely)
    body = worker.found_at(ELSEWHERE, "a")
    assert await worker.queries.asset("a") == PeerAnswer(ELSEWHERE, 200, body)
    assert [asked for asked, _ in worker.peers.asked] == [THERE, ELSEWHERE]


async def test_404_when_every_partition_was_looked_through(worker: Worker) -> None:
    """Both workers together cover the topic."""
    worker.give_away(0, 1)
    worker.not_found_at(THERE, 0, 1)
    with pytest.raises(NotFoundError):
        await worker.queries.asset("a")


async def test_503_when_a_partition_was_not_looked_through(worker: Worker) -> None:
    """The peer has lost partition 1 meanwhile: nobody can tell."""
    worker.give_away(0, 1)
    worker.not_found_at(THERE, 0)
    with pytest.raises(UnavailableError, match="partition 1 "):
        await worker.queries.asset("a")


@pytest.mark.parametrize(
    "answer", [None, (503, problem(503, "not_ready")), (500, b"oops"), (200, b"<html>"), (404, b"{}")]
)
async def test_503_when_a_peer_cannot_tell(worker: Worker, answer: tuple[int, bytes] | None) -> None:
    """Unreachable, not ready, failing or no worker at all: never a 404."""
    worker.give_away(0)
    if answer is not None:
        worker.peers.answers[THERE] = answer
    with pytest.raises(UnavailableError, match="partition 0 "):
        await worker.queries.asset("a")


async def test_503_when_the_owner_is_not_known(worker: Worker) -> None:
    """A rebalance is under way."""
    worker.tables.owned = {1, 2, 3}
    worker.cluster.owners = {}
    with pytest.raises(UnavailableError, match="partition 0 "):
        await worker.queries.asset("a")


async def test_spec_alone_here_yields_to_rows_elsewhere(worker: Worker) -> None:
    """Zeros are no answer while another worker may have rows."""
    worker.tables.put("a", partition=1, rows=0)
    worker.give_away(0)
    body = worker.found_at(THERE, "a")
    assert await worker.queries.asset("a") == PeerAnswer(THERE, 200, body)


async def test_spec_alone_is_the_answer_when_nobody_has_rows(worker: Worker) -> None:
    """An asset that waits for its first row exists."""
    worker.tables.put("a", partition=1, rows=0)
    worker.give_away(0)
    worker.not_found_at(THERE, 0)
    found = await worker.queries.asset("a")
    assert isinstance(found, AssetFound)
    assert found.view.summary.rows == 0


async def test_spec_alone_there_is_the_answer_when_nobody_has_rows(worker: Worker) -> None:
    """The same, kept by another worker."""
    worker.give_away(0)
    body = worker.found_at(THERE, "a", rows=0)
    assert await worker.queries.asset("a") == PeerAnswer(THERE, 200, body)


async def test_spec_alone_is_no_answer_while_a_partition_is_unknown(worker: Worker) -> None:
    """Rows may be there."""
    worker.tables.put("a", partition=1, rows=0)
    worker.give_away(0)
    with pytest.raises(UnavailableError):
        await worker.queries.asset("a")


async def test_problem_about_an_existing_asset_is_passed_on(worker: Worker) -> None:
    """The owner knows the asset, and that it has no such windows."""
    worker.give_away(0)
    body = problem(404, "unknown_window_size")
    worker.peers.answers[THERE] = (404, body)
    assert await worker.queries.windows("a", "7m", limit=10) == PeerAnswer(THERE, 404, body)


async def test_hop_is_answered_from_own_tables(worker: Worker) -> None:
    """Never a second hop: the answer tells which partitions were looked through."""
    worker.give_away(0, 1)
    with pytest.raises(NotFoundError) as error:
        await worker.queries.asset("a", hop=True)
    assert error.value.partitions == {2, 3}
    assert worker.peers.asked == []


async def test_hop_is_answered_with_a_spec_alone(worker: Worker) -> None:
    """The asking worker decides whether that will do."""
    worker.tables.put("a", partition=2, rows=0)
    worker.give_away(0, 1)
    assert isinstance(await worker.queries.asset("a", hop=True), AssetFound)


async def test_spec_in_force_is_found(worker: Worker) -> None:
    """With where and how fresh."""
    worker.tables.put("a", spec=AssetSpec(nominal_capacity_ah=94))
    found = await worker.queries.spec("a")
    assert isinstance(found, SpecFound)
    assert found.spec.nominal_capacity_ah == 94


async def test_path_of_a_forwarded_question_is_quoted(worker: Worker) -> None:
    """An id may hold any printable character but a slash."""
    worker.give_away(partition_of("ä?#".encode()))
    worker.found_at(THERE, "ä?#")
    await worker.queries.spec("ä?#")
    assert worker.peers.asked == [(THERE, "assets/%C3%A4%3F%23/spec")]


# --- reading one's own writes ----------------------------------------------------------------------------------------


async def test_an_answer_waits_for_the_askers_own_write(worker: Worker) -> None:
    """With min_offset the answer comes once the table includes that offset, also of an asset that is new."""
    home = partition_of(b"new")
    worker.tables.reach(home, 5)
    asked = asyncio.create_task(worker.queries.asset("new", min_offset=7))
    await asyncio.sleep(0)
    worker.tables.put("new", seq=7)
    await asyncio.sleep(0)
    assert not asked.done()
    worker.tables.reach(home, 8)
    found = await asked
    assert isinstance(found, AssetFound)
    assert found.meta.seq == 7


async def test_a_write_that_is_not_processed_in_time_is_503(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never answered from before the write."""
    monkeypatch.setattr("stream_app.usecases.queries._READ_YOUR_WRITES_S", 0.05)
    worker.tables.put("a", seq=3)
    worker.tables.reach(partition_of(b"a"), 4)
    await worker.log.append(b"a", [b"row"] * 5)
    with pytest.raises(UnavailableError, match="offset 4 of partition"):
        await worker.queries.asset("a", min_offset=4)
