"""The worker: its life from waiting for the broker to leaving the group, and its view of the group."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, cast

from faust import Stream
from faust.assignor.partition_assignor import PartitionAssignor
from faust.contrib.asgi import bind_to_running_loop
from faust.types import TP, StreamT

from stream_app.infra.kafka import topics as kafka_topics
from stream_app.infra.kafka.app import StreamApp
from stream_app.infra.kafka.errors import BrokerUnavailableError, KafkaSideError, TopicsError, WorkerCrashedError
from stream_app.infra.kafka.memory import settle_memory
from stream_app.infra.kafka.processor import Processor
from stream_app.infra.kafka.repair import Repair
from stream_app.infra.kafka.sinks import CheckpointSink, MeasurementTopic
from stream_app.infra.kafka.tables import TableStore
from stream_app.infra.kafka.topics import Topics
from stream_app.infra.kafka.watch import watch
from stream_app.infra.kafka.watchdog import LoopGuard, watch_progress
from stream_app.settings import Settings
from stream_app.usecases.ingest import Ingest
from stream_app.usecases.ports import Tables, WorkerPhase, WorkerStatus
from stream_app.wire.batch import Fetch

_log = logging.getLogger(__name__)

_BROKER_BACKOFF_MAX_S: Final = 5.0
_BROKER_LOG_EVERY_S: Final = 10.0
_TOPICS_EVERY_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 15.0
#: Beyond all that is bounded by itself. Nothing is lost: what was not written is read again.
_CUT_AFTER_S: Final = 20.0
_CUT_STATUS: Final = 70


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
        sink = CheckpointSink(settings.kafka, self.app.lease)
        self._processor = Processor(
            self.app, new_ingest(self.tables), self.tables, sink, settings.checkpoint_interval_s
        )
        servers = settings.kafka.bootstrap_servers
        self._repair = Repair(self.app, self.tables, sink, self._processor.lock, servers)
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
            await self._stop(started, status=0 if stop.is_set() else _CUT_STATUS)
            for end in ends:
                end.cancel()
        if self._failure is not None:
            raise self._failure
        if not stop.is_set():
            reason = self.app.crash_reason
            raise reason if isinstance(reason, KafkaSideError) else WorkerCrashedError(reason)

    def fail(self, error: Exception) -> None:
        """End the worker with an error: :meth:`run` raises it, Faust's own command crashes."""
        self._failure = self._failure or error
        self._phase, self._detail = "failed", str(self._failure)
        if self._failed is not None:
            self._failed.set()
        else:
            self.app.add_future(self.app.crash(error))

    async def _stop(self, started: asyncio.Future[None], status: int) -> None:
        """Stop Faust, within bounds: what hangs in it is cut."""
        cut = threading.Timer(_CUT_AFTER_S, self._cut, [status])
        cut.daemon = True
        cut.start()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await self.app.stop()
        except TimeoutError:
            _log.warning("Faust did not stop in %.0f s; leaving it", _STOP_TIMEOUT_S)
        finally:
            started.cancel()
            await asyncio.gather(started, return_exceptions=True)
            cut.cancel()

    def _cut(self, status: int) -> None:
        _log.error("stopping has taken %.0f s: ending as it is; what was not written is read again", _CUT_AFTER_S)
        if self._failure is not None:
            sys.stderr.write(f"error: {self._failure}\n")
            sys.stderr.flush()
        os._exit(status)

    async def prepare(self) -> None:
        """Wait until the broker answers, check the topics, connect."""
        if self._serve is not None:
            self.app.add_future(self._serving(self._serve))
        problems = await self._connect()
        if self.app.should_stop:
            return
        if problems:
            self._phase, self._detail = "failed", "; ".join(problems)
            raise TopicsError(problems)
        self._phase = "recovering"
        settle_memory()
        self.app.add_future(self._processor.checkpoint_when_due())
        self.app.add_future(watch(self.app, self._processor))
        self.app.add_future(self._repair.run())
        limit_s = self._settings.stall_timeout_s
        self.app.add_future(watch_progress(self.app, self._waiting, limit_s))
        self.app.add_future(LoopGuard(limit_s).run())
        self.app.add_future(self._recheck_topics())

    def _waiting(self) -> Mapping[str, int]:
        """Where everything that has work before it stands: changelogs in recovery, partitions with lag."""
        if recovering := self.app.recovering():
            return {f"recovery of {tp.topic}[{tp.partition}]": offset for tp, offset in recovering.items()}
        if self.status().phase == "recovering":
            return {f"the start of generation {self.app.consumer_generation_id} of the group": 0}
        topic = self._topics.measurements
        lagging = [partition for partition in self.tables.partitions() if self.lag(partition)]
        return {f"{topic}[{partition}]": self.tables.position(partition) or 0 for partition in lagging}

    async def _serving(self, serve: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await serve()
        except Exception as error:  # handed on to whoever runs the worker
            self.fail(error)

    async def _connect(self) -> list[str]:
        """Wait for a broker; what is wrong with its topics, or nothing and connected."""
        backoff_s, logged_at = 0.25, -_BROKER_LOG_EVERY_S
        while not self.app.should_stop:
            try:
                problems = await kafka_topics.check(self._settings.kafka)
                if not problems:
                    await self.measurements.start()
            except BrokerUnavailableError as error:
                self._phase, self._detail = "waiting_for_broker", str(error)
                if time.monotonic() - logged_at >= _BROKER_LOG_EVERY_S:
                    logged_at = time.monotonic()
                    _log.warning("waiting: %s", error)
                await self.app.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, _BROKER_BACKOFF_MAX_S)
            else:
                return problems
        return []

    async def _recheck_topics(self) -> None:
        """Notice topics that were changed while the worker runs: going on would split an asset's rows."""
        while not self.app.should_stop:
            await asyncio.sleep(_TOPICS_EVERY_S)
            with suppress(BrokerUnavailableError):
                if problems := await kafka_topics.check(self._settings.kafka):
                    self.fail(TopicsError(problems))
                    return

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
            return WorkerStatus("ready", connected=self._is_connected())
        return WorkerStatus("recovering")

    def _is_connected(self) -> bool:
        return self.app.lease.remaining_s() > 0

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
        if partition not in self.tables.partitions() or not self._is_connected():
            return None
        tp = TP(self._topics.measurements, partition)
        end, since = self.app.end_of(tp), self.app.reading_since(tp)
        position = self.tables.position(partition)
        known = since if position is None else position
        return None if end is None or known is None else max(0, end - known)
