"""Posted rows and specs: all or nothing, and where the asset lives."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.asset import AssetSpec
from schemas.control import SpecControl
from stream_app.usecases.errors import InvalidError, UnavailableError
from stream_app.usecases.keyed_requests import KeyedRequests
from stream_app.usecases.places import PlacesFound
from stream_app.usecases.posting import Posting
from stream_app.usecases.receipts import Receipts
from stream_app.usecases.spec_change import SpecWritten
from tests.fake_files import FakeRows
from tests.fakes import PARTITIONS, partition_of
from tests.worker import THERE, Worker


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def posting(worker: Worker) -> Posting:
    receipts = Receipts(worker.log, KeyedRequests(worker.tasks, worker.running), worker.running)
    return Posting(worker.lookup, worker.log, FakeRows(), ("1m", "15m"), receipts)


async def test_posted_rows_are_grouped_by_asset(posting: Posting, worker: Worker) -> None:
    """Their order within an asset holds."""
    posted = await posting.measurements(b"a,1\nb,2\na,3")
    assert posted.rows == 3
    assert posted.written.keys() == {"a", "b"}
    assert worker.log.values("a") == [b"a,1", b"a,3"]
    assert worker.log.values("b") == [b"b,2"]


async def test_one_bad_row_refuses_all(posting: Posting, worker: Worker) -> None:
    """Nothing is sent."""
    with pytest.raises(InvalidError) as error:
        await posting.measurements(b"a,1\na,bad")
    assert (error.value.row, error.value.column) == (1, "voltage")
    assert worker.log.appends == 0


async def test_rows_that_the_broker_refuses_are_told(posting: Posting, worker: Worker) -> None:
    """Accepted means acked."""
    worker.log.fail_at = {0}
    with pytest.raises(UnavailableError):
        await posting.measurements(b"a,1")


async def test_rows_and_specs_of_a_new_asset_go_where_the_default_partitioner_says(
    posting: Posting, worker: Worker
) -> None:
    """There is nothing to be ordered with yet."""
    await posting.measurements(b"a,1")
    assert await posting.spec("a", AssetSpec(nominal_capacity_ah=94)) == SpecWritten(partition_of(b"a"), 1, [])
    assert worker.log.controls("a") == [SpecControl(asset_id="a", spec=AssetSpec(nominal_capacity_ah=94))]


async def test_rows_and_specs_go_to_the_partition_where_the_asset_lives(posting: Posting, worker: Worker) -> None:
    """Its producer chose another one than the default partitioner."""
    other = (partition_of(b"a") + 1) % PARTITIONS
    worker.tables.put("a", partition=other)
    await posting.measurements(b"a,1")
    assert await posting.spec("a", AssetSpec()) == SpecWritten(other, 1, [])
    assert len(worker.log.partitions[other]) == 2


async def test_spec_goes_to_the_partition_that_another_worker_has(posting: Posting, worker: Worker) -> None:
    """Any worker takes it."""
    other = (partition_of(b"a") + 1) % PARTITIONS
    worker.give_away(other)
    worker.found_at(THERE, "a", partition=other)
    assert await posting.spec("a", AssetSpec()) == SpecWritten(other, 0, [])


async def test_spec_is_refused_while_it_cannot_be_told_where_the_asset_lives(posting: Posting, worker: Worker) -> None:
    """In the wrong partition it would be in force for no row."""
    worker.give_away(0)
    with pytest.raises(UnavailableError):
        await posting.spec("a", AssetSpec())
    assert worker.log.appends == 0


@pytest.mark.parametrize("home", [True, False])
async def test_spec_cannot_change_the_windows_of_an_asset_that_has_rows(
    posting: Posting, worker: Worker, home: bool
) -> None:
    """Its rows lie in the panes of the first size; the same sizes, or none, are no change."""
    if home:
        worker.tables.put("a")
    else:
        worker.give_away(0)
        worker.found_at(THERE, "a")
    with pytest.raises(InvalidError, match="windows of 1m, 15m"):
        await posting.spec("a", AssetSpec(windows=("1h",)))
    await posting.spec("a", AssetSpec(windows=("60s", "15m")))
    await posting.spec("a", AssetSpec(nominal_capacity_ah=94))
    assert worker.log.appends == 2


@pytest.mark.parametrize(
    ("after", "reset"),
    [
        ({"profile": "victron"}, ["nominal_capacity_ah", "current_sign"]),
        ({"profile": "victron", "nominal_capacity_ah": 50, "current_sign": "discharge_positive"}, []),
        ({"nominal_capacity_ah": 94, "current_sign": "charge_positive", "soc_scale": "fraction"}, ["profile"]),
    ],
)
async def test_spec_tells_which_fields_it_set_back(
    posting: Posting, worker: Worker, after: dict[str, Any], reset: list[str]
) -> None:
    """A sign that was given stands above the profile's, so it counts although it is the default without one."""
    before = AssetSpec(nominal_capacity_ah=94, profile="victron", current_sign="charge_positive")
    worker.tables.put("a", rows=0, spec=before)
    assert (await posting.spec("a", AssetSpec(**after))).reset == reset


async def test_spec_sets_the_windows_of_an_asset_without_rows(posting: Posting, worker: Worker) -> None:
    """Again and again."""
    worker.tables.put("a", rows=0, spec=AssetSpec(windows=("1m",)))
    await posting.spec("a", AssetSpec(windows=("1h",)))
    assert worker.log.appends == 1


async def test_the_spec_of_an_upload_cannot_be_put(posting: Posting, worker: Worker) -> None:
    """It would change a result that is finished."""
    with pytest.raises(InvalidError, match="upload the file again") as error:
        await posting.spec("upload-0c9f7f0e-8f0b-4c1c-9d55-1b8d5d0d5c0f", AssetSpec())
    assert error.value.code == "reserved_asset"
    assert worker.log.appends == 0


async def test_rows_of_many_assets_are_asked_about_and_appended_at_once(posting: Posting, worker: Worker) -> None:
    """A question per hundred assets and worker; what another worker has goes to its partition."""
    worker.give_away(2, 3)
    worker.peers.answers[THERE] = (200, b'{"partitions":[2,3],"places":{"a7":[3],"a8":[2]}}')
    worker.tables.put("a9", partition=1)
    posted = await posting.measurements(b"\n".join(b"a%d,1" % i for i in range(250)))
    assert posted.rows == 250
    assert [path for _, path in worker.peers.asked if path == "places"] == ["places"] * 3
    assert (posted.written["a7"].partition, posted.written["a9"].partition) == (3, 1)
    assert worker.log.values("a7") == [b"a7,1"]


async def test_worker_that_kafka_does_not_count_in_does_not_choose_where_a_new_asset_lives(
    posting: Posting, worker: Worker
) -> None:
    """Another one may have its partitions, and the asset in one of them; the others that ask are told so."""
    worker.tables.put("a", partition=1)
    worker.cluster.connected = False
    assert (await posting.measurements(b"a,1")).written["a"].partition == 1
    with pytest.raises(UnavailableError, match="partition 0, 1, 2, 3"):
        await posting.measurements(b"new,1")
    assert worker.log.values("new") == []
    assert worker.lookup.places.answer(["a", "new"], None) == PlacesFound([], {"a": [1]})
    worker.cluster.others = [THERE]
    worker.peers.answers[THERE] = (200, b'{"partitions":[0,1,2,3],"places":{"new":[2]}}')
    assert (await posting.measurements(b"new,1")).written["new"].partition == 2


async def test_rows_go_where_rows_are_not_where_a_spec_alone_is(posting: Posting, worker: Worker) -> None:
    """The spec was put before the first row, by whoever knew no better."""
    worker.give_away(2, 3)
    worker.tables.put("a", partition=1, rows=0)
    worker.peers.answers[THERE] = (200, b'{"partitions":[2,3],"places":{}}')
    assert (await posting.measurements(b"a,1")).written["a"].partition == 1
    del worker.peers.answers[THERE]
    with pytest.raises(UnavailableError):
        await posting.measurements(b"a,1")
