"""A real PostgreSQL for tests: Debian's, as a child process that a test can kill and start again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import pytest

from tests.ports import free_port

_BIN: Final = Path("/usr/lib/postgresql/15/bin")
_USER: Final = "postgres"


def require_postgres() -> None:
    """Skip the test on a machine without PostgreSQL; where Kafka is required, it is too."""
    if not (_BIN / "initdb").exists():
        told = f"needs PostgreSQL 15 in {_BIN}: apt-get install postgresql-15"
        if os.environ.get("STREAM_TEST_REQUIRE_KAFKA") == "1":
            pytest.fail(told)
        pytest.skip(told)


class PostgresProcess:
    """PostgreSQL on a port of its own; it refuses to run as root, so that user ``postgres`` runs it then."""

    def __init__(self) -> None:
        # A folder of its own: pytest's are closed to other users whenever another session of pytest begins.
        directory = Path(tempfile.mkdtemp(prefix="stream-postgres-"))
        self._data, self.port = directory / "data", free_port()
        self._as = ["runuser", "-u", _USER, "--"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(directory, _USER, _USER)
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "stream", "--no-sync", "-E", "UTF8")

    @property
    def url(self) -> str:
        """How it is reached."""
        return f"postgresql://stream@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", str(self._data / "log"), "-o", options, "start")

    def stop(self) -> None:
        """End it in good order, if it runs."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", str(self._data), "-m", "fast", "-w", "stop")

    def remove(self) -> None:
        """End it, and delete its data."""
        self.stop()
        shutil.rmtree(self._data.parent)

    @property
    def pid(self) -> int:
        """Of the postmaster, while it runs."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def kill(self) -> None:
        """End it and all its children at once, as a power failure would."""
        postmaster = self.pid
        children = [int(pid) for pid in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()]
        for pid in (postmaster, *children):
            os.kill(pid, signal.SIGKILL)
        for pid in (postmaster, *children):
            while _lives(pid):
                pass
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(_BIN / program), *arguments]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{program}: {done.stdout[-1000:]} {done.stderr[-1000:]}"


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
