"""The Faust app: its settings, and the hooks through which it calls the worker.

``faust -A stream_app.main worker`` runs it too: that is why the worker starts and stops by these hooks.
"""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Any, Final, cast

import faust
from faust.types import EventT, StreamT
from faust.types.transports import TransportT

from stream_app.infra.kafka.engine.assignor import WatchfulAssignor
from stream_app.infra.kafka.engine.connection import credentials
from stream_app.infra.kafka.engine.consumer import Transport
from stream_app.infra.kafka.engine.coordination import Coordination
from stream_app.infra.kafka.lease import Lease
from stream_app.infra.kafka.member import MemberLife
from stream_app.settings import KafkaSettings, Settings
from stream_app.wire.batch import Fetch

#: How long the group waits for a member that has yet to give up its partitions: far above a last checkpoint.
_REBALANCE_TIMEOUT_S: Final = 20.0
_ANSWER_S: Final = 10.0
#: A member that polls nothing for so long leaves the group for good. A standby has nothing to poll, for years; the
#: stall watch looks after the others.
_MAX_POLL_INTERVAL_S: Final = 3650 * 86_400.0
#: Whole fetches that wait for the agent; more would only take memory.
_FETCHES_AHEAD: Final = 4


def rebalance_timeout_s(kafka: KafkaSettings) -> float:
    """How long the group waits in a rebalance for a member that does not answer [s]."""
    return max(_REBALANCE_TIMEOUT_S, kafka.session_timeout_s)


def request_timeout_s(kafka: KafkaSettings) -> float:
    """How long an answer of the coordinator that got lost keeps a worker out of the group [s]."""
    return rebalance_timeout_s(kafka) + _ANSWER_S


class StreamApp(faust.App):
    """A Faust app that hands whole fetches of the source to a worker.

    Parameters
    ----------
    lease
        Renewed by the consumer's heartbeats.
    coordination
        Hears what the group's coordinator says to the consumer.
    life
        Called by the hooks.
    """

    def __init__(self, settings: Settings, lease: Lease, coordination: Coordination, life: MemberLife) -> None:
        kafka = settings.kafka
        super().__init__(
            kafka.app_id,
            PartitionAssignor=WatchfulAssignor,
            broker=[f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")],
            broker_credentials=credentials(kafka),
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
            broker_rebalance_timeout=rebalance_timeout_s(kafka),
            broker_request_timeout=request_timeout_s(kafka),
            producer_request_timeout=request_timeout_s(kafka),  # Faust's own: 20 min, and the start waits for an answer
            broker_max_poll_interval=_MAX_POLL_INTERVAL_S,
            broker_commit_interval=1.0,
            broker_max_poll_records=1000,  # fetches, not rows
            consumer_auto_offset_reset="earliest",
            consumer_max_fetch_size=kafka.fetch_max_bytes,
            stream_buffer_maxsize=_FETCHES_AHEAD,
            stream_wait_empty=False,
            recovery_consistency_check=False,  # a new leader's end may lie behind acked writes for a moment
            worker_redirect_stdouts=False,
        )
        self._lease, self._coordination, self._life = lease, coordination, life
        source = self.topic(kafka.measurements_topic, key_serializer="raw", value_serializer="raw", allow_empty=True)

        @self.agent(source, name="ingest")
        async def ingest(stream: StreamT[Fetch]) -> None:
            events: AsyncIterable[EventT[Fetch]] = cast(faust.Stream[Fetch], stream).noack().events()
            async for event in events:
                await life.apply(cast(Fetch, event.message.value), event.message.generation_id)

        @self.on_partitions_revoked.connect
        async def on_partitions_revoked(*_: Any, **__: Any) -> None:
            await life.revoked()

        @self.on_partitions_assigned.connect
        async def on_partitions_assigned(*_: Any, **__: Any) -> None:
            life.assigned()

    def _new_transport(self) -> TransportT:
        return Transport(self.conf.broker_consumer, self, self._lease, self._coordination)

    def _new_producer_transport(self) -> TransportT:
        return Transport(self.conf.broker_producer, self, self._lease, self._coordination)

    def on_rebalance_end(self) -> None:
        """Begin reading: the tables are recovered."""
        super().on_rebalance_end()
        self.add_future(self._life.recovered())

    async def on_start(self) -> None:
        """Have the worker prepare before Faust connects."""
        await self._life.prepare()
        await super().on_start()

    async def on_stop(self) -> None:
        """Have the worker finish before Faust leaves the group."""
        await self._life.leave()
        await super().on_stop()
