"""``stream-app demo`` as a child process."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.kafka import free_port

START_TIMEOUT_S = 480.0  # the first start of an installation compiles
_END_TIMEOUT_S = 40.0


class Demo:
    """A running ``stream-app demo`` and what it has said."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port
        self.lines: list[str] = []
        self._said = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._said:
                self.lines.append(line)
                self._said.notify_all()
        with self._said:
            self._said.notify_all()

    def rows(self) -> list[int]:
        """Rows applied, as each status line told them."""
        return [int(found[1]) for line in self.lines if (found := re.search(r"· (\d+) rows ·", line))]

    def until(self, holds: Callable[[Demo], bool]) -> None:
        """Wait until what it said is enough."""
        with self._said:
            done = self._said.wait_for(lambda: holds(self) or self.process.poll() is not None, START_TIMEOUT_S)
        assert done, self.lines
        assert self.process.poll() is None, self.lines

    def end(self, number: signal.Signals) -> int:
        """Send a signal; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(_END_TIMEOUT_S)


@contextmanager
def demo(
    *arguments: str,
    program: Sequence[str] = (sys.executable, "-m", "stream_app"),
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[Demo]:
    """Run a demo until the context is left."""
    port = free_port()
    process = subprocess.Popen(
        [*program, "demo", "--port", str(port), *arguments],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Demo(process, port)
    finally:
        process.terminate()
        process.wait(_END_TIMEOUT_S)
        assert process.stdout is not None
        process.stdout.close()
