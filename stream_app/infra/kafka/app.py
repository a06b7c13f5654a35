"""The worker's Faust app: its settings, and the hooks on which the worker's life hangs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from faust.exceptions import ConsumerNotStarted
from faust.tables.manager import TableManager
from faust.types import TP

from stream_app.infra.kafka.batching_consumer import BatchingApp
from stream_app.infra.kafka.lease import Lease
from stream_app.settings import Settings

if TYPE_CHECKING:
    from stream_app.infra.kafka.worker import Worker

#: A heartbeat proves membership for this part of the session timeout; the rest is for clocks and for what is in flight.
_LEASE_PER_SESSION: Final = 0.8
#: How long the group waits for a member that has yet to give up its partitions: far above a last checkpoint.
_REBALANCE_TIMEOUT_S: Final = 20.0
_ANSWER_S: Final = 10.0
#: Whole fetches that wait for the agent; more would only take memory.
_FETCHES_AHEAD: Final = 4


class StreamApp(BatchingApp):
    """The worker's Faust app. ``faust -A stream_app.main worker`` runs it too: the worker's life hangs on its hooks."""

    def __init__(self, settings: Settings, worker: Worker) -> None:
        kafka = settings.kafka
        rebalance_timeout_s = max(_REBALANCE_TIMEOUT_S, kafka.session_timeout_s)
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
            broker_rebalance_timeout=rebalance_timeout_s,
            # An answer of the coordinator that got lost on its way keeps a worker out of the group for as long.
            broker_request_timeout=rebalance_timeout_s + _ANSWER_S,
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
        except (ConsumerNotStarted, AttributeError, KeyError, AssertionError):  # not assigned, any more or yet
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
