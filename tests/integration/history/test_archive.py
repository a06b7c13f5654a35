"""Files of the store, and the store of the files."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import orjson
import pyarrow.parquet as pq
import pytest

from stream_app.errors import ExpectedError
from stream_app.history_settings import HistorySettings
from stream_app.infra.history.archive import export, restore
from stream_app.infra.history.store import PostgresStore
from stream_app.usecases.history_ports import WindowRow
from stream_app.wire.update import head
from stream_app.wire.update_cells import CellReader
from tests.integration.history.test_store import an_update, rows, write
from tests.integration.history.topic import templates
from tests.stored_history import stored


async def test_what_is_exported_comes_back_exactly(history: HistorySettings, tmp_path: Path) -> None:
    """Windows, lifetimes, lists, reasons; a file per day and size, sorted by asset."""
    updates = [orjson.dumps(each | {"asset_id": f"{each['asset_id']}{n}"}) for n in (2, 1) for each in templates()]
    batches = [[WindowRow(head(u), CellReader().read(u), head(u).size != "lifetime", True)] for u in updates]
    await write(history, *batches, rows(an_update(1, start="2026-03-01T23:59:00Z", asset="late", rte_raw=0.1 + 0.2)))
    before = await stored(history.url or "")
    told: dict[str, int] = {}
    await export(history, tmp_path, told.__setitem__)
    assert sum(told.values()) == len(before[0]) + len(before[1])
    assert f"{tmp_path}/windows/15m/2026-03-01.parquet" in told
    for file in told:
        table = pq.read_table(file, columns=["asset_id"])
        assert table["asset_id"].to_pylist() == sorted(table["asset_id"].to_pylist())
    empty = history.model_copy(update={"url": f"{history.url}_again"})
    connection = await asyncpg.connect(history.url)
    await connection.execute(f"create database {(history.url or '').rpartition('/')[2]}_again")
    await restore(empty, tmp_path, told.__setitem__)
    assert await stored(empty.url or "") == before
    await restore(history, tmp_path, told.__setitem__)  # what is there already stays
    assert await stored(history.url or "") == before
    await connection.execute(f"drop database {(history.url or '').rpartition('/')[2]}_again with (force)")
    await connection.close()


async def test_newer_states_stay(history: HistorySettings, tmp_path: Path) -> None:
    """An import is older than what has come since the export."""
    await write(history, rows(an_update(1, rte_raw=1.0)))
    await export(history, tmp_path, lambda file, rows: None)
    await write(history, rows(an_update(2, rte_raw=2.0)))
    await restore(history, tmp_path, lambda file, rows: None)
    windows, latest = await stored(history.url or "")
    assert [state.values for state in (*windows.values(), *latest.values())] == [{"rte_raw": 2.0}] * 2


async def test_other_files_are_told(history: HistorySettings, tmp_path: Path) -> None:
    """A folder without files of ours; a file that is none; a store without tables."""

    def told(file: str, rows: int) -> None:
        raise AssertionError(file)

    with pytest.raises(ExpectedError, match="run `stream-app history` first"):
        await export(history, tmp_path, told)
    with pytest.raises(ExpectedError, match="name a folder of `stream-app export`"):
        await restore(history, tmp_path, told)
    file = tmp_path / "windows" / "15m" / "2026-03-01.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no parquet")
    with pytest.raises(ExpectedError, match="is no file of"):
        await restore(history, tmp_path, told)
    store = PostgresStore(history)
    await store.prepare()
    await store.close()
    await export(history, tmp_path, told)  # nothing is stored: nothing is written
