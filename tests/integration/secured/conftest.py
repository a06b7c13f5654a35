"""The secured broker that the tests of this folder share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.integration.secured.broker import Secured, secured_broker
from tests.kafka_jars import kafka_jars


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    jars = kafka_jars()
    if jars is None:
        pytest.skip("needs a real Kafka: install Java 17 and Maven; a broker with TLS and users is started")
    with secured_broker(jars, tmp_path_factory.mktemp("secured")) as broker:
        yield broker


@pytest.fixture(autouse=True)
async def _cut_connections() -> AsyncIterator[None]:
    """Cut what is still open: aiokafka never closes a connection whose client ends while TLS and SASL are agreed on."""
    yield
    loop: Any = asyncio.get_running_loop()
    for transport in list(loop._transports.values()):
        transport.abort()
    await asyncio.sleep(0)
