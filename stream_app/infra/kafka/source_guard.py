"""Compares the measurements topic with the state: whether it is the log of which the state is, and has its position.

A topic that was deleted and made again, another one under the same application id, a copy: each has the topic's name at
times, and offsets that mean other rows. Going on would skip rows, or count them on a state that does not include the
rows before. So a changed topic ends the worker.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from typing import Final

from stream_app.domain.errors import DomainError
from stream_app.domain.snapshot import Marker
from stream_app.domain.source import Source
from stream_app.infra.kafka.bounded_writes import write_within
from stream_app.infra.kafka.checkpoint_sink import CheckpointSink
from stream_app.infra.kafka.errors import (
    BrokerError,
    KafkaSideError,
    ResetUnfinishedError,
    SourceChangedError,
    SourceMissingError,
    SourceTruncatedError,
)
from stream_app.infra.kafka.member import Member, Offsets
from stream_app.infra.kafka.tables import TableStore
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.usecases.entry import Entry
from stream_app.usecases.ingest import Ingest
from stream_app.usecases.ports import MARKER_KEY

AskSource = Callable[[], Awaitable[Source | None]]

_log = logging.getLogger(__name__)

_PERIOD_S: Final = 1.0
#: How often the topic's id is asked for though the broker has refused nothing.
_ASK_EVERY_S: Final = 10.0
#: A broker that has just started, or a new leader, may not know a topic, or its end, for a moment.
_PATIENCE_S: Final = 10.0


class SourceGuard:
    """Looks after the measurements topic of the partitions that this worker owns.

    Parameters
    ----------
    lock
        Held by whoever writes to the changelogs.
    ask
        Asks the broker for the topic's identity; None: it is missing.
    """

    def __init__(
        self,
        member: Member,
        ingest: Ingest,
        tables: TableStore,
        sink: CheckpointSink,
        lock: asyncio.Lock,
        ask: AskSource,
    ) -> None:
        self._member, self._ingest, self._tables, self._ask = member, ingest, tables, ask
        self._sink, self._lock = sink, lock
        self._asked_at = float("-inf")
        #: The topic is not the log of which the state is: nothing more of it may be applied.
        self.has_failed = False
        self._refusals = 0  # those before the last check
        self._doubtful_since: dict[str, float] = {}  # what has been wrong since when, and may be so for a moment

    @property
    def is_in_doubt(self) -> bool:
        """Whether the broker has refused a fetch since the last check: what comes next may be of another log."""
        return self._member.refusals() != self._refusals

    def fail(self, error: KafkaSideError) -> None:
        """End the worker with what a check has found."""
        self.has_failed = True
        self._member.fail(error)

    async def check(self) -> None:
        """Compare the topic with the markers of the owned partitions.

        Raises
        ------
        KafkaSideError
            The topic is another one, or missing: the worker is to end.
        BrokerError
            The broker does not tell now.
        """
        refusals = self._member.refusals()
        source = await self._ask()
        if source is None:
            missing = SourceMissingError(self._member.source, self._ingest.source)
            self._lasting("missing", missing)
            raise BrokerError(str(missing))
        self._doubtful_since.pop("missing", None)
        for partition, marker in self._markers().items():
            if marker.resetting:
                raise ResetUnfinishedError(self._tables.assets_changelog, partition)
            if marker.source is not None and marker.source.is_other_than(source):
                raise SourceChangedError(partition, marker.position, marker.source, source)
        self._ingest.source = source
        self._member.read_only(source)
        self._asked_at, self._refusals = time.monotonic(), refusals

    def check_end(self, tp: TopicPartition, position: int, end: int) -> None:
        """Compare a position with the log's end; BrokerError: it is beyond, SourceTruncatedError: for long now."""
        place = f"{tp.topic}[{tp.partition}]"
        if position <= end:
            self._doubtful_since.pop(place, None)
            return
        truncated = SourceTruncatedError(*tp, position, end)
        self._lasting(place, truncated)
        raise BrokerError(str(truncated))

    def _lasting(self, place: str, error: KafkaSideError) -> None:
        """Raise the error once it has been so for long."""
        if time.monotonic() - self._doubtful_since.setdefault(place, time.monotonic()) >= _PATIENCE_S:
            raise error

    def _markers(self) -> dict[int, Marker]:
        markers = {}
        for partition in self._tables.recovered():
            value = self._tables.asset(partition, MARKER_KEY)
            if value is not None:
                try:
                    markers[partition] = Marker.load(value)
                except DomainError as error:
                    raise self._tables.unreadable(partition, error) from error
        return markers

    async def adopt(self) -> None:
        """Note the topic in markers of an older release, which name none."""
        source, generation = self._ingest.source, self._member.generation
        unnamed = sorted(partition for partition, marker in self._markers().items() if marker.source is None)
        if source is None or not unnamed:
            return
        _log.warning(
            "the state of partitions %s was written by a release that did not note its topic: it is taken as that of "
            "topic %s, and from now on no other is",
            *(unnamed, source),
        )
        try:
            async with self._lock:
                await write_within(
                    self._member.lease,
                    self._sink,
                    [self._note(partition, source, generation) for partition in unnamed],
                )
        except (BrokerError, TimeoutError) as error:
            _log.warning("the topic is not noted yet, the next checkpoint notes it: %s", error)

    async def _note(self, partition: int, source: Source, generation: int | None) -> None:
        marker = self._markers().get(partition)
        if marker is None or marker.source is not None:
            return  # a checkpoint has noted it
        named = replace(marker, source=source)
        entries = [Entry.of(MARKER_KEY, named.dump(), named.position + named.shift)]
        written = await self._sink.write_entries(self._tables.assets_changelog, partition, entries)
        if self._tables.holds(partition, generation):
            self._tables.take_assets(partition, entries, written)

    async def compare_commits(self, positions: Offsets) -> None:
        """Tell of committed offsets that a tool has set: the state decides where reading goes on, not they."""
        for tp, committed in (await self._member.foreign_commits(list(positions))).items():
            if tp in positions and committed != positions[tp]:
                _log.warning(
                    "%s[%d]: the group's offset was set to %d from outside, the state is at offset %d: the state "
                    "decides, reading goes on at offset %d; to compute all anew, stop the workers and run "
                    "`stream-app reset`",
                    *(*tp, committed, positions[tp], positions[tp]),
                )
                self._member.checkpointed(tp, positions[tp])

    async def watch(self, read_on: Callable[[Collection[TopicPartition]], Awaitable[None]]) -> None:
        """Until the worker stops, check the topic when the broker has refused a fetch, and now and then.

        ``read_on`` checks it and reads the partitions again.
        """
        while not self._member.stopping:
            await asyncio.sleep(_PERIOD_S)
            owned = [TopicPartition(self._member.source, partition) for partition in self._tables.partitions()]
            if not owned:
                continue
            if self.is_in_doubt:
                await read_on(owned)
            elif time.monotonic() - self._asked_at >= _ASK_EVERY_S:
                try:
                    await self.check()
                except BrokerError as error:
                    _log.warning("cannot check the measurements topic now, trying again: %s", error)
                except KafkaSideError as error:
                    self.fail(error)
