"""Three Kafka nodes, each broker and controller; each can be killed while the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

from tests.cluster_id import a_cluster_id
from tests.kafka import KafkaProcess

NODES: Final = 3
_HEAP: Final = "400m"
_TIMEOUT_S: Final = 90.0
_REQUEST_TIMEOUT_MS: Final = 2000
_PERIOD_S: Final = 0.1
#: Later lines of a properties file win: these replace those of a single node.
_PROPERTIES: Final = (
    f"offsets.topic.replication.factor={NODES}",
    f"transaction.state.log.replication.factor={NODES}",
    "transaction.state.log.min.isr=2",
    f"share.coordinator.state.topic.replication.factor={NODES}",
    "share.coordinator.state.topic.min.isr=2",
    f"default.replication.factor={NODES}",
    "min.insync.replicas=2",
    # Leaders move back to restarted nodes, so that each node leads some partitions.
    "leader.imbalance.check.interval.seconds=5",
)

Described = list[dict[str, Any]]  # topics with their partitions, as the admin client returns them


class KafkaCluster:
    """Behaves like one :class:`KafkaProcess`; each node can also be killed and started alone.

    Node ``i`` listens on ``port + 2 * i``, its controller on the next one.
    """

    def __init__(self, jars: Path, directory: Path, *, port: int, properties: Sequence[str] = ()) -> None:
        ports = {node: port + 2 * (node - 1) for node in range(1, NODES + 1)}
        voters = ",".join(f"{node}@127.0.0.1:{own + 1}" for node, own in ports.items())
        name = a_cluster_id()
        self.nodes = {
            node: KafkaProcess(
                jars,
                directory / f"node-{node}",
                port=own,
                properties=(f"node.id={node}", f"controller.quorum.voters={voters}", *_PROPERTIES, *properties),
                cluster=name,
                heap=_HEAP,
            )
            for node, own in ports.items()
        }
        self.up: set[int] = set()

    @property
    def bootstrap_servers(self) -> str:
        """Addresses of all nodes."""
        return ",".join(node.bootstrap_servers for node in self.nodes.values())

    def start(self) -> None:
        """Start all stopped nodes at once: the first ones wait for a majority."""
        down = self.nodes.keys() - self.up
        with ThreadPoolExecutor(NODES) as pool:
            list(pool.map(self.start_node, down))

    def start_node(self, node: int) -> None:
        """Start a node with the log that it has on disk."""
        self.nodes[node].start()
        self.up.add(node)

    def kill_node(self, node: int) -> None:
        """SIGKILL one node."""
        self.up.discard(node)
        self.nodes[node].kill()

    def kill(self) -> None:
        """SIGKILL all nodes."""
        for node in sorted(self.up):
            self.kill_node(node)

    def stop(self) -> None:
        """SIGTERM all nodes at the same time: the last one alone would have no majority to leave."""
        with ThreadPoolExecutor(NODES) as pool:
            list(pool.map(lambda node: self.nodes[node].stop(), self.up))
        self.up.clear()

    def pause(self) -> None:
        """SIGSTOP all nodes."""
        for node in self.up:
            self.nodes[node].pause()

    def resume(self) -> None:
        """Undo :meth:`pause`."""
        for node in self.up:
            self.nodes[node].resume()

    async def complete(self) -> None:
        """Wait until all nodes know each other: topics with a replica on each can be created then."""
        await self._asked(lambda admin: admin.describe_cluster(), lambda found: len(found["brokers"]) == NODES)

    async def leader(self, topic: str, partition: int) -> int:
        """Node that leads a partition."""
        found = await self._asked(_topics, lambda topics: _leaders(topics).get((topic, partition), -1) in self.up)
        return _leaders(found)[topic, partition]

    async def controller(self) -> int:
        """Node that is the active controller."""
        found = await self._asked(_quorum, lambda leader: leader in self.up)
        return int(found)

    async def led(self) -> None:
        """Wait until a live node leads each partition of each topic."""
        await self._asked(_topics, lambda topics: set(_leaders(topics).values()) <= self.up)

    async def in_sync(self) -> None:
        """Wait until every replica of every partition is in sync."""
        await self._asked(_topics, lambda topics: all(len(p["isr"]) == NODES for t in topics for p in t["partitions"]))

    async def _asked(self, ask: Callable[[AIOKafkaAdminClient], Awaitable[Any]], due: Callable[[Any], bool]) -> Any:
        """Ask the live nodes until ``due`` accepts the answer; errors of a dying node are ignored."""
        found: Any = None
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                while True:
                    servers = [self.nodes[node].bootstrap_servers for node in sorted(self.up)]
                    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=_REQUEST_TIMEOUT_MS)
                    try:
                        await admin.start()
                        found = await ask(admin)
                        if due(found):
                            return found
                    except KafkaError as error:
                        found = error
                    finally:
                        await admin.close()
                    await asyncio.sleep(_PERIOD_S)
        except TimeoutError:
            msg = f"the cluster did not reach the expected state within {_TIMEOUT_S:.0f} s; last: {found!r:.1000}"
            raise TimeoutError(msg) from None


async def _topics(admin: AIOKafkaAdminClient) -> Described:
    return list(await admin.describe_topics())


def _leaders(topics: Described) -> dict[tuple[str, int], int]:
    return {(t["topic"], p["partition"]): p["leader"] for t in topics for p in t["partitions"]}


class _QuorumResponseV0(Response):  # type: ignore[misc]  # aiokafka is not typed
    API_KEY = 55
    API_VERSION = 0
    _REPLICAS = CompactArray(("replica_id", Int32), ("log_end_offset", Int64), ("tags", TaggedFields))
    _PARTITIONS = CompactArray(
        ("partition_index", Int32),
        ("error_code", Int16),
        ("leader_id", Int32),
        ("leader_epoch", Int32),
        ("high_watermark", Int64),
        ("current_voters", _REPLICAS),
        ("observers", _REPLICAS),
        ("tags", TaggedFields),
    )
    SCHEMA = Schema(
        ("error_code", Int16),
        (
            "topics",
            CompactArray(("topic_name", CompactString("utf-8")), ("partitions", _PARTITIONS), ("tags", TaggedFields)),
        ),
        ("tags", TaggedFields),
    )


class _QuorumRequestV0(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 55
    API_VERSION = 0
    RESPONSE_TYPE = _QuorumResponseV0
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic_name", CompactString("utf-8")),
                ("partitions", CompactArray(("partition_index", Int32), ("tags", TaggedFields))),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _QuorumRequest(Request[_QuorumRequestV0]):  # type: ignore[misc]
    """DescribeQuorum, which aiokafka lacks: its metadata names any broker as the controller (KIP-590)."""

    API_KEY = 55

    def build(self, request_struct_class: type[_QuorumRequestV0]) -> _QuorumRequestV0:
        return request_struct_class([("__cluster_metadata", [(0, {})], {})], {})


async def _quorum(admin: AIOKafkaAdminClient) -> int:
    answer = (await admin._send_request(_QuorumRequest())).to_object()
    ((partition,),) = [topic["partitions"] for topic in answer["topics"]]
    return int(partition["leader_id"]) if partition["error_code"] == 0 else -1
