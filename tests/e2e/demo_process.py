"""``stream-app demo`` as a child process."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import httpx

from tests.ports import free_port

START_TIMEOUT_S = 600.0  # the first start of an installation compiles
END_TIMEOUT_S = 40.0
_HISTORY_S = 120.0


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

    def past(self) -> dict[float, float]:
        """Mean SoC of an asset by the minute's begin [Unix time], from the history, as soon as it has any."""
        query = {"metric": "soc_mean_percent", "size": "1m"}
        deadline = time.monotonic() + _HISTORY_S
        while True:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/api/v1/assets/demo-01/history", params=query, timeout=30)
            if answer.status_code == 200:
                found = answer.json()
                begin = datetime.fromisoformat(found["start"]).timestamp()
                past = {begin + 60 * i: value for i, value in enumerate(found["values"]) if value is not None}
                if past:
                    return past
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.2)  # it is another process's

    def until(self, holds: Callable[[Demo], bool]) -> None:
        """Wait until what it said is enough."""
        with self._said:
            done = self._said.wait_for(lambda: holds(self) or self.process.poll() is not None, START_TIMEOUT_S)
        assert done, self.lines
        assert self.process.poll() is None, self.lines

    def child(self, command: str) -> int:
        """Process id of the part that runs a command (``proc(5)``)."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next(int(pid) for pid in children if Path(f"/proc/{pid}/cmdline").read_text().split("\0")[-2] == command)

    def end(self, number: signal.Signals) -> int:
        """Send a signal; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(END_TIMEOUT_S)


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
        process.wait(END_TIMEOUT_S)
        assert process.stdout is not None
        process.stdout.close()
