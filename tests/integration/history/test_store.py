"""The tables: merge, columns, months, retention."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from stream_app.history_settings import HistorySettings
from stream_app.infra.history.maintenance import maintain
from stream_app.infra.history.reads import PostgresReads
from stream_app.infra.history.store import PostgresStore
from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.history_ports import RowsRefusedError, WindowRow
from stream_app.wire.update import head
from stream_app.wire.update_cells import CellReader
from tests.integration.history.half_closed import half_closed
from tests.integration.history.topic import templates
from tests.ports import free_port
from tests.stored_history import expected, stored


def an_update(seq: int, *, start: str = "2026-03-01T00:00:00Z", asset: str = "a", **metrics: Any) -> bytes:
    """An update; a metric is its value, or its reason."""
    said = {
        name: {"value": None, "unit": "1", "reason": given} if isinstance(given, str) else {"value": given, "unit": "1"}
        for name, given in metrics.items()
    }
    window = {"size": "15m", "start": start, "end": start}
    update = {"asset_id": asset, "partition": 0, "window": window, "seq": seq, "final": False, "metrics": said}
    return orjson.dumps(update)


def rows(*updates: bytes) -> list[WindowRow]:
    return [WindowRow(head(each), CellReader().read(each), True, True) for each in updates]


async def write(history: HistorySettings, *batches: list[WindowRow]) -> None:
    store = PostgresStore(history)
    try:
        for batch in batches:
            await store.write(batch)
    finally:
        await store.close()


async def fetch(history: HistorySettings, query: str) -> list[Any]:
    connection = await asyncpg.connect(history.url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_every_kind_of_update_is_kept(history: HistorySettings) -> None:
    """Whatever the service writes: every number to the bit, lists, and the reason of each null."""
    updates = [orjson.dumps(each) for each in templates()]
    heads = [head(each) for each in updates]
    batches = [
        [WindowRow(of, CellReader().read(each), of.size != "lifetime", True)]
        for of, each in zip(heads, updates, strict=True)
    ]
    await write(history, *batches)
    tables = await stored(history.url or "")
    assert tables == expected(updates)
    assert len(tables[0]) > 5


async def test_an_older_state_changes_nothing(history: HistorySettings) -> None:
    """In whatever order they come, and as often as they like."""
    older, newer = rows(an_update(5, x=1.0)), rows(an_update(9, x=2.0))
    for order in ([older, newer], [newer, older], [newer, newer, older]):
        await write(history, *order)
        assert await fetch(history, "select seq, x from windows") == [(9, 2.0)]
        assert await fetch(history, "select seq, x from latest") == [(9, 2.0)]


async def test_latest_is_the_newest_window(history: HistorySettings) -> None:
    """Of one seq the later window; a row that comes late to an older one does not make it the newest again."""
    first, second = (
        an_update(5, start="2026-03-01T00:00:00Z", x=1.0),
        an_update(5, start="2026-03-01T00:15:00Z", x=2.0),
    )
    await write(history, rows(second), rows(first))
    assert await fetch(history, "select x from latest") == [(2.0,)]


async def test_a_new_metric_is_a_new_column(history: HistorySettings) -> None:
    """Also while another process has the tables open; a metric that goes is null from then on."""
    other = PostgresStore(history)
    await other.write(rows(an_update(1, x=1.0)))
    await write(history, rows(an_update(2, asset="b", x=1.0, y=[1.0, 2.0], always_null="no_charge")))
    await other.write(rows(an_update(2, z=3.0, y=[4.0])))
    await other.close()
    assert await fetch(history, "select asset_id, x, y, z from windows order by 1") == [
        ("a", None, [4.0], 3.0),
        ("b", 1.0, [1.0, 2.0], None),
    ]


async def test_what_cannot_be_stored_is_refused_as_a_whole(history: HistorySettings) -> None:
    """A list where there were numbers; the rows beside it are not written, and the store goes on."""
    store = PostgresStore(history)
    await store.write(rows(an_update(1, x=1.0)))
    with pytest.raises(RowsRefusedError, match="x is a list in some"):
        await store.write(rows(an_update(2, x=2.0, asset="b"), an_update(2, x=[1.0])))
    await store.write(rows(an_update(1, asset="list", z=[1.0])))
    with pytest.raises(RowsRefusedError, match="z is a list in some"):
        await store.write(rows(an_update(2, x=2.0, asset="b"), an_update(2, asset="list", z=1.0)))
    await store.write(rows(an_update(3, x=3.0, y="no_charge")))
    await store.close()
    assert await fetch(
        history, "select w.asset_id, w.x, r.reasons from windows w join reasons r on r.id = reasons_id"
    ) == [("a", 3.0, '{"y":"no_charge"}')]


async def test_old_months_are_dropped(history: HistorySettings) -> None:
    """Each month is a table; the newest states stay."""
    store = PostgresStore(history)
    starts = ["2025-12-31T23:59:00Z", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]
    for n, start in enumerate(starts):
        await store.write(rows(an_update(n, start=start, x=float(n))))
    assert await store.drop_before(datetime(2026, 2, 1, tzinfo=UTC)) == ["windows_2025_12", "windows_2026_01"]
    assert await fetch(history, "select x from windows") == [(2.0,)]
    await store.write(rows(an_update(9, start=starts[0], x=9.0)))  # the table of the month comes again
    await store.close()
    assert await fetch(history, "select x from windows order by 1") == [(2.0,), (9.0,)]


async def test_a_database_that_is_away_is_told(history: HistorySettings) -> None:
    """Nobody listens; there is no such database; the password's file is missing. Each has its cure."""
    gone = f"postgresql://stream@127.0.0.1:{free_port()}/h"
    for settings, told in (
        (HistorySettings(url=gone), "does not answer.*start it"),
        (HistorySettings(url=f"{history.url}_not"), "refuses this client.*correct STREAM_HISTORY__URL"),
        (history.model_copy(update={"password_file": Path("/no/such")}), "STREAM_HISTORY__PASSWORD_FILE: cannot read"),
    ):
        with pytest.raises(UnavailableError, match=told):
            await PostgresStore(settings).prepare()


async def test_a_database_that_ends_between_two_batches_is_told(history: HistorySettings) -> None:
    """It says so before it closes the connection; in between writers and readers are told that it is away."""
    async with half_closed(history) as (through, proxy):
        store, reads = PostgresStore(through), PostgresReads(through)
        for ask in (lambda: store.write(rows(an_update(1, x=1.0))), lambda: reads.newest("a")):
            await ask()
            proxy.is_closed.clear()
            await fetch(
                history, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'stream-app'"
            )
            await proxy.is_closed.wait()
            with pytest.raises(UnavailableError, match=r"does not answer.*start it"):
                await ask()
            await ask()  # over a new connection
        await store.close()
        await reads.close()


async def test_months_that_are_over_are_sorted_once(history: HistorySettings) -> None:
    """By asset, two days after their end; the month that goes on stays as it is."""
    starts = ["2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z", "2026-02-01T00:00:00Z"]
    await write(history, *(rows(an_update(1, start=start, asset=asset)) for start in starts for asset in "ba"))
    told: list[str] = []
    for day in (2, 3, 4):
        await maintain(history, datetime(2026, 2, day, tzinfo=UTC), told.append)
    assert told == ["windows_2026_01"]
    assert await fetch(history, "select asset_id from windows_2026_01 order by ctid") == [
        ("a",),
        ("a",),
        ("b",),
        ("b",),
    ]
    assert await fetch(history, "select asset_id from windows_2026_02 order by ctid") == [("b",), ("a",)]
