"""The server: up at once, down in order, and clear about a port that is taken."""

from __future__ import annotations

import asyncio
import signal
import socket

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from stream_app.infra.http.server import HttpServer, PortUnavailableError


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("hello")(scope, receive, send)


async def test_server_answers_from_start_to_stop() -> None:
    """On a port that it tells, without naming its software."""
    server = HttpServer(hello, "127.0.0.1", 0)
    await server.start()
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{server.port}/")
        assert answer.text == "hello"
        assert "server" not in answer.headers
    await server.stop()
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{server.port}/")


async def test_answers_do_not_wait_for_acknowledgements() -> None:
    """Connections are without Nagle's algorithm, which holds the body of an answer back for 40 ms."""
    server = HttpServer(hello, "127.0.0.1", 0)
    await server.start()
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(f"http://127.0.0.1:{server.port}/")
        assert server._server is not None
        (connection,) = server._server.server_state.connections
        kernel_socket = connection.transport.get_extra_info("socket")
        assert kernel_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    await server.stop()


async def test_stop_lets_a_running_request_finish() -> None:
    """It was accepted, so it is answered."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await go_on.wait()
        await hello(scope, receive, send)

    server = HttpServer(slow, "127.0.0.1", 0)
    await server.start()
    async with httpx.AsyncClient(trust_env=False) as client:
        request = asyncio.create_task(client.get(f"http://127.0.0.1:{server.port}/"))
        await begun.wait()
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
        go_on.set()
        assert (await request).text == "hello"
    await stopping


async def test_port_in_use_is_one_line_with_the_cure() -> None:
    """Not a traceback, and not an exit."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortUnavailableError, match=rf"127\.0\.0\.1:{port}: .*in use.*--port") as error:
            await HttpServer(hello, "127.0.0.1", port).start()
    assert "\n" not in str(error.value)


async def test_signals_stay_with_the_worker() -> None:
    """It stops in its own order."""
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    server = HttpServer(hello, "127.0.0.1", 0)
    await server.start()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    await server.stop()


async def test_server_that_never_started_stops() -> None:
    """A worker that failed early stops all it has."""
    await HttpServer(hello, "127.0.0.1", 0).stop()
