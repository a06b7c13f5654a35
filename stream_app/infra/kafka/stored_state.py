"""The state as the changelogs hold it, changed from outside while no worker runs: deleted, or moved to another log.

Offsets of a log that begins anew are those of rows that the state, or an update, has named before. ``seq`` must not go
back: a reader keeps the highest, and so does a recovery. So what follows gets a ``shift``: a multiple of 10^9 by which
its ``seq`` is above its offset.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from stream_app.domain.errors import DomainError
from stream_app.domain.snapshot import Marker, header
from stream_app.domain.source import Source
from stream_app.infra.kafka.errors import ResetUnfinishedError, SourceMissingError, StateError
from stream_app.infra.kafka.log import group_state, topics
from stream_app.infra.kafka.log.batch_producer import BatchProducer
from stream_app.infra.kafka.log.changelog import bounds, read_all
from stream_app.infra.kafka.log.records import Record
from stream_app.infra.kafka.log.topics import Topics
from stream_app.infra.kafka.tables import deleted_at, deletion_headers
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.settings import KafkaSettings
from stream_app.usecases.entry import Entry
from stream_app.usecases.ports import MARKER_KEY
from stream_app.wire.batch import Headers

_SHIFT_STEP: Final = 1_000_000_000
#: Updates of rows beyond the newest state may have been published before a crash; no more rows than this.
_UNKNOWN_ROWS: Final = 10_000_000


@dataclass(slots=True)
class StoredPartition:
    """What the changelogs hold of a partition, and the log that the measurements topic has there."""

    number: int
    log_start: int
    log_end: int
    marker: Marker | None = None
    newest_seq: int = -1
    #: Keys that have, or had, a value.
    assets: set[bytes] = field(default_factory=set)
    windows: set[bytes] = field(default_factory=set)

    @property
    def is_empty(self) -> bool:
        """Whether the changelogs hold nothing."""
        return self.newest_seq < 0

    def take(self, key: bytes, value: bytes | None, headers: Headers, *, is_window: bool) -> None:
        """Take a record of a changelog; DomainError: it cannot be read."""
        if value is None:
            seq = deleted_at(headers)
            self.newest_seq = max(self.newest_seq, -1 if seq == sys.maxsize else seq)
            return
        seq = header(value)
        self.newest_seq = max(self.newest_seq, seq)
        if key != MARKER_KEY:
            (self.windows if is_window else self.assets).add(key)
        elif self.marker is None or seq >= self.marker.position + self.marker.shift:
            self.marker = Marker.load(value)

    def shift_to(self, offset: int) -> int:
        """The shift for rows from ``offset`` on: their ``seq`` is above all that the state or an update has."""
        return max(0, -(-(self.newest_seq + 1 + _UNKNOWN_ROWS - offset) // _SHIFT_STEP)) * _SHIFT_STEP


class StoredState:
    """The state of an application while its group has no members."""

    def __init__(self, settings: KafkaSettings, source: Source, partitions: Sequence[StoredPartition]) -> None:
        self._settings, self._topics = settings, Topics.of(settings)
        self.source, self.partitions = source, partitions

    @classmethod
    async def read(cls, settings: KafkaSettings) -> StoredState:
        """Read the changelogs.

        Raises
        ------
        KafkaSideError
            Nobody answers, the group has members, topics are missing, or an entry cannot be read.
        """
        names = Topics.of(settings)
        counts = await topics.partition_counts(settings)
        await _require_idle(settings)
        source = await topics.source(settings)
        if source is None:
            raise SourceMissingError(settings.measurements_topic, None)
        logs = await bounds(settings, names.measurements, counts[names.measurements])
        partitions = {number: StoredPartition(number, *logs[number]) for number in sorted(logs)}
        for changelog in names.changelogs:
            async for number, (key, value, headers) in read_all(settings, changelog, counts[changelog]):
                if key is not None and number in partitions:
                    try:
                        partitions[number].take(key, value, headers, is_window=changelog == names.windows_changelog)
                    except DomainError as error:
                        raise StateError(changelog, number, str(error)) from error
        return cls(settings, source, list(partitions.values()))

    async def reset(self) -> None:
        """Delete the state: the next start computes it anew from the beginning of the log.

        One that is cut short is noticed by the next worker, which refuses to start until it is done again.
        """
        filled = [each for each in self.partitions if not each.is_empty]
        markers = {
            each.number: Marker(each.log_start, {}, source=self.source, shift=each.shift_to(each.log_start))
            for each in filled
        }
        begun = {
            number: Marker(marker.position, {}, source=self.source, shift=marker.shift, resetting=True)
            for number, marker in markers.items()
        }
        windows, assets = self._topics.windows_changelog, self._topics.assets_changelog
        await _require_idle(self._settings)
        producer = BatchProducer(self._settings)
        try:
            await self._write_markers(producer, begun)
            for each in filled:
                for changelog, keys in ((windows, each.windows), (assets, each.assets)):
                    deletions = (Entry(key, None, each.newest_seq + 1) for key in sorted(keys))
                    records: list[Record] = [(entry.key, None, deletion_headers(entry)) for entry in deletions]
                    await producer.send(changelog, each.number, records)
            await self._write_markers(producer, markers)
        finally:
            await producer.discard()
        await self._commit({number: marker.position for number, marker in markers.items()})

    async def adopt(self, positions: Mapping[int, int] | None) -> None:
        """Take the measurements topic as the log that the state goes on with.

        ``positions`` gives the offset of each partition at which it goes on; None: where the state is, as the topic
        has the same rows at the same offsets.
        """
        markers = {}
        for each in self.partitions:
            if each.is_empty:
                continue
            before = each.marker or Marker(each.log_start, {})
            if before.resetting:
                raise ResetUnfinishedError(self._topics.assets_changelog, each.number)
            position = before.position if positions is None else positions[each.number]
            shift = before.shift if positions is None else each.shift_to(position)
            markers[each.number] = replace(before, position=position, source=self.source, shift=shift)
        await _require_idle(self._settings)
        producer = BatchProducer(self._settings)
        try:
            await self._write_markers(producer, markers)
        finally:
            await producer.discard()
        await self._commit({number: marker.position for number, marker in markers.items()})

    async def _write_markers(self, producer: BatchProducer, markers: Mapping[int, Marker]) -> None:
        for number, marker in markers.items():
            await producer.send(self._topics.assets_changelog, number, [(MARKER_KEY, marker.dump(), [])])

    async def _commit(self, positions: Mapping[int, int]) -> None:
        source = self._topics.measurements
        await group_state.commit(self._settings, {TopicPartition(source, n): at for n, at in positions.items()})


async def _require_idle(settings: KafkaSettings) -> None:
    async with topics.admin_client(settings) as admin:
        await group_state.require_idle(admin, settings.app_id)
