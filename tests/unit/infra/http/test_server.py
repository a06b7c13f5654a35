"""The server: up at once, down in order, and clear about a port that is taken."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from stream_app.infra.http.bodies import BodyLimit, Drain
from stream_app.infra.http.connections import Connection
from stream_app.infra.http.early import EarlyAnswers, PortUnavailableError, listening_socket
from stream_app.infra.http.server import HttpServer


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


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HttpServer]:
    """A server whose patience with heads is short."""
    monkeypatch.setattr(Connection, "head_deadline_s", 0.1)
    monkeypatch.setattr(Connection, "most_connections", 50)
    limited = HttpServer(Drain(BodyLimit(hello, 1000, {})), "127.0.0.1", 0)
    await limited.start()
    yield limited
    await limited.stop()


async def answered(server: HttpServer, sent: bytes) -> bytes:
    """All that the server sends until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(sent)
    async with asyncio.timeout(20):
        received = await reader.read()
    writer.close()
    return received


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_a_connection_without_a_request_is_closed(server: HttpServer, sent: bytes) -> None:
    """Whether it is idle, sends a head that has no end, or was used before."""
    received = await answered(server, sent)
    assert received[:12] == (b"HTTP/1.1 200" if sent.endswith(b"\r\n\r\n") else b"")


async def test_trickled_bytes_do_not_prolong_a_head(server: HttpServer) -> None:
    """The deadline counts from its beginning, also after a request on the same connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nX-A: ")
    received = asyncio.create_task(reader.read())
    async with asyncio.timeout(20):
        while not received.done():
            writer.write(b"a")
            await asyncio.wait({received}, timeout=0.02)
    assert (await received).count(b"HTTP/1.1") == 1
    writer.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n[]", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 70_000, 431),
    ],
)
async def test_what_is_no_http_is_a_problem_like_all_others(server: HttpServer, sent: bytes, status: int) -> None:
    """With the headers and the id of every answer."""
    head, _, body = (await answered(server, sent)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d" % status)
    for header in (b"application/problem+json", b"x-request-id:", b"x-content-type-options: nosniff"):
        assert header in head.lower()
    assert json.loads(body)["status"] == status


@pytest.mark.parametrize("chunked", [False, True])
async def test_the_answer_to_a_body_that_is_not_read_arrives(chunked: bool) -> None:
    """Whoever is cut off while it sends sees a reset instead."""

    async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("no", 415, headers={"Connection": "close"})(scope, receive, send)

    refuser = HttpServer(Drain(refusing), "127.0.0.1", 0)
    await refuser.start()
    body = b"x" * (8 << 20)
    head = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(body)
    sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    received = await answered(refuser, b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n" + sent)
    assert received.startswith(b"HTTP/1.1 415")
    assert received.endswith(b"no")
    await refuser.stop()


@pytest.mark.parametrize("head", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
async def test_a_body_that_goes_on_after_its_answer_is_cut_off(head: bytes) -> None:
    """It would hold the connection for ever, a byte now and then; the answer has been sent."""
    refuser = HttpServer(Drain(hello, drain_s=0.1), "127.0.0.1", 0)
    await refuser.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", refuser.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")
    received = asyncio.create_task(reader.read())
    async with asyncio.timeout(20):
        while not received.done():
            writer.write(b"1\r\nx\r\n" if b"chunked" in head else b"x")
            await asyncio.wait({received}, timeout=0.02)
    assert (await received).startswith(b"HTTP/1.1 200")
    writer.close()
    await refuser.stop()


async def test_a_body_that_came_too_slowly_is_not_waited_for() -> None:
    """Its client has the answer and sends on, a byte now and then: little of it is under way."""

    async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("slow", 408)(scope, receive, send)

    refuser = HttpServer(Drain(refusing, drain_s=3600, slow_drain_s=0.1), "127.0.0.1", 0)
    await refuser.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", refuser.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    async with asyncio.timeout(20):
        assert (await reader.read()).startswith(b"HTTP/1.1 408")
    writer.close()
    await refuser.stop()


async def test_a_client_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long its answer would last; one that reads is not."""
    ended = asyncio.Event()
    loop, skipped_s = asyncio.get_running_loop(), 0.0
    monkeypatch.setattr(loop, "time", lambda: time.monotonic() + skipped_s)

    async def wait_for_the_end(receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(wait_for_the_end(receive))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.done():
            await send({"type": "http.response.body", "body": b"x" * (1 << 18), "more_body": True})
            await asyncio.sleep(0)  # once nobody listens, sending waits for nothing: the other task has to run
        ended.set()

    server = HttpServer(stream, "127.0.0.1", 0)
    await server.start()
    for reads in (0, 100):
        ended.clear()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(reads):
            await reader.readexactly(1 << 20)
            skipped_s += Connection.write_deadline_s / 10
        assert not ended.is_set()
        while not ended.is_set():  # nobody reads
            skipped_s += Connection.write_deadline_s / 10
            await asyncio.sleep(0)
        writer.close()
    await server.stop()


async def test_connections_are_bounded(server: HttpServer) -> None:
    """One more is closed at once; those that are there are answered."""
    open_ones = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(50)]
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    async with asyncio.timeout(20):
        assert await reader.read() == b""
    for _, each in [*open_ones, (reader, writer)]:
        each.close()


async def test_the_port_answers_before_the_worker_is_built() -> None:
    """Probes see a process that lives; the worker then takes the same port over, without a gap."""
    listener = listening_socket("127.0.0.1", 0)
    early = EarlyAnswers(listener)
    early.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with httpx.AsyncClient(trust_env=False) as client:
        live = await client.get(f"{url}/health/live")
        assert (live.status_code, live.json()["phase"]) == (200, "starting")
        for method, path in (("GET", "/health/ready"), ("GET", "/api/v1/assets"), ("POST", "/api/v1/measurements")):
            answer = await client.request(method, url + path)
            assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
            assert answer.headers["retry-after"]
        assert (await client.head(f"{url}/health/live")).content == b""
        for sent in (
            b"\x16\x03\x01\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: " + b"a" * 70_000 + b"\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.getsockname()[1])
            writer.write(sent)
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            assert head.split()[1] in (b"400", b"431")
            assert json.loads(body)["code"] in ("bad_request", "headers_too_large")
            writer.close()
        page = await client.get(f"{url}/", headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
        assert 'http-equiv="refresh"' in page.text
        await asyncio.to_thread(early.stop)
        waiting = asyncio.create_task(client.get(url))
        server = HttpServer(hello, "", 0, listener)
        await server.start()
        assert (await waiting).text == "hello"
    await server.stop()
