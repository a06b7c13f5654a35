"""Runs it and prints the figures: CPU time per million updates, and how long questions take."""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path

import asyncpg
import orjson

from stream_app.domain.catalogue import Catalogue
from stream_app.history_settings import HistorySettings
from stream_app.infra.history.maintenance import maintain
from stream_app.infra.history.reads import PostgresReads
from stream_app.infra.history.store import PostgresStore
from stream_app.infra.kafka.log import topics
from stream_app.infra.kafka.log.batch_producer import BatchProducer
from stream_app.infra.kafka.log.compression import CODECS
from stream_app.settings import KafkaSettings
from stream_app.usecases.history_ports import WindowRow
from stream_app.usecases.history_queries import HistoryQueries, known_metrics
from stream_app.usecases.rights import EVERYTHING
from stream_app.wire.update import head
from stream_app.wire.update_cells import CellReader
from tests.history_scale.stream import BEGIN, PARTITIONS, SIZE_S, Stream
from tests.integration.history.test_process import Running, history_process, until
from tests.kafka import settings_for, some_broker
from tests.postgres import PostgresProcess
from tests.stored_history import stored_sample

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_BATCH = 2_000
_FLEET = 10_000
_PATIENCE_S = 3600.0
_LOOK_EVERY_S = 0.5


def tell(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def cpu_s(pid: int, *, with_reaped: bool = False) -> float:
    """CPU time of a process; with that of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if with_reaped else 13])) / _TICKS_PER_S


def tree_cpu_s(pid: int) -> float:
    """CPU time of PostgreSQL: the postmaster's, that of backends that have ended, and of those that run."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return cpu_s(pid, with_reaped=True) + sum(cpu_s(int(child)) for child in children)


async def produce(stream: Stream, kafka: KafkaSettings) -> None:
    """Write the whole topic as a worker does: gzip, many updates per batch."""
    producer = BatchProducer(kafka)
    updates = stream.updates()
    while some := list(islice(updates, _BATCH)):
        for partition in range(PARTITIONS):
            records: list[tuple[bytes, bytes, list[tuple[str, bytes]]]] = [
                (b"k", value, []) for to, value in some if to == partition
            ]
            await producer.send(kafka.metrics_topic, partition, records, CODECS["gzip"])
    await producer.discard()


async def ingest(stream: Stream, postgres: PostgresProcess, kafka: KafkaSettings, folder: Path) -> dict[str, float]:
    """Keep the topic, with the process killed twice and PostgreSQL once; returns CPU seconds."""
    history = HistorySettings(url=postgres.url)
    client_s = server_s = rows = 0.0
    for share in (0.25, 0.3, 1.0):  # of the updates, until it is killed
        async with history_process(kafka, history, folder / "history.log") as running:

            async def reached(updates: float) -> bool:
                return (await running.figures()).get("stream_history_updates_total", 0) >= updates

            if share < 1:
                await until(partial(reached, share * stream.written / 2), _PATIENCE_S, _LOOK_EVERY_S)
                if server_s == 0 and client_s > 0:
                    server_s += tree_cpu_s(postgres.pid)
                    postgres.kill()
                    await until(running.waits)
                    postgres.start()
                await until(partial(reached, share * stream.written), _PATIENCE_S, _LOOK_EVERY_S)
            else:
                await until(partial(_caught_up, running), _PATIENCE_S, _LOOK_EVERY_S)
            client_s += cpu_s(running.process.pid)
            rows += (await running.figures())["stream_history_rows_total"]
            tell(f"client {client_s:.0f} s of CPU time, {rows:.0f} rows written")
            if share < 1:
                running.process.kill()
            else:
                assert await running.end() == 0
    server_s += tree_cpu_s(postgres.pid)
    return {"client_s": client_s, "server_s": server_s, "rows_written": rows}


async def _caught_up(running: Running) -> bool:
    figures = await running.figures()
    lags = [value for name, value in figures.items() if name.startswith("stream_history_lag_records")]
    return len(lags) == PARTITIONS and sum(lags) == 0 and figures["stream_history_rows_total"] > 0


async def check(stream: Stream, url: str) -> None:
    """Every window has the state of its highest seq: seq of all, everything of each fiftieth."""
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("select asset_id, start, seq, final from windows where size = '15m'")
    await connection.close()
    assert {(row["asset_id"], row["start"]): row["seq"] for row in rows} == stream.newest
    assert all(row["final"] for row in rows)
    sample = await stored_sample(url, 50)
    for (asset_id, _, start), state in sample.items():
        metrics = stream.content(stream.newest[asset_id, start])
        assert state.values == {n: m["value"] for n, m in metrics.items() if m["value"] is not None}
        assert state.reasons == {n: m["reason"] for n, m in metrics.items() if "reason" in m}
    tell(f"exact: {len(rows)} windows, {len(sample)} of them compared in full")


async def ask(name: str, question: Callable[[], Awaitable[object]]) -> dict[str, float]:
    """Times of a question, in ms."""
    times = []
    for _ in range(15):
        begin = time.perf_counter()
        await question()
        times.append((time.perf_counter() - begin) * 1000)
    tell(f"{name}: median {statistics.median(times):.0f} ms, best {min(times):.0f} ms")
    return {"median_ms": statistics.median(times), "best_ms": min(times)}


async def questions(stream: Stream, postgres: PostgresProcess) -> dict[str, dict[str, float]]:
    """90 days of one asset before and after maintenance; the fleet of 10,000 assets."""
    history = HistorySettings(url=postgres.url)
    store, reads = PostgresStore(history), PostgresReads(history)
    last = BEGIN + timedelta(seconds=(stream.windows - 1) * SIZE_S)
    for window in range(3):
        start = last - timedelta(seconds=SIZE_S * window)
        for first in range(0, _FLEET, _BATCH):
            values = [stream._update(asset + 1000, start, asset, final=True) for asset in range(first, first + _BATCH)]
            await store.write([WindowRow(head(v), CellReader().read(v), True, window == 0) for v in values])
    await store.close()
    queries = HistoryQueries(reads, known_metrics(Catalogue()))
    end = last + timedelta(seconds=SIZE_S)

    def series(points: int | None) -> Callable[[], Awaitable[object]]:
        return lambda: queries.series(
            "bess-00001", "soc_mean_percent", "15m", start=end - timedelta(days=90), end=end, points=points
        )

    def fleet(at: object) -> Callable[[], Awaitable[object]]:
        return lambda: queries.fleet("energy_in_kwh", "15m", EVERYTHING, at=at, descending=True, limit=20)  # type: ignore[arg-type]

    connection = await asyncpg.connect(postgres.url)
    await connection.execute("analyze")
    found = {"90 days before maintenance": await ask("90 days of one metric of one asset", series(None))}
    await maintain(history, end + timedelta(days=90), tell)
    await connection.execute("vacuum analyze")
    size = await connection.fetchval("select sum(pg_total_relation_size(inhrelid)) from pg_inherits")
    await connection.close()
    found |= {
        "90 days": await ask("the same after maintenance", series(None)),
        "90 days, 500 points": await ask("the same with 500 points", series(500)),
        "fleet at a time": await ask(f"fleet of {_FLEET} assets at a time", fleet(last)),
        "fleet, newest": await ask("fleet, newest windows", fleet(None)),
        "store": {"bytes_per_window": float(size) / (len(stream.newest) + 3 * _FLEET)},
    }
    await reads.close()
    return found


async def main(assets: int, windows: int) -> None:
    """Run all of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with some_broker(folder / "kafka") as broker:
            kafka = settings_for(broker.bootstrap_servers)
            await topics.ensure(kafka)
            stream = Stream(assets, windows)
            await produce(stream, kafka)
            tell(f"{stream.written} updates of {len(stream.newest)} windows are in the topic ({broker.kind})")
            postgres = PostgresProcess()
            postgres.start()
            try:
                found = await ingest(stream, postgres, kafka, folder)
                await check(stream, postgres.url)
                millions = stream.written / 1e6
                found["cpu_s_per_million"] = (found["client_s"] + found["server_s"]) / millions
                tell(orjson.dumps(found | await questions(stream, postgres), option=orjson.OPT_INDENT_2).decode())
            finally:
                postgres.remove()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=50)
    parser.add_argument("--windows", type=int, default=8640, help="of 15 minutes: 8640 are 90 days")
    asked = parser.parse_args()
    asyncio.run(main(asked.assets, asked.windows))
