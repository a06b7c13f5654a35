"""The HTTP server inside the worker's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Generator
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from stream_app.infra.http.connections import Connection
from stream_app.infra.http.early import listening_socket

_KEEP_ALIVE_S = 5
_DRAIN_S = 10
_CERTIFICATE_EVERY_S: Final = 60.0

log = logging.getLogger(__name__)


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
    tls
        PEM files of certificate and key; None: HTTP without TLS.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        listener: socket.socket | None = None,
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        self._app = app
        self._tls = tls
        self._host, self._port = host, port
        self._listener = listener
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._config: uvicorn.Config | None = None

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
            ssl_certfile=None if self._tls is None else self._tls[0],
            ssl_keyfile=None if self._tls is None else self._tls[1],
        )
        self._config = config
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="http-server")
        up = asyncio.create_task(self._server.up.wait())
        await asyncio.wait({up, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            up.cancel()
            await self._task  # tells why

    async def renew_certificate(self) -> None:
        """Take a certificate that was renewed in its files for connections from then on; returns when cancelled."""
        while self._tls is not None:
            await asyncio.sleep(_CERTIFICATE_EVERY_S)
            self.reload_certificate()

    def reload_certificate(self) -> None:
        """Read the certificate's files again; while they do not fit together the one before stays."""
        if self._tls is None or self._config is None or self._config.ssl is None:
            return
        try:
            # A pair that does not fit would spoil the context, so it is tried in another one first.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._tls)
            self._config.ssl.load_cert_chain(*self._tls)
        except (OSError, ssl.SSLError) as error:
            log.error("the certificate in %s cannot be read, the one before is used: %s", self._tls[0], error)

    async def stop(self) -> None:
        """Close the port and finish running requests, for ten seconds at most."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        await self._task
        self._server, self._task = None, None
