"""The secured broker that the tests of this folder share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.integration.secured.broker import Secured, cut_connections, secured_broker
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
    yield
    await cut_connections()
