"""The port before the worker: open at once, and answering that it starts while libraries load and code is compiled."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from schemas.lookup import WorkerHealth
from schemas.problem import Problem
from stream_app.errors import ExpectedError

_BACKLOG: Final = 1024
_POLL_S: Final = 0.05
_SOCKET_S: Final = 5.0
_DETAIL: Final = "the worker starts: it loads its libraries and compiled code"

#: For browsers, which ask again by themselves.
_PAGE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="2">'
    f"<title>Starting</title><h1>Starting</h1><p>{_DETAIL}. This page loads again by itself.</p></html>"
).encode()


class PortUnavailableError(ExpectedError):
    """The server's address cannot be bound; the message tells the cure."""


def listening_socket(host: str, port: int) -> socket.socket:
    """Open a port; connections wait in it until somebody takes them. PortUnavailableError when that is impossible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named since asyncio switches Nagle's algorithm off only where it is: otherwise the body of an
    # answer waits 40 ms for the client to acknowledge its head.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Listening now makes the second of two workers fail here, with a cure, not later in the server's task.
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        msg = (
            f"cannot listen on {host}:{port}: {error.strerror}. Stop what uses the port, or choose "
            "another one with --port or STREAM_HTTP__PORT"
        )
        raise PortUnavailableError(msg) from None
    listener.setblocking(False)
    return listener


class EarlyAnswers:
    """Answers on a listening socket from :meth:`start` to :meth:`stop`, in a thread; the socket stays open.

    Probes learn that the process lives; all others get 503 with Retry-After.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._server = _Server(listener.getsockname(), _Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listener
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Leave the socket, and the connections that wait in it, to the next server."""
        self._server.shutdown()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is nobody's error."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _SOCKET_S

    def handle_one_request(self) -> None:
        """Answer any method in the same way, and close."""
        self.close_connection = True
        with suppress(OSError):
            self.raw_requestline = self.rfile.readline(65537)
            if self.raw_requestline and self.parse_request():
                self._answer()

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        if path != "/health/live" and "text/html" in self.headers.get("Accept", ""):
            self._send(503, "text/html; charset=utf-8", _PAGE)
        elif path == "/health/live":
            body = WorkerHealth(phase="starting", detail=_DETAIL).model_dump_json().encode()
            self._send(200, "application/json", body)
        else:
            self._send_problem(503, "not_ready", _DETAIL, instance=path, phase="starting")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request that can be read; the library calls this."""
        status, name = (431, "headers_too_large") if code in (414, 431) else (400, "bad_request")
        self._send_problem(status, name, f"this is no request that can be read ({message or code})", instance="")

    def _send_problem(self, status: int, code: str, detail: str, **members: Any) -> None:
        problem = Problem(
            type=f"/problems#{code}",
            title=HTTPStatus(status).phrase,
            status=status,
            detail=detail,
            code=code,
            **members,
        )
        self._send(status, "application/problem+json", problem.model_dump_json(exclude_none=True).encode())

    def _send(self, status: int, media_type: str, body: bytes) -> None:
        self.close_connection = True
        self.request_version = "HTTP/1.1"  # also where the request has none: an answer has a head
        self.send_response_only(status)
        for name, value in (
            ("Content-Type", media_type),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Connection", "close"),
            *((("Retry-After", "2"),) if status == 503 else ()),
        ):
            self.send_header(name, value)
        self.end_headers()
        if getattr(self, "command", None) != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the worker's log begins later."""
