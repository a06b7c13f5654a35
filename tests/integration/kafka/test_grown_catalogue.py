"""A worker that has gained a column, a metric and a window size goes on from the topics of the one before it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from stream_app.domain.catalogue import Catalogue
from stream_app.http_settings import HttpSettings
from stream_app.infra.kafka.worker import Worker
from stream_app.settings import KafkaSettings, Settings
from stream_app.usecases.ingest import Ingest
from stream_app.usecases.ports import NoTables, Tables
from stream_app.usecases.spans import KeptWindows
from stream_app.warm_up import fetch_of
from tests.integration.kafka.running import ensured, produce, read, until
from tests.ports import free_port
from tests.unit.domain.fleets import CATALOGUE
from tests.unit.domain.golden_states import rows
from tests.unit.domain.test_golden_states import SecondPath

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]  # two catalogues are compiled

GROWN = Catalogue((*CATALOGUE.metrics, SecondPath()), ("second_a", *CATALOGUE.columns))
GROWN_SIZES_S = (60, 300, 900, 3600)
SIZES_S = (60, 900, 3600)
FIRST, ALL = 900, 1500
Update = dict[str, Any]


@asynccontextmanager
async def computing(
    kafka: KafkaSettings, catalogue: Catalogue = CATALOGUE, sizes_s: tuple[int, ...] = SIZES_S
) -> AsyncIterator[Worker]:
    """A worker with this catalogue and these window sizes [s], ready."""

    def ingest(tables: Tables) -> Ingest:
        return Ingest(
            tables=tables,
            catalogue=catalogue,
            window_sizes_s=sizes_s,
            kept_windows=KeptWindows({}, 24),
            lateness_s=5.0,
        )

    worker, stop = Worker(Settings(kafka=kafka, http=HttpSettings(port=free_port())), ingest), asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    try:
        await until(lambda: task.done() or worker.status().phase == "ready")
        yield worker
    finally:
        stop.set()
        await task


def compile_(catalogue: Catalogue) -> None:
    """Compile a catalogue's walk before a worker has to: it would take longer than the group waits for a member."""
    ingest = Ingest(
        tables=NoTables(), catalogue=catalogue, window_sizes_s=SIZES_S, kept_windows=KeptWindows({}, 24), lateness_s=5.0
    )
    ingest.apply(fetch_of(0, [messages(0, ALL)]))
    assert ingest.checkpoint(0) is not None


def messages(first: int, last: int) -> list[tuple[bytes, bytes]]:
    """Some of the rows."""
    names = ("current", "voltage", "soc", "power")
    return [
        (
            row["asset"].encode(),
            json.dumps(
                {"asset_id": row["asset"], "timestamp": row["time_us"], **{name: row[name] for name in names}}
            ).encode(),
        )
        for row in rows(0, ALL)[first:last]
    ]


async def send(kafka: KafkaSettings, first: int, last: int) -> None:
    """Produce some of the rows, in one partition."""
    await produce(kafka, messages(first, last), partition=0)


async def written(worker: Worker, position: int) -> None:
    """Wait until a checkpoint includes everything before a source offset."""
    await until(lambda: worker.tables.position(0) == position)


async def newest(kafka: KafkaSettings) -> Mapping[tuple[str, ...], Update]:
    """Last update of each window and lifetime."""
    updates: dict[tuple[str, ...], Update] = {}
    for record in await read(kafka, kafka.metrics_topic):
        update = json.loads(record.value)
        updates[update["asset_id"], update["window"]["size"], update["window"]["start"]] = update
    return updates


def old_part(update: Update) -> Update:
    """The update without what the grown catalogue added."""
    return update | {"metrics": {name: of for name, of in update["metrics"].items() if name != "second_path_a"}}


async def test_old_metrics_go_on_bit_for_bit(kafka: KafkaSettings) -> None:
    """Windows and lifetimes are those of a worker that never changed, and the new metric says since when it counts."""
    before = kafka.model_copy(update={"app_id": f"{kafka.app_id}-same", "metrics_topic": f"{kafka.metrics_topic}-same"})
    await ensured(before)
    made = len(rows(0, ALL))
    for catalogue in (CATALOGUE, GROWN):
        compile_(catalogue)
    async with computing(before) as same:
        async with computing(kafka) as old:
            await send(kafka, 0, FIRST)
            await written(old, FIRST)
        async with computing(kafka, GROWN, GROWN_SIZES_S) as grown:
            await send(kafka, FIRST, made)
            await written(grown, made)
        await written(same, made)
    truth, updates = await newest(before), await newest(kafka)
    assert {size for _, size, _ in truth} == {"1m", "15m", "1h", "lifetime"}
    assert {key: old_part(updates[key]) for key in truth} == truth
    assert {size for _, size, _ in updates.keys() - truth.keys()} == {"5m"}
    for asset_id in ("late", "loops", "repeated"):
        late = next(of for key, of in updates.items() if key[:2] == (asset_id, "lifetime"))
        assert late["metrics"]["second_path_a"]["since"] is not None
