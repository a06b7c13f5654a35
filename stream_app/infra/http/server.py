"""The HTTP server inside the worker's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

from stream_app.infra.http.connections import Connection
from stream_app.infra.http.early import listening_socket

_KEEP_ALIVE_S = 5
_DRAIN_S = 10


class _Server(uvicorn.Server):
    """A server that leaves signals to the worker, and tells when its port is open."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


class HttpServer:
    """Serves an ASGI application from :meth:`start` to :meth:`stop`.

    Parameters
    ----------
    host, port
        Where to listen; port 0 takes a free one.
    listener
        A port that is open already, instead.
    """

    def __init__(self, app: ASGIApp, host: str, port: int, listener: socket.socket | None = None) -> None:
        self._app = app
        self._host, self._port = host, port
        self._listener = listener
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """Where the server listens."""
        return self._port

    async def start(self) -> None:
        """Open the port; returns when requests are answered. PortUnavailableError when that is impossible."""
        listener = self._listener or listening_socket(self._host, self._port)
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            lifespan="off",
            http=Connection,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_DRAIN_S,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="http-server")
        up = asyncio.create_task(self._server.up.wait())
        await asyncio.wait({up, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            up.cancel()
            await self._task  # tells why

    async def stop(self) -> None:
        """Close the port and finish running requests, for ten seconds at most."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        await self._task
        self._server, self._task = None, None
