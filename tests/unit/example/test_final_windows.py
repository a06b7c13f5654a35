"""The database of the example takes each record once, whoever brings it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition

from example.final_windows import Database, final_rows

AT = TopicPartition("metrics", 0)


@dataclass
class Record:
    offset: int
    headers: tuple[tuple[str, bytes], ...]
    value: bytes


def record(offset: int, *, size: str = "1m", final: bool = True, energy_kwh: float = 1.0) -> Record:
    energy = {"value": energy_kwh, "unit": "kWh"}
    update: dict[str, Any] = {
        "asset_id": "a",
        "window": {"size": size, "start": f"s{offset}", "end": "e"},
        "seq": offset,
        "metrics": {"energy_in_kwh": energy, "energy_out_kwh": energy},
    }
    headers = (("size", size.encode()), ("final", b"true" if final else b"false"))
    return Record(offset, headers, json.dumps(update).encode() if final else b"never parsed")


def test_only_final_windows_are_parsed() -> None:
    """The headers say which: neither open windows nor lifetimes are."""
    rows = final_rows([record(0), record(1, final=False), record(2, size="lifetime")])
    assert list(rows) == [("a", "1m", "s0", "e", 0, 1.0, 1.0)]


def test_a_consumer_that_has_lost_its_partition_writes_nothing_twice(tmp_path: Path) -> None:
    """It may bring what the next one has brought: its records below the position are left out, and move it not back."""
    old, new = Database(str(tmp_path / "db")), Database(str(tmp_path / "db"))
    assert new.position(AT) is None
    new.take(AT, [record(0), record(1), record(2)])
    old.take(AT, [record(0, energy_kwh=9.0), record(1, energy_kwh=9.0)])
    assert old.position(AT) == 3
    rows = old._connection.execute("SELECT seq, energy_in_kwh FROM windows ORDER BY seq").fetchall()
    assert rows == [(0, 1.0), (1, 1.0), (2, 1.0)]


def test_rows_and_position_move_together(tmp_path: Path) -> None:
    """A batch that fails leaves neither: it is read again."""
    database = Database(str(tmp_path / "db"))
    with pytest.raises(json.JSONDecodeError):
        database.take(AT, [record(0), Record(1, record(1).headers, b"broken")])
    assert database.position(AT) is None
    assert database._connection.execute("SELECT count(*) FROM windows").fetchone() == (0,)
