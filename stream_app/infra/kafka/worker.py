"""The worker: its Faust app, its life from waiting for the broker to leaving the group, and its view of the group."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, Final, cast

from faust import Stream
from faust.assignor.partition_assignor import PartitionAssignor
from faust.contrib.asgi import bind_to_running_loop
from faust.exceptions import ConsumerNotStarted
from faust.tables.manager import TableManager
from faust.types import TP, StreamT

from stream_app.app.batch import Fetch
from stream_app.app.ingest import Ingest
from stream_app.app.ports import Tables, WorkerPhase, WorkerStatus
from stream_app.infra.kafka import topics as kafka_topics
from stream_app.infra.kafka.batching_consumer import BatchingApp, Lease
from stream_app.infra.kafka.errors import BrokerUnavailableError, TopicsError, WorkerCrashedError
from stream_app.infra.kafka.processor import Processor
from stream_app.infra.kafka.sinks import CheckpointSink, MeasurementTopic
from stream_app.infra.kafka.tables import TableStore
from stream_app.infra.kafka.topics import Topics
from stream_app.infra.kafka.watch import watch
from stream_app.settings import Settings

_log = logging.getLogger(__name__)

#: A heartbeat proves membership for this part of the session timeout; the rest is for clocks and for what is in flight.
_LEASE_PER_SESSION: Final = 0.8
#: Whole fetches that wait for the agent; more would only take memory.
_FETCHES_AHEAD: Final = 4
_BROKER_BACKOFF_MAX_S: Final = 5.0
_BROKER_LOG_EVERY_S: Final = 10.0
_STOP_TIMEOUT_S: Final = 15.0


class StreamApp(BatchingApp):
    """The worker's Faust app. ``faust -A stream_app.main worker`` runs it too: the worker's life hangs on its hooks."""

    def __init__(self, settings: Settings, worker: Worker) -> None:
        kafka = settings.kafka
        super().__init__(
            kafka.app_id,
            source=kafka.measurements_topic,
            lease=Lease(kafka.session_timeout_s * _LEASE_PER_SESSION),
            broker=[f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")],
            canonical_url=settings.http.url,
            datadir=str(settings.data_dir),
            store="memory://",
            web_enabled=False,
            autodiscover=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            table_standby_replicas=0,
            broker_session_timeout=kafka.session_timeout_s,
            broker_heartbeat_interval=kafka.heartbeat_interval_s,
            broker_commit_interval=1.0,
            broker_max_poll_records=1000,  # fetches, not rows
            consumer_auto_offset_reset="earliest",
            consumer_max_fetch_size=kafka.fetch_max_bytes,
            stream_buffer_maxsize=_FETCHES_AHEAD,
            stream_wait_empty=False,
            recovery_consistency_check=False,  # a new leader's end may lie behind acked writes for a moment
            worker_redirect_stdouts=False,
        )
        self._worker = worker

    def is_current(self, partition: int, generation: int | None) -> bool:
        """Whether this worker owns a partition, with its tables recovered, in this generation of the group."""
        return generation == self.consumer_generation_id and partition in self._worker.tables.recovered()

    def reading_since(self, tp: TP) -> int | None:
        """Where reading of a source partition was begun."""
        return self.batching_consumer.reading_since.get(tp)

    def end_of(self, tp: TP) -> int | None:
        """End of a partition as of the last fetch; None while unknown."""
        try:
            end: int | None = self.consumer.highwater(tp)
        except (ConsumerNotStarted, AttributeError, KeyError):  # not assigned
            return None
        return end

    def recovering(self) -> dict[TP, int]:
        """Next offset that each changelog waits for while the tables are being recovered."""
        stats = cast(TableManager, self.tables).recovery.active_stats() if self.in_recovery else {}
        return {tp: stat.offset + 1 for tp, stat in stats.items() if stat.remaining > 0}

    def checkpointed(self, partition: int, position: int) -> None:
        """Let Faust commit a source partition up to ``position``."""
        self.batching_consumer.checkpointed(TP(self.source, partition), position)

    def fail(self, error: Exception) -> None:
        """End the worker: going on would lose data or never end."""
        self._worker.fail(error)

    def on_rebalance_end(self) -> None:
        """Begin reading: the tables are recovered."""
        super().on_rebalance_end()
        self.add_future(self._worker.begin())

    async def on_start(self) -> None:
        """Wait for the broker and check the topics before Faust connects."""
        await self._worker.prepare()
        await super().on_start()

    async def on_stop(self) -> None:
        """Write a last checkpoint before Faust leaves the group."""
        await self._worker.wind_down()
        await super().on_stop()


class Worker:
    """One process of the consumer group (port ``Cluster``).

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
        self._failure: Exception | None = None
        self._failed: asyncio.Event | None = None  # there is one while `run` waits for it
        self._phase: WorkerPhase = "starting"
        self._detail = ""
        self._topics = Topics.of(settings.kafka)
        self.app = StreamApp(settings, self)
        self.tables = TableStore(self.app, self._topics.assets_changelog, self._topics.windows_changelog)
        self.measurements = MeasurementTopic(settings.kafka)
        self._processor = Processor(
            self.app,
            new_ingest(self.tables),
            self.tables,
            CheckpointSink(settings.kafka),
            settings.checkpoint_interval_s,
        )
        source = self.app.topic(
            self._topics.measurements, key_serializer="raw", value_serializer="raw", allow_empty=True
        )

        @self.app.agent(source, name="ingest")
        async def ingest(stream: StreamT[Fetch]) -> None:
            await self._processor.consume(cast(Stream[Fetch], stream))

        @self.app.on_partitions_revoked.connect
        async def on_partitions_revoked(*_: Any, **__: Any) -> None:
            await self._processor.end_generation()

        @self.app.on_partitions_assigned.connect
        async def on_partitions_assigned(*_: Any, **__: Any) -> None:
            self._processor.drop()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then write a last checkpoint and leave the group.

        Raises
        ------
        KafkaSideError
            The worker cannot go on; its message has the cure. What ``serve`` raises is raised as it is.
        """
        bind_to_running_loop(self.app)
        self.app.finalize()
        self._failed = asyncio.Event()
        started = asyncio.ensure_future(self.app.start())
        ends = {asyncio.ensure_future(end) for end in (stop.wait(), self._failed.wait(), self.app.wait_until_stopped())}
        try:
            await asyncio.wait({started, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if started.done():
                started.result()
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._stop(started)
            for end in ends:
                end.cancel()
        if self._failure is not None:
            raise self._failure
        if not stop.is_set():
            raise WorkerCrashedError(self.app.crash_reason)

    def fail(self, error: Exception) -> None:
        """End the worker with an error: :meth:`run` raises it, Faust's own command crashes."""
        self._failure = self._failure or error
        self._phase, self._detail = "failed", str(self._failure)
        if self._failed is not None:
            self._failed.set()
        else:
            self.app.add_future(self.app.crash(error))

    async def _stop(self, started: asyncio.Future[None]) -> None:
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await self.app.stop()
        except TimeoutError:
            _log.warning("Faust did not stop in %.0f s; leaving it", _STOP_TIMEOUT_S)
        started.cancel()
        await asyncio.gather(started, return_exceptions=True)

    async def prepare(self) -> None:
        """Wait until the broker answers, check the topics, connect."""
        if self._serve is not None:
            self.app.add_future(self._serving(self._serve))
        problems = await self._check_topics()
        if self.app.should_stop:
            return
        if problems:
            self._phase, self._detail = "failed", "; ".join(problems)
            raise TopicsError(problems)
        await self.measurements.start()
        self._phase = "recovering"
        self.app.add_future(self._processor.checkpoint_when_due())
        self.app.add_future(watch(self.app, self._processor))

    async def _serving(self, serve: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await serve()
        except Exception as error:  # handed on to whoever runs the worker
            self.fail(error)

    async def _check_topics(self) -> list[str]:
        backoff_s, logged_at = 0.25, -_BROKER_LOG_EVERY_S
        while not self.app.should_stop:
            try:
                return await kafka_topics.check(self._settings.kafka)
            except BrokerUnavailableError as error:
                self._phase, self._detail = "waiting_for_broker", str(error)
                if time.monotonic() - logged_at >= _BROKER_LOG_EVERY_S:
                    logged_at = time.monotonic()
                    _log.warning("waiting: %s", error)
                await self.app.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, _BROKER_BACKOFF_MAX_S)
        return []

    async def begin(self) -> None:
        """Read the partitions of a new generation."""
        await self._processor.begin()

    async def wind_down(self) -> None:
        """Write a last checkpoint and disconnect."""
        if self._phase != "failed":
            self._phase, self._detail = "stopping", ""
        await self._processor.stop()
        await self.measurements.stop()

    def status(self) -> WorkerStatus:
        """What this worker is doing."""
        if self._phase != "recovering":
            return WorkerStatus(self._phase, self._detail)
        if self.app.tables.actives_ready and not self.app.rebalancing:
            return WorkerStatus("ready")
        return WorkerStatus("recovering")

    def partition_count(self) -> int:
        """Partitions of the measurements topic."""
        return self.measurements.partition_count()

    def owner(self, partition: int) -> str | None:
        """URL of the worker that owns a partition; None while unknown."""
        return next((url for url, owned in self._members().items() if partition in owned), None)

    def peers(self) -> Sequence[str]:
        """URLs of all other workers of the group."""
        own = str(self.app.conf.canonical_url)
        return [url for url in self._members() if url != own]

    def _members(self) -> Mapping[str, Collection[int]]:
        assignor = cast(PartitionAssignor, self.app.assignor)
        topics_by_url = assignor.external_topics_metadata()
        return {url: owned.get(self._topics.measurements, ()) for url, owned in topics_by_url.items()}

    def lag(self, partition: int) -> int | None:
        """Messages of an owned partition that no checkpoint includes yet; None while unknown."""
        if partition not in self.tables.partitions():
            return None
        tp = TP(self._topics.measurements, partition)
        end, since = self.app.end_of(tp), self.app.reading_since(tp)
        position = self.tables.position(partition)
        known = since if position is None else position
        return None if end is None or known is None else max(0, end - known)
