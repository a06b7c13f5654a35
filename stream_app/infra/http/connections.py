"""Connections: how long they may stay open without a request, how many there may be, and what is no HTTP at all."""

from __future__ import annotations

import asyncio
import sys
import uuid
from http import HTTPStatus
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from stream_app.infra.http.problems import ProblemResponse
from stream_app.infra.http.security import HEADERS
from stream_app.infra.telemetry import REQUEST_ID_HEADER

#: From the connection, or from the first byte of a further request, to the end of the request's head.
HEAD_DEADLINE_S: Final = 10.0
#: A client that reads has to take bytes at this rate on the average of this time; streams of events have no other end.
WRITE_DEADLINE_S: Final = 30.0
LEAST_BYTES_PER_S: Final = 1024
#: Connections at a time; a process may have a few thousand files open.
MOST_CONNECTIONS: Final = 4096


class Connection(H11Protocol):
    """uvicorn's protocol with deadlines for the head of a request and for a client that does not read its answer.

    Its own refusals are problems like all others.
    """

    head_deadline_s = HEAD_DEADLINE_S
    write_deadline_s = WRITE_DEADLINE_S
    most_connections = MOST_CONNECTIONS

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take a connection."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            self.logger.warning("there are %d connections: one more is closed", self.most_connections)
            transport.close()
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone."""
        self._head_came()
        self._was_read()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        if cycle is not None and not cycle.response_complete:
            self._head_came()
        elif self._deadline is None and not self.transport.is_closing() and self.conn.trailing_data[0]:
            self._expect_head()

    def on_response_complete(self) -> None:
        """Close after an answer whose request is still coming in: its body would have no deadline any more."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self.transport.close()

    def pause_writing(self) -> None:
        """Note that what is written waits for the client."""
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        """Note that the client reads."""
        self._was_read()
        super().resume_writing()

    def _expect_reading(self) -> None:
        unread = self.transport.get_write_buffer_size()
        self._write_deadline = self.loop.call_later(self.write_deadline_s, self._look_at_reading, unread)

    def _look_at_reading(self, unread: int) -> None:
        if unread - self.transport.get_write_buffer_size() >= LEAST_BYTES_PER_S * self.write_deadline_s:
            self._expect_reading()
            return
        self._write_deadline = None
        self.logger.info("a client has not read its answer for %g s: its connection is closed", self.write_deadline_s)
        self.transport.abort()

    def _was_read(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; ``msg`` is uvicorn's word for it."""
        self._head_came()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        error = sys.exception()
        status, code = 400, "bad_request"
        if isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == 431:
            status, code = 431, "headers_too_large"
        self._answer(status, code, f"this is no request that can be read ({error or msg})")

    def _answer(self, status: int, code: str, detail: str) -> None:
        response = ProblemResponse({"path": "", "root_path": ""}, status, code, detail, headers={"Connection": "close"})
        for name, value in (*HEADERS.items(), (REQUEST_ID_HEADER, uuid.uuid4().hex)):
            response.headers.setdefault(name, value)
        reason = HTTPStatus(status).phrase
        event = h11.Response(status_code=status, headers=response.raw_headers, reason=reason.encode())
        for each in (event, h11.Data(data=bytes(response.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(each) or b"")
        self.transport.close()

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(self.head_deadline_s, self._too_slow)

    def _head_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        self.transport.close()
