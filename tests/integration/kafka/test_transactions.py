"""Only committed rows count, whatever is interleaved with them, and a transaction that stays open is told."""

from __future__ import annotations

import asyncio
import logging

import pytest
from aiokafka import AIOKafkaProducer

from stream_app.settings import KafkaSettings
from tests.integration.kafka.running import producing, reached, running, until
from tests.integration.kafka.test_whole_fetches import fetches
from tests.kafka import Broker

pytestmark = pytest.mark.kafka


async def put(producer: AIOKafkaProducer, kafka: KafkaSettings, *numbers: int) -> None:
    for number in numbers:
        await producer.send_and_wait(kafka.measurements_topic, b"%d" % number, key=b"a", partition=0)


async def test_rows_count_that_are_committed_or_plain(real_broker: Broker, kafka: KafkaSettings) -> None:
    """Two transactions and plain rows interleaved, in answers of a batch each: the aborted one leaves nothing."""
    async with (
        producing(kafka, transactional_id=f"{kafka.app_id}-1") as first,
        producing(kafka, transactional_id=f"{kafka.app_id}-2") as second,
        producing(kafka) as plain,
    ):
        await first.begin_transaction()
        await second.begin_transaction()
        await put(first, kafka, 1000)
        await put(second, kafka, 1)
        await put(plain, kafka, 2)
        await put(first, kafka, 2000)
        await first.abort_transaction()
        await put(second, kafka, 4)
        await second.commit_transaction()
        await first.begin_transaction()
        await put(first, kafka, 8)
        await first.commit_transaction()
    for some in (kafka, kafka.model_copy(update={"fetch_max_bytes": 1})):
        for start in (0, 1, 3):
            found = await fetches(some, end=9, start=start)
            assert (found[0].start, found[-1].end) == (start, 9)
            assert [a.end for a in found[:-1]] == [b.start for b in found[1:]]
            values = [int(value or b"") for fetch in found for value in fetch.values]
            assert values == [value for offset, value in ((1, 1), (2, 2), (5, 4), (7, 8)) if offset >= start]


async def test_an_aborted_transaction_is_skipped_by_worker_and_recovery(
    real_broker: Broker, kafka: KafkaSettings
) -> None:
    """Between the abort and the retry a worker is replaced: the same rows, once."""
    async with producing(kafka, transactional_id=kafka.app_id) as producer:
        await producer.begin_transaction()
        await put(producer, kafka, 1, 2)
        await producer.commit_transaction()
        await producer.begin_transaction()
        await put(producer, kafka, 500, 500)
        await producer.abort_transaction()
        async with running(kafka) as run:
            await until(lambda: run.totals() == {b"a": (2, 3)} and run.worker.lag(0) == 0)
        await producer.begin_transaction()
        await put(producer, kafka, 20, 20)
        await producer.commit_transaction()
        async with running(kafka) as run:
            await until(lambda: run.totals() == {b"a": (4, 43)} and run.worker.lag(0) == 0)
    await reached(kafka, {b"a": (4, 43)})


async def test_a_transaction_that_stays_open_is_told_and_ends_nobody(
    real_broker: Broker, kafka: KafkaSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """Longer than the stall time: the worker waits, says for whom, and goes on when it is committed."""
    caplog.set_level(logging.WARNING)
    async with (
        running(kafka, stall_timeout_s=2, open_transaction_s=1) as run,
        producing(kafka, transactional_id=kafka.app_id) as producer,
        producing(kafka) as plain,
    ):
        await put(plain, kafka, 1)
        await producer.begin_transaction()
        await put(producer, kafka, 2)
        await put(plain, kafka, 4)
        producer_id = producer._txn_manager.producer_id
        told = f"the producer with id {producer_id} has had a transaction open since offset 1"
        await until(lambda: told in run.worker.status().detail)
        assert any(told in record.getMessage() for record in caplog.records)
        await asyncio.sleep(4)  # twice the stall time
        assert not run.task.done()
        assert run.worker.lag(0) == 0
        assert run.totals() == {b"a": (1, 1)}
        await producer.commit_transaction()
        await until(lambda: run.totals() == {b"a": (3, 7)})
        await until(lambda: run.worker.status().detail == "")
