"""Starts the parts of the demo in order, watches them, and ends them in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from rich.console import Console

from stream_app.demo.program import PartEndedError, program
from stream_app.errors import ExpectedError
from stream_app.infra.kafka.embedded import EmbeddedBroker
from stream_app.infra.kafka.log import topics
from stream_app.settings import KafkaSettings
from stream_app.worker_client import NoWorkerError, WorkerClient

_POLL_S: Final = 0.1
#: More closed windows than a worker keeps by itself: plots have a past without a history store.
_KEPT: Final = '{"1m": 60, "15m": 96, "1h": 96, "1d": 30}'
#: The demo's history may be some seconds old: it is read as charts of days, and written at less cost so [s].
_FLUSH_INTERVAL_S: Final = "5"
_READY_TIMEOUT_S: Final = 600.0
_END_NOTICED_S: Final = 1.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """A running demo whose worker is ready."""

    kafka: KafkaSettings
    client: WorkerClient
    log: Path
    has_history: bool
    #: Of each part: returns the error to raise when it has ended by itself.
    _ended: Sequence[Callable[[], Coroutine[None, None, PartEndedError]]]

    async def while_alive(self, work: Awaitable[T]) -> T:
        """Await ``work``; ExpectedError as soon as a part's process ends."""
        task = asyncio.ensure_future(work)
        ends: list[asyncio.Task[PartEndedError]] = [asyncio.create_task(ended()) for ended in self._ended]
        try:
            await asyncio.wait({task, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if task.done() and not task.cancelled() and task.exception() is not None:
                # Whoever asks a part may notice sooner that it is gone, and knows less about it.
                await asyncio.wait(ends, timeout=_END_NOTICED_S, return_when=asyncio.FIRST_COMPLETED)
            elif task.done():
                return await task
            for end in ends:
                if end.done():
                    raise end.result()
            return await task
        finally:
            for each in (task, *ends):
                each.cancel()
            await asyncio.gather(task, *ends, return_exceptions=True)


@asynccontextmanager
async def session(
    kafka: KafkaSettings, data_dir: Path, port: int, broker: str | None, console: Console, *, history: bool
) -> AsyncIterator[Session]:
    """Run broker and history store (unless a broker is named), topics and worker while the context is open.

    Raises
    ------
    ExpectedError
        A part does not start; the message tells the cure.
    """
    _require_free(port)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_locked(data_dir))
        store, ended = None, list[Callable[[], Coroutine[None, None, PartEndedError]]]()
        if broker is None:
            console.print("starting the embedded broker")
            embedded = await stack.enter_async_context(EmbeddedBroker(data_dir / "broker", with_database=history))
            broker, store = embedded.bootstrap_servers, embedded.database_url
            ended.append(partial(_broker_ended, embedded))
        environment = {"STREAM_KAFKA__BOOTSTRAP_SERVERS": broker}
        if store is not None:
            environment |= {"STREAM_HISTORY__URL": store, "STREAM_HISTORY__FLUSH_INTERVAL_S": _FLUSH_INTERVAL_S}
        kafka = kafka.model_copy(update={"bootstrap_servers": broker})
        for line in await topics.ensure(kafka):
            console.print(line)
        log = data_dir / "worker.log"
        console.print("starting the worker; the first start after an installation compiles for up to a minute")
        own = {
            "STREAM_HTTP__PORT": str(port),
            "STREAM_DATA_DIR": str(data_dir / "worker"),
            "STREAM_KEEP_WINDOWS": os.environ.get("STREAM_KEEP_WINDOWS", _KEPT),
        }
        ended.append((await stack.enter_async_context(program("worker", environment | own, log))).ended)
        client = await stack.enter_async_context(WorkerClient(f"http://127.0.0.1:{port}"))
        if store is not None:
            history_log = data_dir / "history.log"
            ended.append((await stack.enter_async_context(program("history", environment, history_log))).ended)
        running = Session(kafka, client, log, store is not None, ended)
        await running.while_alive(_ready(client, console))
        yield running


async def _broker_ended(broker: EmbeddedBroker) -> PartEndedError:
    return PartEndedError("embedded broker", await broker.ended(), broker.log)


async def _ready(client: WorkerClient, console: Console) -> None:
    shown = ""
    try:
        async with asyncio.timeout(_READY_TIMEOUT_S):
            while True:
                with contextlib.suppress(NoWorkerError):
                    phase = await client.phase()
                    if phase == "ready":
                        return
                    if phase != shown:
                        console.print(f"the worker is {phase.replace('_', ' ')}")
                        shown = phase
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        msg = f"the worker is not ready after {_READY_TIMEOUT_S:.0f} s ({shown or 'its port is closed'}): see its log"
        raise ExpectedError(msg) from None


async def until_signalled(work: Callable[[], Awaitable[None]]) -> None:
    """Run ``work`` until it returns, or until Ctrl-C or SIGTERM cancels it, which is no error."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work())
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            cure = f"end the program that uses it, or choose another: --port {port + 1}"
            msg = f"port {port} is not free ({error.strerror}): {cure}"
            raise ExpectedError(msg) from None


@contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"another demo uses {data_dir}: end it, or choose another folder with --data-dir"
            raise ExpectedError(msg) from None
        yield
