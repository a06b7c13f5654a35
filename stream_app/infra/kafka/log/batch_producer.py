"""A producer of whole batches that can be dropped with all that it still holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, Final, NoReturn

from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import NodeNotReadyError, ProducerClosed
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.structs import RecordMetadata

from stream_app.infra.kafka.lease import Lease
from stream_app.infra.kafka.log.access import client_options, find_again
from stream_app.infra.kafka.log.batch_writing import WholeBatch, blocks, whole_batches
from stream_app.infra.kafka.log.compression import ZSTD, Codec
from stream_app.infra.kafka.log.failures import broker_failures
from stream_app.infra.kafka.log.records import Record, Written
from stream_app.infra.kafka.log.topics import RECORD_MAX_BYTES
from stream_app.settings import KafkaSettings

_ABANDON_S: Final = 2.0


class BatchProducer:
    """An idempotent producer that takes whole batches.

    An idempotent producer never gives up a batch by itself. A caller that stops waiting for one must :meth:`discard`
    the producer, or the batch may be written long after; the next :meth:`send` begins with a new one.

    Parameters
    ----------
    lease
        Nothing is written without it.
    """

    def __init__(self, settings: KafkaSettings, lease: Lease | None = None) -> None:
        self._settings, self._lease = settings, lease
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        #: CPU time that building batches has taken so far [s].
        self.built_s = 0.0

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **client_options(self._settings),
                    client_id=f"{self._settings.app_id}-producer",
                    enable_idempotence=True,
                    acks="all",
                    max_request_size=2 * RECORD_MAX_BYTES,
                )
                if self._lease is not None:
                    _require_lease(producer.client, self._lease)
                try:
                    await producer.start()
                except BaseException:
                    await _abandon(producer)
                    raise
                find_again(producer.client, self._settings)
                self._producer = producer
            return self._producer

    async def partitions(self, topic: str) -> int:
        """Count the partitions of a topic; BrokerError: the broker does not tell."""
        with broker_failures():
            return len(await (await self._started()).partitions_for(topic))

    async def send(self, topic: str, partition: int, records: Iterable[Record], codec: Codec = ZSTD) -> Written | None:
        """Write records to one partition, in order; as :meth:`send_batches` otherwise.

        RecordTooLargeError: a record is larger than the topics take. Records before it may have been written.
        """
        return await self.send_batches(
            topic, partition, whole_batches(topic, blocks(records), codec, self.cure_of_large(topic))
        )

    async def send_batches(self, topic: str, partition: int, batches: Iterable[WholeBatch]) -> Written | None:
        """Write batches to one partition, in order, and take them as they are written; return once all are acked.

        Returns
        -------
        Written or None
            Offsets of the records; None when the broker did not tell them (or there was nothing to write).

        Raises
        ------
        BrokerError
            The broker refuses, or the producer was discarded. Some records may have been written.
        """
        with broker_failures():
            return await self._send(topic, partition, iter(batches))

    async def _send(self, topic: str, partition: int, batches: Iterator[WholeBatch]) -> Written | None:
        producer = await self._started()
        acks: list[asyncio.Future[RecordMetadata]] = []
        counts: list[int] = []
        while True:
            began = time.thread_time()
            batch = next(batches, None)
            self.built_s += time.thread_time() - began
            if batch is None:
                break
            if len(acks) > 1:  # two under way keep the broker busy; more would only take memory
                await acks[-2]
            await asyncio.sleep(0)  # others take their turn: a batch takes some milliseconds
            counts.append(batch.record_count())
            acks.append(await producer.send_batch(batch, topic, partition=partition))
        return _written([ack.offset for ack in await asyncio.gather(*acks)], counts)

    def cure_of_large(self, topic: str) -> str:
        """What to do about a record of a topic that is too large."""
        if topic == self._settings.dead_letter_topic:
            return "please report this as a bug, dead letters are cut"
        if topic == self._settings.measurements_topic:
            return "send fewer rows at once"
        return "give the asset fewer window sizes (PUT /api/v1/assets/{id}/spec)"

    async def discard(self) -> None:
        """Drop the producer with all that it has not written yet."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _abandon(producer)


def _require_lease(client: AIOKafkaClient, lease: Lease) -> None:
    """Check the lease right before a batch is sent.

    A process that was stopped and continued goes on where it stood: its producer would write the batches that it holds
    before anybody learns that the lease is over.
    """
    send = client.send

    async def send_with_lease(node_id: int, request: Any, **options: Any) -> Any:
        if isinstance(request, ProduceRequest):
            await client.ready(node_id)  # connected: nothing is awaited between the check and the write
            if lease.remaining_s() <= 0:
                msg = "the lease is over"
                raise NodeNotReadyError(msg)
        return await send(node_id, request, **options)

    client.send = send_with_lease


def _written(bases: Sequence[int], counts: Sequence[int]) -> Written | None:
    if not bases or min(bases) < 0:  # the broker gives no offset for a batch that it already had
        return None
    ends = [base + count for base, count in zip(bases, counts, strict=True)]
    return Written(bases[0], ends[-1] - 1, whole=list(bases[1:]) == ends[:-1])


class _PendingBatches(set[Any]):
    """Batches under way, of a producer that is dropped.

    aiokafka removes a batch from this set both when it puts it back to send it again and when it fails: for a batch
    that waited for its second try, dropping the producer logged a KeyError.
    """

    def remove(self, batch: Any) -> None:
        """Remove a batch if it is there."""
        self.discard(batch)


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Stop a producer at once; batches that it has not sent are never sent (its own ``stop`` would wait for them)."""

    async def refuse(*_: object, **__: object) -> NoReturn:
        raise ProducerClosed

    producer._closed = True
    producer.client._get_conn = refuse  # closing the client alone would let a request open a new connection
    accumulator, sender = producer._message_accumulator, producer._sender
    for batch in (*chain.from_iterable(accumulator._batches.values()), *accumulator._pending_batches):
        for future in (batch.future, batch._drain_waiter):
            future.add_done_callback(_seen)  # nobody may be waiting for it any more
    accumulator._pending_batches = _PendingBatches(accumulator._pending_batches)
    if sender.sender_task is not None:
        sender.sender_task.remove_done_callback(sender._fail_all)
        sender.sender_task.add_done_callback(_seen)  # it fails when it comes upon a batch that was failed below
    accumulator.fail_all(ProducerClosed())
    # Closing the sender waits for its requests. They fail now, and the sender with them, or they hang and are left.
    for close in (producer.client.close, sender.close):
        with suppress(Exception):
            async with asyncio.timeout(_ABANDON_S):
                await close()


def _seen(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
