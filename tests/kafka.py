"""Brokers for tests: STREAM_TEST_BROKER, else a real Kafka as a child process or in Docker, else the embedded one."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream_app.infra.kafka.embedded import EmbeddedBroker
from stream_app.settings import KafkaSettings
from tests.cluster_id import a_cluster_id
from tests.kafka_jars import kafka_jars
from tests.ports import free_port

_IMAGE: Final = "apache/kafka:4.1.0"
_START_TIMEOUT_S: Final = 60.0

_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT{protocols}
log.dirs={directory}/log
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker that is up."""

    bootstrap_servers: str
    real: bool  # Apache Kafka, not a stand-in
    kind: str


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class KafkaProcess:
    """Apache Kafka (KRaft, one node) as a child process that a test can kill, stop, pause and start again.

    Parameters
    ----------
    port
        Where it listens (its controller on the next one); else any two ports.
    proxied
        Further ports to listen on, each with the port that clients are told instead: a proxy's.
    properties
        Further settings, a line each.
    cluster
        Id of the cluster that it belongs to; else it is one by itself.
    heap
        Of its JVM.
    format_options
        Of the tool that makes its data directory.
    """

    def __init__(
        self,
        jars: Path,
        directory: Path,
        *,
        port: int | None = None,
        proxied: Mapping[int, int] | None = None,
        properties: Sequence[str] = (),
        cluster: str | None = None,
        heap: str = "768m",
        format_options: Sequence[str] = (),
    ) -> None:
        self._jars, self._directory, self._heap = jars, directory, heap
        self._cluster = cluster or a_cluster_id()
        self._port, self._controller = (free_port(), free_port()) if port is None else (port, port + 1)
        self._format_options = format_options
        self._proxied, self._properties = dict(proxied or {}), list(properties)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Where it listens, also after a restart."""
        return f"127.0.0.1:{self._port}"

    def _java(self, *arguments: str, heap: str) -> list[str]:
        return ["java", f"-Xmx{heap}", "-cp", f"{self._jars}/*", *arguments]

    def start(self) -> None:
        """Start and wait until the port is open."""
        properties = self._directory / "server.properties"
        log = self._directory / "broker.log"
        if not properties.exists():
            self._directory.mkdir(parents=True, exist_ok=True)
            names = {name: f"PROXY{i}" for i, name in enumerate(self._proxied)}
            content = _PROPERTIES.format(
                port=self._port,
                controller=self._controller,
                directory=self._directory,
                listeners="".join(f",{names[own]}://127.0.0.1:{own}" for own in self._proxied),
                advertised="".join(f",{names[own]}://127.0.0.1:{told}" for own, told in self._proxied.items()),
                protocols="".join(f",{name}:PLAINTEXT" for name in names.values()),
            )
            properties.write_text("\n".join((content, *self._properties, "")))
            tool = [
                "kafka.tools.StorageTool",
                "format",
                "-t",
                self._cluster,
                "-c",
                str(properties),
                *self._format_options,
            ]
            subprocess.run(self._java(*tool, heap="256m"), check=True, capture_output=True)
        if _listens(self._port):
            msg = f"port {self._port} is taken: Kafka cannot listen there"
            raise RuntimeError(msg)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(properties), heap=self._heap), stdout=output, stderr=output
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not _listens(self._port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()  # else it may come up later, and hold the port
                self._wait()
                msg = f"Kafka does not start: {log.read_text('utf-8', 'replace')[-2000:]}"
                raise RuntimeError(msg)
            time.sleep(0.05)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "start it first"
        self._process.send_signal(number)

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo :meth:`pause`."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as a power failure would."""
        self._signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """End it in good order."""
        if self._process is not None:
            self._signal(signal.SIGCONT)
            self._signal(signal.SIGTERM)
            self._wait()

    def _wait(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _named(directory: Path) -> Iterator[Broker | None]:
    servers = os.environ.get("STREAM_TEST_BROKER")
    yield Broker(servers, real=True, kind="STREAM_TEST_BROKER") if servers else None


@contextmanager
def _java(directory: Path) -> Iterator[Broker | None]:
    jars = kafka_jars()
    if jars is None:
        yield None
        return
    process = KafkaProcess(jars, directory)
    process.start()
    try:
        yield Broker(process.bootstrap_servers, real=True, kind="Java")
    finally:
        process.stop()


@contextmanager
def _docker(directory: Path) -> Iterator[Broker | None]:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], check=False, capture_output=True).returncode != 0:
        yield None
        return
    from testcontainers.core.config import testcontainers_config
    from testcontainers.core.container import DockerContainer

    testcontainers_config.ryuk_disabled = True  # it is one more image to fetch, and the container is stopped below
    port = free_port()
    environment = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{port},CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }
    container = DockerContainer(_IMAGE).with_bind_ports(port, port)
    for name, value in environment.items():
        container = container.with_env(name, value)
    with container:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while b"Kafka Server started" not in container.get_logs()[0]:
            if time.monotonic() > deadline:
                msg = f"{_IMAGE} does not start: {container.get_logs()}"
                raise RuntimeError(msg)
            time.sleep(0.1)
        yield Broker(f"127.0.0.1:{port}", real=True, kind="Docker")


@contextmanager
def _embedded(directory: Path) -> Iterator[Broker]:
    with asyncio.Runner() as runner:
        broker = EmbeddedBroker(directory)
        runner.run(broker.__aenter__())
        try:
            yield Broker(broker.bootstrap_servers, real=False, kind="embedded")
        finally:
            runner.run(broker.__aexit__(None, None, None))


@contextmanager
def some_broker(directory: Path) -> Iterator[Broker]:
    """The best broker that this machine can have; see the module's first line for the order."""
    sources: list[Callable[[Path], object]] = [_named, _java, _docker]
    for source in sources:
        with source(directory) as broker:  # type: ignore[attr-defined]  # a list widens the context manager's type
            if broker is not None:
                yield broker
                return
    if os.environ.get("STREAM_TEST_REQUIRE_KAFKA") == "1":
        msg = (
            "STREAM_TEST_REQUIRE_KAFKA=1, but no real Kafka can be had: set STREAM_TEST_BROKER=HOST:PORT, install Java "
            "17 and Maven, or start Docker"
        )
        raise RuntimeError(msg)
    with _embedded(directory) as embedded:
        yield embedded


def settings_for(bootstrap_servers: str) -> KafkaSettings:
    """Settings with topics and a group that nobody else uses; a short session, so that the dead are noticed soon."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    return KafkaSettings(
        bootstrap_servers=bootstrap_servers,
        app_id=name,
        measurements_topic=f"{name}-measurements",
        metrics_topic=f"{name}-metrics",
        dead_letter_topic=f"{name}-dlq",
        session_timeout_s=6.0,
        heartbeat_interval_s=0.5,
    )
