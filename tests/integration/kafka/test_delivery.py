"""The five laws of delivery, each under the condition that it is there for."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as ClientPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import OffsetAndMetadata
from prometheus_client import REGISTRY

from stream_app.domain.snapshot import FORMAT, Marker
from stream_app.infra.kafka.errors import SourceTruncatedError, StateError
from stream_app.infra.kafka.log.topics import Topics
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.infra.kafka.update_batches import UpdateBatches
from stream_app.settings import KafkaSettings
from stream_app.usecases.ports import MARKER_KEY, Checkpoint
from stream_app.wire.batch import Fetch
from tests.integration.kafka.counting import HEADER, STATE
from tests.integration.kafka.running import expected, numbers, produce, producing, read, running, state, until

pytestmark = pytest.mark.kafka


async def commit(kafka: KafkaSettings, offset: int) -> None:
    """Set the group's committed offsets from outside."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, group_id=kafka.app_id, enable_auto_commit=False
    )
    await consumer.start()
    partitions = [ClientPartition(kafka.measurements_topic, number) for number in range(kafka.partitions)]
    consumer.assign(partitions)
    await consumer.commit({partition: OffsetAndMetadata(offset, "") for partition in partitions})
    await consumer.stop()


@pytest.mark.parametrize("committed", [0, 10_000])
async def test_the_state_s_position_wins_over_the_committed_offset(kafka: KafkaSettings, committed: int) -> None:
    """After a restart reading goes on where the state stands, whether the group's offset is behind or ahead."""
    before, after = numbers(500), numbers(700)
    await produce(kafka, before)
    async with running(kafka) as run:
        await until(lambda: run.rows() == 500)
    await commit(kafka, committed)
    await produce(kafka, after)
    async with running(kafka) as run:
        await until(lambda: run.rows() == 1200)
        assert run.totals() == expected(before + after)
        assert run.ingest.applied_rows == 700
        assert run.ingest.gaps == 0
    assert await state(kafka) == expected(before + after)


async def test_a_group_offset_without_state_is_no_reason_to_skip(kafka: KafkaSettings) -> None:
    """With an empty changelog all rows are applied, even if the group has committed past them."""
    rows = numbers(300)
    await produce(kafka, rows)
    await commit(kafka, 40)
    async with running(kafka) as run:
        await until(lambda: run.rows() == 300)
        assert run.totals() == expected(rows)


async def test_a_gap_is_read_again_from_the_position(kafka: KafkaSettings) -> None:
    """A fetch that begins behind the position is not applied; the partition is read again."""
    first, second = [(b"a", b"1")] * 10, [(b"a", b"2")] * 20
    await produce(kafka, first, partition=2)
    async with running(kafka) as run:
        await until(lambda: run.rows() == 10)
        processor = run.worker._processor
        apply, gaps = processor.apply, iter([True])

        async def after_a_gap(fetch: Fetch, generation: int | None) -> None:
            behind = fetch.end > len(first) + 1  # what was read again from the beginning alone shows no gap
            skipped = replace(fetch, start=len(first) + 1) if behind and next(gaps, False) else fetch
            await apply(skipped, generation)

        processor.apply = after_a_gap  # type: ignore[method-assign]
        await produce(kafka, second, partition=2)
        await until(lambda: run.rows() == 30)
        assert run.ingest.gaps >= 1
        assert run.totals() == {b"a": (30, 50)}


async def test_a_gap_before_the_first_checkpoint(kafka: KafkaSettings) -> None:
    """Without any state reading begins at the log's start and nowhere else."""
    async with running(kafka) as run:
        await run.worker.engine.seek({TopicPartition(kafka.measurements_topic, 1): 5})
        await produce(kafka, [(b"a", b"1")] * 9, partition=1)
        await until(lambda: run.rows() == 9)
        assert run.totals() == {b"a": (9, 9)}


async def test_a_fetch_that_never_arrives_is_read_again(kafka: KafkaSettings) -> None:
    """A fetch that is lost inside the worker is read again, even if no later fetch shows a gap."""
    async with running(kafka) as run:
        processor = run.worker._processor
        apply, losses = processor.apply, iter([True])

        async def lose_first(fetch: Fetch, generation: int | None) -> None:
            if not next(losses, False):
                await apply(fetch, generation)

        processor.apply = lose_first  # type: ignore[method-assign]
        await produce(kafka, [(b"a", b"1")] * 10, partition=0)
        await until(lambda: run.rows() == 10)
        assert next(losses, None) is None
        assert run.ingest.gaps == 0


async def test_committed_offsets_follow_the_checkpoints(kafka: KafkaSettings) -> None:
    """The group's lag as seen from outside is right: the committed offset is the checkpoint's position."""
    await produce(kafka, [(b"a", b"1")] * 25, partition=3)
    async with running(kafka) as run:
        await until(lambda: run.rows() == 25)
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
        await admin.start()
        async with asyncio.timeout(20):
            while True:
                offsets = await admin.list_consumer_group_offsets(kafka.app_id)
                found = offsets.get(ClientPartition(kafka.measurements_topic, 3))
                if found is not None and found.offset == 25:
                    break
                await asyncio.sleep(0.1)
        await admin.close()
        assert run.worker.lag(3) == 0


async def test_output_comes_before_state(kafka: KafkaSettings) -> None:
    """While the output cannot be written no state is; then both are, the marker last and on the source's partition."""
    async with running(kafka) as run:
        sink = run.worker._processor.checkpoints._sink
        send, blocked = sink._send_output, asyncio.Event()

        async def wait_first(checkpoint: Checkpoint, updates: UpdateBatches) -> None:
            await blocked.wait()
            await send(checkpoint, updates)

        sink._send_output = wait_first  # type: ignore[method-assign]
        await produce(kafka, [(b"a", b"1"), (b"b", b"2"), (None, b"3"), (b"c", None)], partition=1)
        await until(lambda: run.ingest.applied_rows == 2)
        assert await read(kafka, Topics.of(kafka).assets_changelog) == []
        blocked.set()
        await until(lambda: run.rows() == 2)
    entries = await read(kafka, Topics.of(kafka).assets_changelog)
    assert {record.partition for record in entries} == {1}
    assert entries[-1].key == MARKER_KEY
    assert HEADER.unpack_from(entries[-1].value) == (FORMAT, 4)
    assert {record.key for record in await read(kafka, kafka.metrics_topic)} == {b"a", b"b"}
    letters = await read(kafka, kafka.dead_letter_topic)
    assert sorted((record.key or b"", record.value or b"") for record in letters) == [(b"", b"3"), (b"c", b"")]


async def test_without_a_lease_a_checkpoint_is_held_and_then_written(kafka: KafkaSettings) -> None:
    """A worker that the coordinator has not confirmed for a session timeout writes nothing; confirmed, it goes on."""
    async with running(kafka) as run:
        lease = run.worker.engine.lease
        renew = lease.renew
        lease.renew = lambda sent_at: None  # type: ignore[method-assign]
        lease.void()
        await produce(kafka, numbers(100))
        await until(lambda: run.ingest.applied_rows == 100)
        await asyncio.sleep(1.0)  # that nothing happens can only be told by waiting
        assert await state(kafka) == {}
        lease.renew = renew  # type: ignore[method-assign]
        await until(lambda: run.rows() == 100)
    assert await state(kafka) == expected(numbers(100))


async def test_recovery_newer_wins_and_tombstones_delete(kafka: KafkaSettings) -> None:
    """A late entry of a worker that lost its partition is ignored; a deleted one stays deleted."""
    changelog = Topics.of(kafka).assets_changelog
    async with producing(kafka) as producer:
        for key, value in [
            (b"a", STATE.pack(FORMAT, 50, 5, 500)),
            (b"a", STATE.pack(FORMAT, 20, 2, 200)),  # older
            (b"b", STATE.pack(FORMAT, 60, 1, 1)),
            (b"b", None),
            (b"c", STATE.pack(FORMAT, 7, 1, 10)),
            (b"c", STATE.pack(FORMAT, 7, 1, 11)),  # as old as the entry before: replaces it
            (MARKER_KEY, Marker(0, {}).dump()),
        ]:
            await producer.send_and_wait(changelog, value, key=key, partition=0)
    async with running(kafka) as run:
        assert run.totals() == {b"a": (5, 500), b"c": (1, 11)}


async def test_state_of_a_newer_release_is_refused(kafka: KafkaSettings) -> None:
    """An unknown format ends the worker with the reason; it must not go on with half a state."""
    async with producing(kafka) as producer:
        await producer.send_and_wait(Topics.of(kafka).windows_changelog, HEADER.pack(9, 1), key=b"a\x00x", partition=2)
    async with running(kafka, ready=False) as run:
        with pytest.raises(StateError, match=r"windows-changelog' partition 2: .*format 9"):
            await run.task


async def test_rows_deleted_by_retention_are_skipped_with_an_error_in_the_log(
    kafka: KafkaSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """When the log begins after the position, the gap is logged and counted, and the rows that are left are applied."""
    await produce(kafka, [(b"a", b"1")] * 10, partition=0)
    async with running(kafka) as run:
        await until(lambda: run.rows() == 10)
    await produce(kafka, [(b"a", b"1")] * 10, partition=0)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    await admin.delete_records({ClientPartition(kafka.measurements_topic, 0): RecordsToDelete(15)})
    await admin.close()
    async with running(kafka) as run:
        await until(lambda: run.rows() == 15)
    assert "offsets 10 to 14 were deleted by retention" in caplog.text
    labels = {"topic": kafka.measurements_topic, "partition": "0"}
    assert REGISTRY.get_sample_value("stream_skipped_messages_total", labels) == 5


async def test_rows_and_checkpoints_are_counted(kafka: KafkaSettings) -> None:
    """The process counts the rows that it applied and the checkpoints that it wrote."""
    names = {"stream_rows_total": {"result": "applied"}, "stream_checkpoint_seconds_count": {}}
    before = [REGISTRY.get_sample_value(*one) or 0.0 for one in names.items()]
    await produce(kafka, [(b"a", b"1")] * 10, partition=0)
    async with running(kafka) as run:
        await until(lambda: run.rows() == 10)
    rows, checkpoints = (
        (REGISTRY.get_sample_value(*one) or 0.0) - old for one, old in zip(names.items(), before, strict=True)
    )
    assert rows == 10
    assert 1 <= checkpoints <= 10


async def test_a_recreated_source_is_not_taken_for_the_old_one(kafka: KafkaSettings) -> None:
    """When the topic ends before the state's position its rows cannot be the ones that follow: the worker ends."""
    async with producing(kafka) as producer:
        await producer.send_and_wait(
            Topics.of(kafka).assets_changelog, Marker(1000, {}).dump(), key=MARKER_KEY, partition=0
        )
    await produce(kafka, [(b"a", b"1")] * 10, partition=0)
    async with running(kafka, ready=False) as run:
        with pytest.raises(SourceTruncatedError, match="ends at offset 10, but the state is at 1000"):
            await run.task


async def test_an_unexpected_exception_loses_nothing(kafka: KafkaSettings, caplog: pytest.LogCaptureFixture) -> None:
    """A fetch that cannot be applied is tried again from the tables; the log has it once."""
    async with running(kafka) as run:
        apply, failures = run.ingest.apply, iter([True, True, False])

        def sometimes(fetch: object) -> object:
            if next(failures, False):
                msg = "a bug"
                raise RuntimeError(msg)
            return apply(fetch)

        run.ingest.apply = sometimes
        await produce(kafka, [(b"a", b"1")] * 10, partition=0)
        await until(lambda: run.rows() == 10)
        assert run.totals() == {b"a": (10, 10)}
    assert caplog.text.count("cannot apply") == 1


async def test_crc32_partitioned_rows_keep_their_state_beside_them(kafka: KafkaSettings) -> None:
    """Where a producer puts a key, there its state is: murmur2 has no say in it."""
    rows = numbers(100)
    by_partition = {key: number % 4 for number, key in enumerate(sorted({key for key, _ in rows if key}))}
    for number in range(4):
        await produce(kafka, [(k, v) for k, v in rows if k and by_partition[k] == number], partition=number)
    async with running(kafka) as run:
        await until(lambda: run.rows() == 100)
        for key, number in by_partition.items():
            assert run.worker.tables.asset(number, key) is not None
    changelog = await read(kafka, Topics.of(kafka).assets_changelog)
    assert {r.key: r.partition for r in changelog if r.key != MARKER_KEY} == by_partition
