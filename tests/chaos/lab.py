"""A broker, its proxies, some workers and their clients: everything that a run injects faults into."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from aiokafka.admin import AIOKafkaAdminClient

from stream_app.infra.kafka.log import topics
from stream_app.settings import KafkaSettings
from tests.chaos.cluster import NODES, KafkaCluster
from tests.chaos.group import Group
from tests.chaos.prober import Prober
from tests.chaos.proxy import WELL, Network, Proxy
from tests.chaos.traffic import Message, Producer
from tests.chaos.transactions import BROKER_PROPERTIES, TransactionalProducer
from tests.chaos.uploads import Uploader
from tests.integration.kafka.running import ends
from tests.kafka import KafkaProcess
from tests.kafka_jars import kafka_jars

SLOTS = 3
SESSION_TIMEOUT_S = 6.0
STOP_LIMIT_S = 25.0
#: Ports of one run, outside the range that the kernel gives to clients: a broker that restarts must find its own port
#: free.
PORTS_PER_RUN = 20


@dataclass
class Options:
    """Setup of a lab."""

    directory: Path
    port: int
    seed: int
    properties: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    cluster: bool = False  # three nodes, which the workers reach without proxies
    session_timeout_s: float = SESSION_TIMEOUT_S


class Lab(Group):
    """One run's processes. Each worker has its own proxy to a single broker; the clients reach it directly."""

    def __init__(self, options: Options) -> None:
        self.options = options
        port = options.port
        jars = kafka_jars()
        assert jars is not None, "needs Java 17 and Maven: the broker itself is put under faults"
        proxied = {} if options.cluster else {port + 2 + slot: port + 5 + slot for slot in range(SLOTS)}
        place, properties = options.directory / "broker", (*BROKER_PROPERTIES, *options.properties)
        self.broker: KafkaProcess | KafkaCluster = (
            KafkaCluster(jars, place, port=port, properties=properties)
            if options.cluster
            else KafkaProcess(jars, place, port=port, proxied=proxied, properties=properties)
        )
        self.kafka = KafkaSettings(
            bootstrap_servers=self.broker.bootstrap_servers,
            app_id="chaos",
            replication_factor=NODES if options.cluster else 1,
            session_timeout_s=options.session_timeout_s,
            heartbeat_interval_s=1.0,
        )
        self.proxies = [Proxy(told, own, options.seed + own) for own, told in proxied.items()]
        through = [
            self.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{proxy.listen}"}) for proxy in self.proxies
        ] or [self.kafka] * SLOTS
        super().__init__(through, port + 8, options.directory, options.environment)
        self.broker_state = "down"
        #: Messages that the broker acked: (partition, offset) -> value.
        self.acked: dict[tuple[int, int], bytes | None] = {}
        self.uploader = Uploader(self.urls, self.history, every_s=5.0, seed=options.seed)

    async def start_broker(self) -> None:
        """Start the broker, with the log that it has on disk."""
        await asyncio.to_thread(self.broker.start)
        if isinstance(self.broker, KafkaCluster):
            await self.broker.complete()
        self.broker_state = "up"
        self.history.add("broker up")

    async def stop_broker(self, *, kill: bool = False) -> None:
        """SIGTERM or SIGKILL."""
        self.history.add("broker kill -9" if kill else "broker SIGTERM")
        self.broker_state = "down"
        await asyncio.to_thread(self.broker.kill if kill else self.broker.stop)

    def pause_broker(self) -> None:
        """SIGSTOP."""
        self.history.add("broker SIGSTOP")
        self.broker_state = "paused"
        self.broker.pause()

    def resume_broker(self) -> None:
        """SIGCONT."""
        self.history.add("broker SIGCONT")
        self.broker_state = "up"
        self.broker.resume()

    def network(self, slot: int, network: Network) -> None:
        """Change the network between a worker and the broker."""
        self.history.add("network", worker=slot, network=str(network))
        self.proxies[slot].become(network)

    async def heal(self, workers: int = 2) -> None:
        """End all faults: broker up, network normal, no process paused, at least ``workers`` workers."""
        self.history.add("heal")
        if self.broker_state == "paused":
            self.resume_broker()
        if self.broker_state == "down":
            await self.start_broker()
        for proxy in self.proxies:
            proxy.become(WELL)
        for slot in range(SLOTS):
            if slot in self.paused and self.workers[slot].is_alive():
                self.resume(slot)
            if slot in self.armed and self.workers[slot].is_alive():
                self.kill(slot)
        for slot in range(SLOTS):
            if len(self.alive()) < workers and not self.workers[slot].is_alive():
                self.start(slot)

    async def produce(
        self, messages: Sequence[Message], rate: float = 50_000, enough: asyncio.Event | None = None, **options: Any
    ) -> None:
        """Send rows; all are acked on return. ``options`` go to the producer."""
        await Producer(self.kafka, self.history, self.acked, **options).run(messages, rate, enough)

    @asynccontextmanager
    async def probed(self, assets: Sequence[str], rate: float = 10.0) -> AsyncIterator[Prober]:
        """Ask the workers about assets meanwhile; forbidden answers become contradictions."""
        prober = Prober(self.processes, assets, rate=rate, seed=self.options.seed)
        task = asyncio.create_task(prober.run())
        try:
            yield prober
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self.history.add("answers", **prober.check.kinds)
            for violation in prober.check.violations:
                self.findings.contradict(f"probe: {violation}")

    @asynccontextmanager
    async def uploading(self) -> AsyncIterator[Uploader]:
        """Send files meanwhile."""
        stop = asyncio.Event()
        task = asyncio.create_task(self.uploader.run(stop))
        try:
            yield self.uploader
        finally:
            stop.set()
            await task

    @asynccontextmanager
    async def transacting(self, messages: Sequence[Message]) -> AsyncIterator[None]:
        """Write messages in transactions meanwhile; none is open in the end."""
        stop = asyncio.Event()
        producer = TransactionalProducer(self.kafka, self.history, self.acked, self.options.seed)
        task = asyncio.create_task(producer.run(messages, stop))
        try:
            yield
        finally:
            stop.set()
            await task
            await self.until(self._open_transactions, 0, "the broker has ended all transactions")

    async def _open_transactions(self) -> int:
        """Partitions of the measurements topic that an open transaction holds."""
        topic = self.kafka.measurements_topic
        committed, all_ = [
            await ends(self.kafka, topic, isolation) for isolation in ("read_committed", "read_uncommitted")
        ]
        return sum(committed[partition] != end for partition, end in all_.items())

    async def get(self, slot: int, path: str, **params: Any) -> Any | None:
        """JSON of a path of a worker; None unless it answers 200."""
        try:
            async with httpx.AsyncClient(timeout=10) as client:
                answer = await client.get(self.workers[slot].url + path, params=params)
        except httpx.TransportError:
            return None
        return answer.json() if answer.status_code == 200 else None

    async def status(self, slot: int, path: str) -> int | None:
        """HTTP status of a path of a worker; None when no process answers."""
        return await asyncio.to_thread(self.workers[slot].status, path)

    async def ready(self, *slots: int, timeout_s: float = 60) -> None:
        """Wait until workers are ready."""
        for slot in slots:
            await self.until(lambda s=slot: self.status(s, "/health/ready"), 200, f"worker {slot} is ready", timeout_s)

    async def until(self, look: Any, due: Any, what: str, timeout_s: float = 60) -> None:
        """Poll ``look`` until it returns ``due``."""
        deadline = time.monotonic() + timeout_s
        while (found := await look()) != due:
            if time.monotonic() > deadline:
                msg = f"not within {timeout_s:.0f} s: {what} (last: {json.dumps(found, default=str)[:300]})"
                raise TimeoutError(msg)
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """A client for topics and groups."""
        client = AIOKafkaAdminClient(bootstrap_servers=self.kafka.bootstrap_servers)
        await client.start()
        try:
            yield client
        finally:
            await client.close()


@asynccontextmanager
async def open_lab(options: Options) -> AsyncIterator[Lab]:
    """A lab with a running broker and its topics; all its processes end with it."""
    shutil.rmtree(options.directory, ignore_errors=True)
    options.directory.mkdir(parents=True)
    lab = Lab(options)
    clients = logging.getLogger("aiokafka")
    clients.propagate = False
    clients.handlers = [logging.FileHandler(options.directory / "clients.log")]
    try:
        await lab.start_broker()
        await topics.ensure(lab.kafka)
        for proxy in lab.proxies:
            await proxy.start()
        yield lab
    finally:
        for worker in lab.workers:
            if worker.is_alive():
                worker.kill()
        for proxy in lab.proxies:
            await proxy.stop()
        if lab.broker_state != "down":
            await asyncio.to_thread(lab.broker.kill)
        lab.history.close()
        clients.handlers.pop().close()
