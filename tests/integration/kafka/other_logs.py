"""A worker with real states, and what others do to its topics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient

from stream_app.domain.catalogue import Catalogue
from stream_app.domain.snapshot import Marker
from stream_app.infra.kafka.log import topics
from stream_app.infra.kafka.log.topics import Topics
from stream_app.settings import KafkaSettings
from stream_app.usecases.ingest import Ingest
from stream_app.usecases.ports import MARKER_KEY, Tables
from stream_app.usecases.spans import KeptWindows
from tests.integration.kafka.running import Running, produce, read, running, until

START_MS = 1_772_323_200_000
CATALOGUE = Catalogue()


def ingest(tables: Tables) -> Ingest:
    return Ingest(
        tables=tables, catalogue=CATALOGUE, window_sizes_s=(60, 3600), kept_windows=KeptWindows({}, default=24)
    )


def rows(first: int, last: int, asset: str = "a") -> list[tuple[bytes | None, bytes | None]]:
    """Rows of one asset, one a second."""
    return [
        (
            asset.encode(),
            json.dumps(
                {"asset_id": asset, "timestamp": START_MS + 1000 * i, "current": 1, "voltage": 800, "soc": 50}
            ).encode(),
        )
        for i in range(first, last)
    ]


async def lifetimes(kafka: KafkaSettings, asset: str = "a") -> dict[int, int]:
    """Rows that each update of an asset's lifetime counts, by its seq; the same seq always says the same."""
    found: dict[int, int] = {}
    for record in await read(kafka, kafka.metrics_topic):
        update = json.loads(record.value)
        if update["asset_id"] == asset and update["window"]["size"] == "lifetime":
            count = update["metrics"]["total_data_points"]["value"]
            assert found.setdefault(update["seq"], count) == count
    return found


@asynccontextmanager
async def admin(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def exists(kafka: KafkaSettings, topic: str) -> bool:
    async with admin(kafka) as client:
        return topic in await client.list_topics()


async def delete(kafka: KafkaSettings) -> None:
    """Delete the measurements topic, and wait until it is gone."""
    async with admin(kafka) as client:
        await client.delete_topics([kafka.measurements_topic])
        async with asyncio.timeout(30):
            while kafka.measurements_topic in await client.list_topics():  # noqa: ASYNC110  # the broker sends no event
                await asyncio.sleep(0.05)


async def recreate(kafka: KafkaSettings) -> None:
    await delete(kafka)
    await topics.ensure(kafka)


async def filled(kafka: KafkaSettings, some: Sequence[tuple[bytes | None, bytes | None]]) -> None:
    """Have a worker apply rows of one partition, and end."""
    await produce(kafka, some, partition=0)
    async with running(kafka, ingest=ingest) as run:
        await until(lambda: run.worker.tables.position(0) == len(some))


async def position_is(run: Running, position: int) -> None:
    await until(lambda: run.worker.tables.position(0) == position)


def marker(run: Running) -> Marker:
    """The marker in a worker's tables."""
    value = run.worker.tables.asset(0, MARKER_KEY)
    assert value is not None
    return Marker.load(value)


async def markers(kafka: KafkaSettings) -> list[Marker]:
    changelog = Topics.of(kafka).assets_changelog
    return [Marker.load(r.value) for r in await read(kafka, changelog) if r.key == MARKER_KEY]
