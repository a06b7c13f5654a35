"""A real PostgreSQL, and a database of its own for each test."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from stream_app.history_settings import HistorySettings
from tests.postgres import PostgresProcess, require_postgres


def pytest_configure(config: pytest.Config) -> None:
    """Load the broker's fixtures; suites that run in one session share them, and so the broker."""
    config.pluginmanager.import_plugin("tests.kafka_fixtures")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresProcess]:
    require_postgres()
    process = PostgresProcess()
    process.start()
    yield process
    process.remove()


@pytest.fixture
async def history(postgres: PostgresProcess) -> AsyncIterator[HistorySettings]:
    """Settings of an empty database."""
    name = f"h{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(postgres.url)
    await connection.execute(f"create database {name}")
    await connection.close()
    yield HistorySettings(url=postgres.url.replace("/postgres", f"/{name}"), flush_interval_s=0.1)
    connection = await asyncpg.connect(postgres.url)
    await connection.execute(f"drop database {name} with (force)")
    await connection.close()
