"""What the history process reads, puts together, leaves out and commits."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson

from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.history_ports import RowsRefusedError, UpdateRecord, WindowRow
from stream_app.usecases.history_writing import HistoryWriter

NOW = datetime(2026, 3, 15, tzinfo=UTC)
UPLOAD = "upload-0c9f7f0e-8f0b-4c1c-9d55-1b8d5d0d5c0f"


def an_update(asset_id: str, seq: int, *, size: str = "15m", start: str = "2026-03-01T00:00:00Z") -> bytes:
    window = {"size": size, "start": start, "end": None}
    metrics = {"x": {"value": float(seq), "unit": "1"}}
    return orjson.dumps({"asset_id": asset_id, "window": window, "seq": seq, "final": False, "metrics": metrics})


class Deployment:
    """A topic, a store and figures in memory; the first ``failures`` calls of each kind raise."""

    def __init__(self, *updates: bytes, **failures: int) -> None:
        self.records = [UpdateRecord(n % 2, n, update) for n, update in enumerate(updates)]
        self.failures = Counter(failures)
        self.committed: dict[int, int] = {}
        self.batches: list[list[WindowRow]] = []
        self.dropped_before: list[datetime] = []
        self.left: Counter[str] = Counter()
        self.phases: list[str] = []
        self.stop = asyncio.Event()
        self.refused: set[int] = set()  # seqs that the store does not take

    def fail(self, kind: str) -> None:
        if self.failures[kind] > 0:
            self.failures[kind] -= 1
            code = "broker_unavailable" if kind in ("source", "commit") else "history_unavailable"
            raise UnavailableError(code, f"{kind} is away")

    async def read(self, timeout_s: float) -> Sequence[UpdateRecord]:
        self.fail("source")
        records, self.records = self.records, []
        if not records:
            self.stop.set()
        return records

    async def commit(self, positions: Mapping[int, int]) -> None:
        self.fail("commit")
        self.committed |= positions

    async def prepare(self) -> None:
        self.fail("prepare")

    async def write(self, rows: Sequence[WindowRow]) -> None:
        self.fail("write")
        if any(row.head.seq in self.refused for row in rows):
            raise RowsRefusedError
        self.batches.append(list(rows))

    async def drop_before(self, time: datetime) -> Sequence[str]:
        self.dropped_before.append(time)
        return []

    def phase(self, phase: str, detail: str) -> None:
        self.phases.append(phase)

    def left_out(self, why: Literal["poison", "expired"]) -> None:
        self.left[why] += 1

    def writer(self, **options: Any) -> HistoryWriter:
        """A writer of this deployment."""
        chosen = {"sizes": (), "retention": None, "flush_interval_s": 0.05} | options
        return HistoryWriter(self, self, Figures(self), now=lambda: NOW, clock=clock(), **chosen)

    async def run(self, **options: Any) -> list[tuple[str, int]]:
        """Run until nothing is left; returns asset and seq of what was written."""
        async with asyncio.timeout(20):
            await self.writer(**options).run(self.stop)
        return [(row.head.asset_id, row.head.seq) for batch in self.batches for row in batch]


class Figures:
    def __init__(self, deployment: Deployment) -> None:
        self.phase, self.left_out = deployment.phase, deployment.left_out

    def read(self, updates: int) -> None: ...

    def written(self, rows: int, seconds: float) -> None: ...


def clock() -> Any:
    """A clock that goes on by a tenth of a second whenever it is read."""
    ticks = iter(range(1_000_000))
    return lambda: next(ticks) / 10


async def test_of_a_window_the_newest_is_written() -> None:
    """Once per batch; offsets of all that was read are committed after."""
    deployment = Deployment(an_update("a", 3), an_update("a", 9), an_update("a", 5), an_update("b", 1))
    assert await deployment.run() == [("a", 9), ("b", 1)]
    assert deployment.committed == {0: 3, 1: 4}


async def test_what_cannot_be_stored_hides_nothing() -> None:
    """Of a window the newest state that can be read and stored is written, also as the asset's latest."""
    unreadable = an_update("a", 9).replace(b'"metrics":{"x":{"value":9.0', b'"metrics":{"x":{"value":"9"')
    later = an_update("a", 8, start="2026-03-01T00:15:00Z")
    deployment = Deployment(
        an_update("a", 3), an_update("a", 5), unreadable, an_update("b", 1), later, an_update("a", 4)
    )
    deployment.refused = {8, 5}
    await deployment.run()
    latest = {row.head.asset_id: row.head.seq for rows in deployment.batches for row in rows if row.in_latest}
    assert latest == {"a": 4, "b": 1}
    assert {(row.head.asset_id, row.head.seq) for row in deployment.batches[-1]} == {("a", 4), ("b", 1)}
    assert deployment.left == {"poison": 3}
    assert deployment.committed == {0: 5, 1: 6}


async def test_what_is_stored_is_not_written_again() -> None:
    """States that are repeated after a crash: only a newer one is; and all of them once the store was away."""
    older, newer = an_update("a", 5), an_update("a", 6)
    deployment = Deployment()
    writer = deployment.writer()

    async def written(*updates: bytes, failures: int = 0) -> list[int]:
        first, before = deployment.committed.get(0, 0), len(deployment.batches)
        deployment.records = [UpdateRecord(0, first + n, update) for n, update in enumerate(updates)]
        deployment.failures["prepare"] = failures
        deployment.stop.clear()
        await writer.run(deployment.stop)
        return [row.head.seq for rows in deployment.batches[before:] for row in rows]

    assert await written(older, older) == [5]
    assert await written(older, newer, older) == [6]
    assert await written(newer, older) == []
    assert await written(older, failures=1) == [5]
    assert deployment.committed == {0: 8}


async def test_lifetimes_have_no_history() -> None:
    """They are the newest state alone."""
    deployment = Deployment(
        an_update("a", 3, size="lifetime"),
        an_update("a", 3, start="2026-03-01T00:00:00Z"),
        an_update("a", 3, start="2026-03-01T00:15:00Z"),
    )
    await deployment.run()
    ((lifetime, older, newer),) = deployment.batches
    assert (lifetime.in_windows, lifetime.in_latest) == (False, True)
    assert (older.in_windows, older.in_latest, newer.in_windows, newer.in_latest) == (True, False, True, True)


async def test_what_is_not_kept_is_left_out() -> None:
    """Uploads, other sizes, months that the retention has dropped."""
    deployment = Deployment(
        an_update(UPLOAD, 1),
        an_update("a", 2, size="1m"),
        an_update("a", 3, start="2026-01-31T23:59:00Z"),
        an_update("a", 4, start="2026-02-01T00:00:00Z"),
        an_update("a", 5, size="lifetime", start="2020-01-01T00:00:00Z"),
    )
    written = await deployment.run(sizes=("15m", "lifetime"), retention=timedelta(days=20))
    assert written == [("a", 4), ("a", 5)]
    assert deployment.left == {"expired": 1}
    assert deployment.dropped_before[0] == NOW - timedelta(days=20)


async def test_whatever_is_away_is_waited_for() -> None:
    """Kafka, the database, and Kafka between the merge and the commit: nothing is lost, and the log says so once."""
    deployment = Deployment(an_update("a", 1), prepare=1, source=1, write=1, commit=1)
    assert await deployment.run() == [("a", 1), ("a", 1)]  # merged again: the same
    assert deployment.committed == {0: 1}
    waits = [phase for phase in deployment.phases if phase != "consuming"]
    assert waits == ["waiting for the database", "waiting for Kafka", "waiting for the database", "waiting for Kafka"]
    assert deployment.phases[-1] == "consuming"
