"""The demo as a user runs it: a process, a folder, Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.kafka import free_port

_START_TIMEOUT_S = 90.0
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
            done = self._said.wait_for(lambda: holds(self) or self.process.poll() is not None, _START_TIMEOUT_S)
        assert done, self.lines
        assert self.process.poll() is None, self.lines

    def end(self, number: signal.Signals) -> int:
        """Send a signal; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(_END_TIMEOUT_S)


@contextmanager
def demo(*arguments: str) -> Iterator[Demo]:
    port = free_port()
    command = [sys.executable, "-m", "stream_app", "demo", "--port", str(port), *arguments]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield Demo(process, port)
    finally:
        process.terminate()
        process.wait(_END_TIMEOUT_S)
        assert process.stdout is not None
        process.stdout.close()


def test_demo_ends_cleanly_and_goes_on_where_it_was(tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM end it with exit code 0; started on the same folder, the fleet and the state go on."""
    with demo("--data-dir", str(tmp_path), "--assets", "2") as first:
        first.until(lambda demo: len(demo.rows()) > 1 and demo.rows()[-1] > 0)
        assets = httpx.get(f"http://127.0.0.1:{first.port}/api/v1/assets").json()["assets"]
        assert [asset["asset_id"] for asset in assets] == ["demo-01", "demo-02"]
        assert first.end(signal.SIGINT) == 0, first.lines
    with demo("--data-dir", str(tmp_path), "--assets", "2") as second:
        second.until(lambda demo: len(demo.rows()) > 1 and demo.rows()[-1] > first.rows()[-1])
        asset = httpx.get(f"http://127.0.0.1:{second.port}/api/v1/assets/demo-01").json()
        assert asset["rows_rejected"] == 0
        # No row is missing and none came twice: the fleet went on with the very next one.
        assert asset["lifetime"]["metrics"]["gap_count"]["value"] == 0
        assert second.end(signal.SIGTERM) == 0, second.lines


def test_demo_refuses_what_is_taken(tmp_path: Path) -> None:
    """A folder that another demo uses, and a port that is taken, are each told in one line."""
    with demo("--data-dir", str(tmp_path), "--no-feed") as running:
        running.until(lambda demo: bool(demo.rows()))
        command = [sys.executable, "-m", "stream_app", "demo", "--no-feed"]
        for arguments, told in (
            (["--port", str(free_port()), "--data-dir", str(tmp_path)], "another demo uses"),
            (["--port", str(running.port), "--data-dir", str(tmp_path / "other")], "is not free"),
        ):
            other = subprocess.run(command + arguments, capture_output=True, text=True, check=False)
            assert other.returncode == 1
            assert told in other.stderr
            assert other.stderr.count("\n") == 1


def test_demo_once_prints_the_metrics(tmp_path: Path) -> None:
    """``--once`` uploads the simulated day, prints each metric of its 21,600 rows, and ends."""
    command = [sys.executable, "-m", "stream_app", "demo", "--once", "--port", str(free_port())]
    run = subprocess.run(
        [*command, "--data-dir", str(tmp_path)], capture_output=True, text=True, check=False, timeout=_START_TIMEOUT_S
    )
    assert run.returncode == 0, run.stderr
    assert re.search(r"total_data_points +21600", run.stdout)
    assert re.search(r"rte_raw +– +1 +not_closed", run.stdout)
