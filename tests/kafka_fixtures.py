"""Fixtures of the suites that need a broker; their conftest loads this plugin, so that unit tests do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_app.settings import KafkaSettings
from tests.kafka import Broker, KafkaProcess, settings_for, some_broker
from tests.kafka_jars import kafka_jars


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker that all tests share: each has topics and a group of its own."""
    with some_broker(tmp_path_factory.mktemp("kafka")) as found:
        yield found


@pytest.fixture
def real_broker(broker: Broker) -> Broker:
    """The shared broker if it is a real Kafka; else the test is skipped."""
    if not broker.real:
        pytest.skip("needs a real Kafka: set STREAM_TEST_BROKER, install Java 17 and Maven, or start Docker")
    return broker


@pytest.fixture
def kafka_settings(broker: Broker) -> KafkaSettings:
    """Settings with topics and a group that no other test uses."""
    return settings_for(broker.bootstrap_servers)


@pytest.fixture
def kafka_process(tmp_path: Path) -> Iterator[KafkaProcess]:
    """A real Kafka of the test's own, started, to be killed, paused and restarted."""
    jars = kafka_jars()
    if jars is None:
        pytest.skip("needs Java 17 and Maven: the broker itself is put under faults")
    # Its cleaner does not wait the usual 15 s, for tests that wait for a compaction.
    process = KafkaProcess(jars, tmp_path / "broker", properties=["log.cleaner.backoff.ms=200"])
    process.start()
    yield process
    process.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud what a machine without Kafka did not test."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "needs a real Kafka" in str(report)]
    if skipped:
        terminalreporter.section("no real Kafka")
        terminalreporter.line(f"{len(skipped)} tests were skipped; the others ran on the embedded broker")
