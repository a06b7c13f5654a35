"""The metrics topic, read as a member of a group of its own; the reader says when an offset is done."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.record import default_records
from isal import igzip

from stream_app.infra.kafka.errors import AccessError, BrokerError, BrokerUnavailableError, TopicsError
from stream_app.infra.kafka.log.access import client_options, find_again
from stream_app.infra.kafka.log.contact import reach
from stream_app.infra.kafka.log.failures import broker_failures
from stream_app.infra.kafka.log.fetch_pauses import pausing_send
from stream_app.settings import KafkaSettings
from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.history_ports import UpdateRecord

_log = logging.getLogger(__name__)

#: While the store is away nothing is read, for as long as that takes: it must not cost the membership.
_MAX_POLL_MS: Final = 7 * 86_400_000
_AT_ONCE: Final = 5_000
_FETCH_WAIT_MS: Final = 1500
_LONGEST_PAUSE_S: Final = 1.0
_FETCH_BYTES: Final = 8 << 20


class UpdateReader:
    """Reads updates (port ``UpdateSource``)."""

    def __init__(self, kafka: KafkaSettings, group: str) -> None:
        self._kafka, self._group = kafka, group
        self._consumer: AIOKafkaConsumer | None = None
        self._next: dict[int, int] = {}  # offset of each partition that was read
        self._read_ms: dict[int, int] = {}  # and the stamp of its last record

    async def read(self, timeout_s: float) -> Sequence[UpdateRecord]:
        """Return what has come (port)."""
        consumer = await self._started()
        try:
            with broker_failures():
                found = await consumer.getmany(timeout_ms=round(timeout_s * 1000), max_records=_AT_ONCE)
        except BrokerError as error:
            await self.stop()
            raise UnavailableError("broker_unavailable", f"the metrics topic cannot be read: {error}") from error
        self._next |= {tp.partition: records[-1].offset + 1 for tp, records in found.items()}
        self._read_ms |= {tp.partition: records[-1].timestamp for tp, records in found.items()}
        return [UpdateRecord(tp.partition, r.offset, r.value) for tp, records in found.items() for r in records]

    async def commit(self, positions: Mapping[int, int]) -> None:
        """Tell the group how far this reader is (port)."""
        consumer = await self._started()
        places = {TopicPartition(self._kafka.metrics_topic, number): at for number, at in positions.items()}
        kept = {place: at for place, at in places.items() if place in consumer.assignment()}
        if not kept:
            return
        try:
            await consumer.commit(kept)
        except (CommitFailedError, IllegalStateError) as error:
            # A rebalance is under way: who has the partition next reads again what is stored already.
            _log.info("the group did not take the offsets: %s", error)
        except KafkaError as error:
            raise UnavailableError("broker_unavailable", f"Kafka does not take offsets: {error}") from error

    def lags(self) -> dict[int, tuple[int, float]]:
        """Records that are not read yet, and how long ago the last that was read was written [s], as far as known.

        By partition; where nothing is left to read it is 0 s.
        """
        consumer = self._consumer
        if consumer is None:
            return {}
        lags, now_ms = {}, time.time() * 1000
        for place in consumer.assignment():
            with contextlib.suppress(IllegalStateError):  # it is another's by now
                end, number = consumer.highwater(place), place.partition
                if end is not None:
                    left = max(0, end - self._next.get(number, end))
                    lags[number] = left, max(0.0, now_ms - self._read_ms[number]) / 1000 if left else 0.0
        return lags

    async def stop(self) -> None:
        """Leave the group."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with contextlib.suppress(KafkaError):
                await consumer.stop()

    async def _started(self) -> AIOKafkaConsumer:
        if self._consumer is not None:
            return self._consumer
        kafka = self._kafka
        # ISA-L unpacks gzip, which updates are packed in by default, in a third of the time that zlib takes.
        sys.modules[default_records.DefaultRecordBatch.__module__].gzip_decode = igzip.decompress  # type: ignore[attr-defined]
        try:
            await reach(kafka)
            consumer = AIOKafkaConsumer(
                **client_options(kafka),
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                session_timeout_ms=int(kafka.session_timeout_s * 1000),
                heartbeat_interval_ms=int(kafka.heartbeat_interval_s * 1000),
                max_poll_interval_ms=_MAX_POLL_MS,
                fetch_max_wait_ms=_FETCH_WAIT_MS,
                fetch_max_bytes=_FETCH_BYTES,
                max_partition_fetch_bytes=kafka.fetch_max_bytes,
            )
            try:
                with broker_failures():
                    await consumer.start()
                    if kafka.metrics_topic not in await consumer.topics():
                        msg = f"topic {kafka.metrics_topic!r} is missing: run `stream-app topics ensure`"
                        raise TopicsError([msg])
                consumer.subscribe([kafka.metrics_topic])
                find_again(consumer._client, kafka)
                consumer._client.send = pausing_send(consumer, _LONGEST_PAUSE_S)
            except BaseException:
                with contextlib.suppress(KafkaError):
                    await consumer.stop()
                raise
        except (BrokerError, BrokerUnavailableError, AccessError, TopicsError) as error:
            raise UnavailableError("broker_unavailable", str(error)) from error
        self._consumer = consumer
        return consumer
