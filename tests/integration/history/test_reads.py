"""Questions to a real store have the answers of one in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stream_app.domain.catalogue import Catalogue
from stream_app.history_settings import HistorySettings
from stream_app.infra.history.reads import PostgresReads
from stream_app.infra.history.store import PostgresStore
from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.history_queries import HistoryQueries, known_metrics
from stream_app.usecases.rights import EVERYTHING, Rights
from tests.fake_history import FakeReads
from tests.integration.history.test_store import an_update, rows
from tests.ports import free_port

BEGIN = datetime(2026, 2, 28, 22, tzinfo=UTC)  # the windows are in two months
METRICS = known_metrics(Catalogue())


@pytest.fixture
async def reads(history: HistorySettings) -> AsyncIterator[PostgresReads]:
    reads = PostgresReads(history)
    yield reads
    await reads.close()


@pytest.fixture
async def fake(history: HistorySettings) -> FakeReads:
    """Twenty windows of three assets, some missing, some without a value; the same in the store."""
    fake, store = FakeReads(), PostgresStore(history)
    for place, asset_id in enumerate(("a", "b", "other")):
        for i in range(20):
            if i % 7 == 3:
                continue
            start = BEGIN + i * timedelta(minutes=15)
            value = "no_charge" if i % 5 == 4 else place + i / 8
            fake.put(asset_id, "15m", start, rte_raw=value)
            update = an_update(i, start=start.isoformat(), asset=asset_id, rte_raw=value, soc_dwell_s=[0.5, float(i)])
            await store.write(rows(update))
    await store.close()
    return fake


async def test_a_series_is_the_same(fake: FakeReads, reads: PostgresReads) -> None:
    """With and without a time, in full and put together; a metric that never had a value is null."""
    real, expected = HistoryQueries(reads, METRICS), HistoryQueries(fake, METRICS)
    hours = [BEGIN + n * timedelta(hours=1) for n in range(5)]
    for metric in ("rte_raw", "soc_mean_percent"):
        for start, end, points in (
            (None, None, None),
            (hours[0], hours[4], None),
            (hours[1], None, 3),
            (hours[0], hours[3], 1),
        ):
            asked: dict[str, Any] = {"start": start, "end": end, "points": points}
            found = await real.series("a", metric, "15m", **asked)
            assert found == await expected.series("a", metric, "15m", **asked)
    found = await real.series("a", "soc_dwell_s.1", "15m", start=hours[0], end=hours[1])
    assert found.values == [0, 1, 2, None]


async def test_a_ranking_is_the_same(fake: FakeReads, reads: PostgresReads) -> None:
    """Of one time and of the newest windows, for those who see all assets and for those who see some."""
    real, expected = HistoryQueries(reads, METRICS), HistoryQueries(fake, METRICS)
    for rights in (EVERYTHING, Rights("x", frozenset({"read"}), "o")):
        for at in (None, BEGIN, BEGIN + timedelta(hours=1), BEGIN - timedelta(days=1)):
            for descending in (True, False):
                found = await real.fleet("rte_raw", "15m", rights, at=at, descending=descending, limit=2)
                same = await expected.fleet("rte_raw", "15m", rights, at=at, descending=descending, limit=2)
                assert [each[:3] for each in found.ranking.assets] == [each[:3] for each in same.ranking.assets]
                assert found.ranking[1:] == same.ranking[1:]


async def test_a_store_that_is_away_is_told() -> None:
    """At each question."""
    reads = PostgresReads(HistorySettings(url=f"postgresql://stream@127.0.0.1:{free_port()}/h"))
    with pytest.raises(UnavailableError, match="does not answer"):
        await reads.newest("a")
    await reads.close()
