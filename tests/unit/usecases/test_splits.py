"""Assets in several partitions are found in either order of creation, told once in a while; one place is no news."""

from __future__ import annotations

import logging

import msgspec
import pytest

from stream_app.usecases.places import PlacesFound
from stream_app.usecases.splits import SplitAssets
from tests.fakes import PARTITIONS, a_state, partition_of
from tests.worker import THERE, Worker

HOUR_S = 3600


class Site(Worker):
    """A worker that looks for split assets, and a clock that a test turns."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.now_s, self.found = 0.0, 0

        def count() -> None:
            self.found += 1

        self.splits = SplitAssets(
            tables=self.tables,
            cluster=self.cluster,
            measurements=self.log,
            places=self.lookup.places,
            on_split=count,
            source="measurements",
            clock=lambda: self.now_s,
        )

    async def swept(self, after_s: float = 0) -> int:
        self.now_s += after_s
        await self.splits.sweep()
        return self.found

    def answers(self, partitions: list[int], places: dict[str, list[int]]) -> None:
        """Let the other worker answer so."""
        self.peers.answers[THERE] = (200, msgspec.json.encode(PlacesFound(partitions, places)))


@pytest.fixture
def site() -> Site:
    return Site()


HOME = partition_of(b"a")
FOREIGN = (HOME + 1) % PARTITIONS


@pytest.mark.parametrize("first", [HOME, FOREIGN])
@pytest.mark.parametrize("after_s", [0, 100, 5 * HOUR_S])
async def test_the_other_place_is_found_whichever_comes_first(
    site: Site, first: int, after_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning names asset, partitions and the producer's setting, once; the answer names the other partition."""
    site.tables.put("a", partition=first)
    assert await site.swept() == 0
    await site.swept(after_s)
    site.tables.put("a", partition=FOREIGN if first == HOME else HOME)
    assert await site.swept(HOUR_S) == 1
    assert await site.swept(HOUR_S) == 1
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    low, high = sorted((HOME, FOREIGN))
    assert f"asset 'a' has rows in partitions {low} and {high}" in record.getMessage()
    assert "partitioner=murmur2_random" in record.getMessage()
    local = site.lookup.here("a")
    assert local is not None
    assert site.lookup.freshness(local).also_in == tuple({HOME, FOREIGN} - {local.partition})


async def test_a_fleet_of_another_partitioner_is_no_news(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Its assets have one place each."""
    for number in range(50):
        asset_id = f"a{number}"
        site.tables.put(asset_id, partition=(partition_of(asset_id.encode()) + number) % PARTITIONS)
    for _ in range(30):
        assert await site.swept(100) == 0
    assert not caplog.records


async def test_each_is_counted_and_a_partition_is_told_once_an_hour(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """The next warning says how many came since."""
    names = [name for name in (f"a{i}" for i in range(100)) if partition_of(name.encode()) == HOME][:6]
    for name in names[:5]:
        site.tables.put(name, partition=HOME)
        site.tables.put(name, partition=FOREIGN)
    assert await site.swept() == 5
    assert len(caplog.records) == 1
    site.tables.put(names[5], partition=HOME)
    site.tables.put(names[5], partition=FOREIGN)
    assert await site.swept(HOUR_S) == 6
    assert len(caplog.records) == 2
    assert f"(4 more of partition {FOREIGN}" in caplog.records[1].getMessage()


async def test_another_worker_is_asked_for_many_at_once(site: Site) -> None:
    """A hundred ids in a question; what it has is found, and told by this worker's answers until it is gone."""
    site.give_away(HOME)
    names = [name for name in (f"a{i}" for i in range(2_000)) if partition_of(name.encode()) == HOME][:250]
    assert len(names) == 250
    value = a_state("a", rows=1, seq=1)
    site.tables.assets[FOREIGN] |= {name.encode(): value for name in names}
    site.answers([HOME], {names[7]: [HOME]})
    assert await site.swept() == 1
    assert [path for _, path in site.peers.asked] == ["places"] * 3
    local = site.lookup.here(names[7])
    assert local is not None
    assert site.lookup.freshness(local).also_in == (HOME,)
    site.answers([HOME], {})
    assert await site.swept(HOUR_S) == 1
    assert site.lookup.freshness(local).also_in == ()


async def test_a_worker_that_does_not_answer_is_asked_again_soon(site: Site) -> None:
    """Its place is found when it does."""
    site.give_away(HOME)
    site.tables.put("a", partition=FOREIGN)
    for _ in range(5):
        assert await site.swept(10) == 0
    site.answers([HOME], {"a": [HOME]})
    assert await site.swept(10) == 1


async def test_a_partition_that_went_away_is_looked_at_no_more(site: Site) -> None:
    """Its new owner does."""
    site.tables.put("a", partition=FOREIGN)
    await site.swept()
    site.give_away(FOREIGN)
    asked = len(site.peers.asked)
    await site.swept(HOUR_S)
    assert len(site.peers.asked) == asked
