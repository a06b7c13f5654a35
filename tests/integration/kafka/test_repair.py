"""Entries that a late writer has overwritten are written again, and survive compaction."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from stream_app.domain.snapshot import FORMAT
from stream_app.infra.kafka.log import topics
from stream_app.infra.kafka.log.partitioning import partition_of
from stream_app.infra.kafka.log.topics import Topics
from stream_app.settings import KafkaSettings
from stream_app.usecases.ports import MARKER_KEY
from tests.integration.kafka.counting import HEADER, STATE
from tests.integration.kafka.running import TIMEOUT_S, expected, numbers, produce, producing, read, running, until
from tests.kafka import KafkaProcess, settings_for

pytestmark = pytest.mark.kafka

_IDLE = b"asset-0"
_EAGER = {
    "cleanup.policy": "compact",
    "max.message.bytes": str(16 << 20),
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.01",
    "min.compaction.lag.ms": "0",
}


async def _written_late(kafka: KafkaSettings) -> None:
    """A state of one row and a marker as of then, from a worker that was cut off at that time."""
    changelog, partition = Topics.of(kafka).assets_changelog, partition_of(_IDLE, kafka.partitions)
    async with producing(kafka) as producer:
        await producer.send_and_wait(changelog, STATE.pack(FORMAT, 0, 1, 0), key=_IDLE, partition=partition)
        await producer.send_and_wait(changelog, HEADER.pack(FORMAT, 1), key=MARKER_KEY, partition=partition)


async def _last(kafka: KafkaSettings) -> dict[bytes, bytes]:
    """Entries that compaction would keep of the idle asset's partition."""
    partition = partition_of(_IDLE, kafka.partitions)
    entries = await read(kafka, Topics.of(kafka).assets_changelog)
    return {entry.key: entry.value for entry in entries if entry.partition == partition}


async def _repaired(kafka: KafkaSettings, due: dict[bytes, bytes]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while await _last(kafka) != due:  # noqa: ASYNC110  # a topic sends no event
            await asyncio.sleep(0.2)


async def test_the_owner_repairs_entries_that_a_late_writer_has_overwritten(kafka: KafkaSettings) -> None:
    """It notices records that are not its own, though no row comes in."""
    async with running(kafka) as run:
        await produce(kafka, numbers(700))
        await until(lambda: run.rows() == 700)
        due = await _last(kafka)
        await _written_late(kafka)
        assert await _last(kafka) != due
        await _repaired(kafka, due)
        assert run.totals() == expected(numbers(700))


async def test_the_next_owner_repairs_entries_that_its_recovery_has_ignored(kafka: KafkaSettings) -> None:
    """The late write came while nobody was there; the next owner finds both, and puts the newer one last."""
    async with running(kafka) as run:
        await produce(kafka, numbers(700))
        await until(lambda: run.rows() == 700)
    due = await _last(kafka)
    await _written_late(kafka)
    async with running(kafka) as run:
        assert run.totals() == expected(numbers(700))
        await _repaired(kafka, due)


async def test_an_idle_asset_survives_a_late_writer_and_compaction(kafka_process: KafkaProcess) -> None:
    """From end to end: the late state is repaired, the changelog compacted, and all states recovered from it."""
    kafka = settings_for(kafka_process.bootstrap_servers)
    await topics.ensure(kafka)
    async with running(kafka) as run:
        await produce(kafka, numbers(700))
        await until(lambda: run.rows() == 700)
        due = await _last(kafka)
        await _written_late(kafka)
        await _repaired(kafka, due)
    before = await _compacted(kafka)
    assert before == due
    async with running(kafka) as run:
        assert run.totals() == expected(numbers(700))
        await produce(kafka, numbers(70))
        await until(lambda: run.rows() == 770)
        assert run.totals() == expected(numbers(700) + numbers(70))


async def _compacted(kafka: KafkaSettings) -> dict[bytes, bytes]:
    """Let the broker compact until each key of the idle asset's partition is there once; return its entries."""
    changelog, partition = Topics.of(kafka).assets_changelog, partition_of(_IDLE, kafka.partitions)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, changelog, _EAGER)])
    finally:
        await admin.close()
    async with asyncio.timeout(TIMEOUT_S), producing(kafka) as producer:
        while True:
            # The active segment is never compacted, and rolled only by a write.
            await producer.send_and_wait(changelog, HEADER.pack(FORMAT, 0), key=b"filler", partition=partition)
            entries = [entry for entry in await read(kafka, changelog) if entry.partition == partition]
            kept = [entry for entry in entries if entry.key != b"filler"]
            if len(kept) == len({entry.key for entry in kept}):
                break
            await asyncio.sleep(0.2)
        await producer.send_and_wait(changelog, None, key=b"filler", partition=partition)
    return {entry.key: entry.value for entry in kept}
