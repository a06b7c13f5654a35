"""The dead-letter topic and the originals of its letters, read as they are.

aiokafka's consumer cannot read a record whose headers have names that are not UTF-8; this reads batches by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.errors import OffsetOutOfRangeError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import OffsetAndMetadata

from stream_app.infra.kafka.errors import BrokerError, BrokerFailedError, ReplayRunningError
from stream_app.infra.kafka.log.access import client_options
from stream_app.infra.kafka.log.contact import reach
from stream_app.infra.kafka.log.failures import broker_failures
from stream_app.infra.kafka.log.fetches import fetches
from stream_app.infra.kafka.log.group_state import members
from stream_app.infra.kafka.log.topics import admin_client
from stream_app.infra.kafka.topic_partition import TopicPartition as Place
from stream_app.settings import KafkaSettings
from stream_app.usecases.letters import StoredLetter
from stream_app.usecases.replay import Progress

_WAIT_MS: Final = 500
_FETCH_BYTES: Final = 4 << 20
#: A replay may take long between two commits.
_MAX_POLL_INTERVAL_MS: Final = 7 * 86_400_000
#: Of an offset's metadata, less than what brokers take (offset.metadata.max.bytes).
PROGRESS_MAX_BYTES: Final = 4000


class LetterLog:
    """Reads letters and originals; made by :func:`letter_log`."""

    def __init__(self, kafka: KafkaSettings, consumer: AIOKafkaConsumer) -> None:
        self.topic, self._consumer = kafka.dead_letter_topic, consumer

    async def bounds(self) -> Mapping[int, tuple[int, int]]:
        """First offset and end of each partition of the dead letters; none: the topic is missing."""
        cluster = await self._consumer._client.fetch_all_metadata()
        places = [TopicPartition(self.topic, number) for number in cluster.partitions_for_topic(self.topic) or ()]
        if not places:
            return {}
        begins, ends = await self._consumer.beginning_offsets(places), await self._consumer.end_offsets(places)
        return {place.partition: (begins[place], ends[place]) for place in sorted(places)}

    async def letters(self, partition: int, begin: int, end: int) -> AsyncIterator[StoredLetter]:
        """Read the letters of a partition from ``begin`` to before ``end``."""
        async for record in self._records(Place(self.topic, partition), begin, end):
            yield record

    async def record(self, topic: str, partition: int, offset: int) -> StoredLetter | None:
        """Read one record of any topic; None: it is not there."""
        try:
            async for record in self._records(Place(topic, partition), offset, offset + 1):
                return record
        except OffsetOutOfRangeError:
            pass
        return None

    async def _records(self, place: Place, begin: int, end: int) -> AsyncIterator[StoredLetter]:
        while begin < end:
            data = await self._fetch(place, begin)
            if not data:
                return  # the end is not there any more
            for fetch in fetches(place, data, begin):
                begin = fetch.end
                for i in range(len(fetch.offsets)):
                    offset = int(fetch.offsets[i])
                    if offset < end:
                        yield StoredLetter(
                            *(place.partition, offset, int(fetch.timestamps_ms[i])),
                            *(fetch.keys[i], fetch.values[i], fetch.headers[i]),
                        )

    async def _fetch(self, place: Place, offset: int) -> bytes:
        client = self._consumer._client
        await client._wait_on_metadata(place.topic)
        request = FetchRequest(
            *(_WAIT_MS, 1, _FETCH_BYTES, READ_COMMITTED),
            [(place.topic, [(place.partition, offset, _FETCH_BYTES)])],
            rack_id="",
        )
        leader = client.cluster.leader_for_partition(TopicPartition(*place))
        answer: Any = await client.send(leader, request)
        (part,) = (part for _, parts in answer.topics for part in parts)
        if part[1]:
            raise for_code(part[1])(f"{place.topic}[{place.partition}] at offset {offset}")
        return bytes(part[-1] or b"")


class ReplayGroup(LetterLog):
    """The letters for a replay: which were replayed stands in the offsets of a group of its own."""

    async def progress(self, bounds: Mapping[int, tuple[int, int]]) -> dict[int, Progress]:
        """How far each partition was replayed."""
        places = [TopicPartition(self.topic, number) for number in bounds]
        stored = await self._consumer._coordinator.fetch_committed_offsets(places)
        found = {}
        for number, (begin, _) in bounds.items():
            at = stored.get(TopicPartition(self.topic, number))
            known = at is not None and at.offset >= 0
            progress = Progress.load(at.offset, at.metadata or "") if known else Progress(begin)
            progress.skip_to(begin)
            found[number] = progress
        return found

    async def commit(self, partition: int, progress: Progress) -> None:
        """Write down how far a partition was replayed."""
        place = TopicPartition(self.topic, partition)
        await self._consumer.commit({place: OffsetAndMetadata(progress.position, progress.dump())})


@asynccontextmanager
async def letter_log(kafka: KafkaSettings) -> AsyncIterator[LetterLog]:
    """Open the dead letters for reading.

    Raises
    ------
    BrokerUnavailableError, AccessError
        No broker answers, or one fails inside; it does not let this client in.
    """
    await reach(kafka)
    consumer = AIOKafkaConsumer(**client_options(kafka), group_id=None, enable_auto_commit=False)
    async with _started(kafka, consumer):
        yield LetterLog(kafka, consumer)


@asynccontextmanager
async def replay_group(kafka: KafkaSettings) -> AsyncIterator[ReplayGroup]:
    """Open the dead letters for a replay, as the only member of its group.

    Raises
    ------
    ReplayRunningError
        Another replay is under way.
    BrokerUnavailableError, AccessError
        As :func:`letter_log`.
    """
    group = f"{kafka.app_id}-dlq-replay"
    async with admin_client(kafka) as admin:
        others = await members(admin, group)
    if others:
        raise ReplayRunningError(group, others)
    consumer = AIOKafkaConsumer(
        kafka.dead_letter_topic,
        **client_options(kafka),
        group_id=group,
        enable_auto_commit=False,
        max_poll_interval_ms=_MAX_POLL_INTERVAL_MS,
        session_timeout_ms=int(kafka.session_timeout_s * 1000),
        heartbeat_interval_ms=int(kafka.heartbeat_interval_s * 1000),
    )
    async with _started(kafka, consumer):
        consumer.pause(*consumer.assignment())  # it is a member to keep others out; it fetches nothing by itself
        yield ReplayGroup(kafka, consumer)


@asynccontextmanager
async def _started(kafka: KafkaSettings, consumer: AIOKafkaConsumer) -> AsyncIterator[None]:
    try:
        with broker_failures():
            await consumer.start()
            yield
    except BrokerError as error:
        raise BrokerFailedError(kafka.bootstrap_servers, error) from error
    finally:
        await consumer.stop()
