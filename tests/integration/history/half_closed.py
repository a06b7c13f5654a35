"""A proxy that passes what the database says, but not that it closed the connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from stream_app.history_settings import HistorySettings


class HalfClosed:
    """Connections to a database, each open until the client closes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        #: Set when the database has closed a connection, and the client has all that it said.
        self.is_closed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass what both say, until the client closes."""
        database, to_database = await asyncio.open_connection("127.0.0.1", self._port)
        answers = asyncio.create_task(self._answer(database, writer))
        try:
            await _pass(reader, to_database)
        except ConnectionError:
            pass  # the client closes without a word
        finally:
            answers.cancel()
            for each in (to_database, writer):
                each.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _pass(reader, writer)
        for _ in range(3):  # turns of the loop that the client's end of the connection is in too
            await asyncio.sleep(0)
        self.is_closed.set()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while said := await reader.read(1 << 16):
        writer.write(said)
        await writer.drain()


@asynccontextmanager
async def half_closed(history: HistorySettings) -> AsyncIterator[tuple[HistorySettings, HalfClosed]]:
    """Settings of the same database through the proxy."""
    port = urlsplit(history.url or "").port
    assert port is not None
    proxy = HalfClosed(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    async with server:
        own = server.sockets[0].getsockname()[1]
        yield history.model_copy(update={"url": (history.url or "").replace(f":{port}/", f":{own}/")}), proxy
