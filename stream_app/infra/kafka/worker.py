"""The worker: its life from waiting for the broker to leaving the group, and its view of the group."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from prometheus_client import Counter

from stream_app.infra.kafka.checkpoint_sink import CheckpointSink
from stream_app.infra.kafka.engine.engine import Engine
from stream_app.infra.kafka.errors import AccessError, BrokerUnavailableError, ClockError, LeftOutError, TopicsError
from stream_app.infra.kafka.log import topics as kafka_topics
from stream_app.infra.kafka.log.contact import reach
from stream_app.infra.kafka.log.measurements import MeasurementTopic
from stream_app.infra.kafka.log.topics import Topics
from stream_app.infra.kafka.lost_fetches import reread_lost_fetches
from stream_app.infra.kafka.neighbours import Neighbours
from stream_app.infra.kafka.open_transactions import OpenTransactions
from stream_app.infra.kafka.processor import Processor
from stream_app.infra.kafka.reject_reports import RejectReports
from stream_app.infra.kafka.repair import Repair
from stream_app.infra.kafka.stall import LoopGuard, end_when_left_out, end_when_stalled
from stream_app.infra.kafka.tables import TableStore
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.infra.process import keep_freed_memory
from stream_app.settings import Settings
from stream_app.usecases.ingest import Ingest
from stream_app.usecases.ports import Tables, WorkerPhase, WorkerStatus
from stream_app.usecases.rejected_rows import RejectedRows
from stream_app.wire.batch import Fetch

_log = logging.getLogger(__name__)

_BROKER_BACKOFF_MAX_S: Final = 5.0
_BROKER_LOG_EVERY_S: Final = 10.0
_TOPICS_EVERY_S: Final = 30.0

_REBALANCES: Final = Counter("stream_rebalances", "Generations of the group that this worker has entered")


class Worker:
    """One process of the consumer group (port ``Cluster``; the engine's ``MemberLife``).

    Parameters
    ----------
    settings
        Of the whole process.
    new_ingest
        Makes the command side on the worker's tables.
    serve
        Runs the HTTP server until cancelled; started first of all, so that it answers while the worker waits for the
        broker and recovers. Left out when the caller serves.
    """

    def __init__(
        self,
        settings: Settings,
        new_ingest: Callable[[Tables], Ingest],
        serve: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self._settings, self._serve = settings, serve
        self._phase: WorkerPhase = "starting"
        self._detail = ""
        self._is_serving = False
        topics = Topics.of(settings.kafka)
        self.engine = Engine(settings, self)
        self.tables = TableStore(self.engine, topics.assets_changelog, topics.windows_changelog)
        for table in self.tables.tables():
            self.engine.recover(table)
        self.measurements = MeasurementTopic(settings.kafka)
        sink = CheckpointSink(settings.kafka, self.engine.lease)
        self.rejected = RejectedRows(time.time)
        self._reports = RejectReports(self.engine.source, self.rejected)
        self._processor = Processor(
            self.engine,
            new_ingest(self.tables),
            self.tables,
            sink,
            self._reports,
            settings.checkpoint_interval_s,
            self.measurements.source,
        )
        self._transactions = OpenTransactions(
            self.engine, self.tables.partitions, self.measurements.producer_at, settings.open_transaction_s
        )
        self._repair = Repair(self.engine, self.tables, sink, self._processor.checkpoints.lock, settings.kafka)
        self._neighbours = Neighbours(self.engine, self.engine.described, settings.kafka.session_timeout_s)
        self._newest_s: float | None = None  # Kafka's time of the newest record seen

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then write a last checkpoint and leave the group.

        Raises
        ------
        KafkaSideError
            The worker cannot go on; its message has the cure. Whatever ``serve`` raises is raised as it is.
        """
        try:
            await self.engine.run(stop)
        except ClockError as error:
            raise ClockError(time.time(), self._newest_s) from error

    async def prepare(self) -> None:
        """Wait until the broker answers, check the topics, connect."""
        if self._serve is not None:
            self._is_serving = True
            self.engine.spawn(self._serving(self._serve))
        problems = await self._connect()
        if self.engine.stopping:
            return
        if problems:
            self._phase, self._detail = "failed", "; ".join(problems)
            raise TopicsError(problems)
        self._phase = "recovering"
        keep_freed_memory()
        limit_s = self._settings.stall_timeout_s
        for task in (
            self._processor.checkpoint_when_due(),
            self._processor.watch_source(),
            reread_lost_fetches(self.engine, self._processor),
            self._repair.run(),
            end_when_stalled(self.engine, self._waiting, limit_s),
            end_when_left_out(
                self.engine,
                lambda: reach(self._settings.kafka),
                self._left_out,
                max(limit_s, self.engine.join_limit_s),
            ),
            self._neighbours.run(),
            LoopGuard(limit_s).run(),
            self._recheck_topics(),
            self._reports.run(),
            self._transactions.run(),
        ):
            self.engine.spawn(task)

    def _waiting(self) -> Collection[str]:
        """Say where everything stands that has work before it: changelogs in recovery, partitions with lag."""
        if recovering := self.engine.recovering():
            return [f"the recovery of {topic}[{n}] is at offset {at}" for (topic, n), at in recovering.items()]
        if self.status().phase == "recovering":
            return [f"generation {self.engine.generation} of the group has not started"]
        lagging = [partition for partition in self.tables.partitions() if self.lag(partition)]
        return [f"{self.engine.source}[{n}] is at offset {self.tables.position(n) or 0}" for n in lagging]

    def _left_out(self, since_s: float) -> LeftOutError:
        _log.error("not in the group for %.0f s; the tasks wait: %s", since_s, "; ".join(self.engine.waiting_tasks()))
        kafka = self._settings.kafka
        words = self.engine.coordination.words or "its coordinator has not answered"
        return LeftOutError(kafka.bootstrap_servers, kafka.app_id, since_s, words)

    async def _serving(self, serve: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await serve()
        except Exception as error:  # `run` raises it
            self.engine.fail(error)
        finally:
            self._is_serving = False
            await asyncio.shield(self.measurements.stop())

    async def _connect(self) -> list[str]:
        """Wait for a broker; return the problems of its topics, or none and connected."""
        backoff_s, logged_at = 0.25, -_BROKER_LOG_EVERY_S
        while not self.engine.stopping:
            try:
                problems = await kafka_topics.check(self._settings.kafka)
                if not problems:
                    await self.measurements.start()
            except AccessError as error:
                self._phase, self._detail = "failed", str(error)
                raise
            except BrokerUnavailableError as error:
                self._phase, self._detail = "waiting_for_broker", str(error)
                if time.monotonic() - logged_at >= _BROKER_LOG_EVERY_S:
                    logged_at = time.monotonic()
                    _log.warning("waiting: %s", error)
                await self.engine.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, _BROKER_BACKOFF_MAX_S)
            else:
                return problems
        return []

    async def _recheck_topics(self) -> None:
        """Notice topics that were changed while the worker runs: going on would split an asset's rows."""
        while not self.engine.stopping:
            await asyncio.sleep(_TOPICS_EVERY_S)
            with suppress(BrokerUnavailableError, AccessError):  # who is out of the group notices that soon enough
                if problems := await kafka_topics.check(self._settings.kafka, not_checked=lambda _: None):
                    self.engine.fail(TopicsError(problems))
                    return

    def assigned(self) -> None:
        """Forget the state of the generation before."""
        _REBALANCES.inc()
        self._processor.drop()

    async def recovered(self) -> None:
        """Read the partitions of a new generation."""
        self.rejected.release(self.tables.partitions())
        await self._processor.begin()

    async def apply(self, fetch: Fetch, generation: int | None) -> None:
        """Apply a fetch of the source."""
        if len(fetch.timestamps_ms):
            self._newest_s = max(self._newest_s or 0.0, int(fetch.timestamps_ms[-1]) / 1000)
        await self._processor.apply(fetch, generation)

    async def revoked(self) -> None:
        """Write a last checkpoint of the generation."""
        await self._processor.end_generation()

    async def leave(self) -> None:
        """Write a last checkpoint and disconnect."""
        if self._phase != "failed":
            self._phase, self._detail = "stopping", ""
        await self._processor.stop()
        self._reports.tell()
        if not self._is_serving:  # else requests are answered and uploads end first, which append to the topic
            await self.measurements.stop()

    def status(self) -> WorkerStatus:
        """What this worker is doing."""
        if self.engine.failure is not None:
            return WorkerStatus("failed", str(self.engine.failure))
        if self._phase != "recovering":
            return WorkerStatus(self._phase, self._detail)
        words = self.engine.coordination.words
        if self.engine.ready:
            obstacle = self._neighbours.conflict or (words and f"the group does not let this worker in ({words})")
            told = "; ".join(filter(None, (self._transactions.detail(), self.rejected.recently())))
            return WorkerStatus("ready", told, connected=self._is_connected(), obstacle=obstacle)
        if not self._is_connected():
            group = self._settings.kafka.app_id
            said = words or "its coordinator has not answered yet"
            return WorkerStatus("joining", f"the worker is not in the group {group!r}: {said}")
        return WorkerStatus("recovering")

    def _is_connected(self) -> bool:
        return self.engine.lease.remaining_s() > 0

    def partition_count(self) -> int:
        """Partitions of the measurements topic."""
        return self.measurements.partition_count()

    def owner(self, partition: int) -> str | None:
        """URL of the worker that owns a partition; None while unknown."""
        return next((url for url, owned in self.engine.members().items() if partition in owned), None)

    def peers(self) -> Sequence[str]:
        """URLs of all other workers of the group."""
        return [url for url in self.engine.members() if url != self.engine.url]

    def waiting_s(self, partition: int) -> float:
        """How long the oldest record that no checkpoint includes has waited, given that there is one [s]."""
        return self._processor.checkpoints.arrivals.waiting_s(partition)

    def restore_remaining(self) -> Mapping[TopicPartition, int]:
        """Count what is left to read of each changelog of the partitions that this worker has."""
        topics = [table.changelog for table in self.tables.tables()]
        done = {TopicPartition(topic, number): 0 for topic in topics for number in self.tables.partitions()}
        return done | dict(self.engine.restore_remaining())

    def lag(self, partition: int) -> int | None:
        """Messages of an owned partition that no checkpoint includes yet; None while unknown."""
        if partition not in self.tables.partitions() or not self._is_connected():
            return None
        tp = TopicPartition(self.engine.source, partition)
        end, since = self.engine.end_of(tp), self.engine.reading_since(tp)
        position = self.tables.position(partition)
        known = since if position is None else position
        return None if end is None or known is None else max(0, end - known)
