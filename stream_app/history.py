"""Builds the history process: metrics topic in, PostgreSQL out. It does not load Faust."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

from stream_app.infra.history.figures import Figures
from stream_app.infra.history.probes import probes
from stream_app.infra.history.store import PostgresStore
from stream_app.infra.http.server import HttpServer
from stream_app.infra.kafka.log.update_reader import UpdateReader
from stream_app.infra.process import keep_freed_memory
from stream_app.settings import Settings
from stream_app.usecases.history_writing import HistoryWriter


def history_group(settings: Settings) -> str:
    """Consumer group of the history processes."""
    return f"{settings.kafka.app_id}-history"


async def run_history(settings: Settings, stop: asyncio.Event) -> None:
    """Keep the history store up to date until ``stop`` is set.

    Raises
    ------
    ExpectedError
        The port is taken.
    """
    history = settings.history
    source, store = UpdateReader(settings.kafka, history_group(settings)), PostgresStore(history)
    figures = Figures(source.lags)
    writer = HistoryWriter(
        source,
        store,
        figures,
        sizes=history.sizes,
        flush_interval_s=history.flush_interval_s,
        retention=None if history.retention_d is None else timedelta(days=history.retention_d),
        now=lambda: datetime.now(UTC),
        clock=time.monotonic,
    )
    server = None if history.port is None else HttpServer(probes(figures), history.host, history.port)
    if server is not None:
        await server.start()
    keep_freed_memory()
    try:
        await writer.run(stop)
    finally:
        await source.stop()
        await store.close()
        if server is not None:
            await server.stop()
