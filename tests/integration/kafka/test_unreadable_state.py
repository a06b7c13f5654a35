"""A stored state that cannot be read ends the worker: no row is at fault, so none becomes a dead letter."""

from __future__ import annotations

import asyncio
import json

import pytest

from stream_app.domain.catalogue import Catalogue
from stream_app.domain.snapshot import FORMAT, HEADER, Marker
from stream_app.http_settings import HttpSettings
from stream_app.infra.kafka.errors import StateError
from stream_app.infra.kafka.log.topics import Topics
from stream_app.infra.kafka.worker import Worker
from stream_app.settings import KafkaSettings, Settings
from stream_app.usecases.ingest import Ingest
from stream_app.usecases.ports import MARKER_KEY, Tables
from stream_app.usecases.spans import KeptWindows
from tests.integration.kafka.running import TIMEOUT_S, produce, producing, read
from tests.ports import free_port

pytestmark = pytest.mark.kafka


def ingest(tables: Tables) -> Ingest:
    """The real command side."""
    catalogue = Catalogue()
    return Ingest(
        tables=tables,
        catalogue=catalogue,
        window_sizes_s=(60,),
        kept_windows=KeptWindows({}, 1),
    )


async def test_rows_of_an_asset_whose_state_is_corrupt_end_the_worker(kafka: KafkaSettings) -> None:
    """One line names the changelog, the partition, the asset and the cure; the dead letters stay empty."""
    topics = Topics.of(kafka)
    async with producing(kafka) as producer:
        for key, value in [(b"a", HEADER.pack(FORMAT, 0) + b"torn"), (MARKER_KEY, Marker(0, {}).dump())]:
            await producer.send_and_wait(topics.assets_changelog, value, key=key, partition=0)
    readings = {"current": 1, "voltage": 800, "soc": 50}
    rows: list[tuple[bytes | None, bytes | None]] = [
        (key, json.dumps({"asset_id": key.decode(), "timestamp": 1_649_808_000 + i, **readings}).encode())
        for i, key in enumerate([b"sound", b"a", b"sound"])
    ]
    await produce(kafka, rows, partition=0)
    worker = Worker(Settings(kafka=kafka, http=HttpSettings(port=free_port())), ingest)
    with pytest.raises(StateError, match=r"assets-changelog' partition 0: .*'a'.*STREAM_KAFKA__APP_ID") as caught:
        async with asyncio.timeout(TIMEOUT_S):
            await worker.run(asyncio.Event())
    assert len(str(caught.value).splitlines()) == 1
    assert worker.status().phase == "failed"
    assert await read(kafka, kafka.dead_letter_topic) == []
