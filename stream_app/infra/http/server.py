"""The HTTP server inside the worker's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

from stream_app.errors import ExpectedError

_KEEP_ALIVE_S = 5
_DRAIN_S = 10
_BACKLOG = 1024


class PortUnavailableError(ExpectedError):
    """The server's address cannot be bound; the message tells the cure."""


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
    """

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._app = app
        self._host, self._port = host, port
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """Where the server listens."""
        return self._port

    async def start(self) -> None:
        """Open the port; returns when requests are answered. PortUnavailableError when that is impossible."""
        listener = self._bind()
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            lifespan="off",
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

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # The protocol is named since asyncio switches Nagle's algorithm off only where it is: otherwise the body of an
        # answer waits 40 ms for the client to acknowledge its head.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
            # Listening now makes the second of two workers fail here, with a cure, not later in the server's task.
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            msg = (
                f"cannot listen on {self._host}:{self._port}: {error.strerror}. Stop what uses the port, or choose "
                "another one with --port or STREAM_HTTP__PORT"
            )
            raise PortUnavailableError(msg) from None
        listener.setblocking(False)
        return listener
