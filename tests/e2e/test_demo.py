"""The demo as a user runs it: a process, a folder, Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.e2e.demo_process import END_TIMEOUT_S, START_TIMEOUT_S, demo
from tests.ports import free_port


def test_demo_ends_cleanly_and_goes_on_where_it_was(tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM end it with exit code 0; started on the same folder, the fleet and the state go on."""
    with demo("--data-dir", str(tmp_path), "--assets", "2") as first:
        first.until(lambda demo: len(demo.rows()) > 1 and demo.rows()[-1] > 0)
        assets = httpx.get(f"http://127.0.0.1:{first.port}/api/v1/assets").json()["assets"]
        assert [asset["asset_id"] for asset in assets] == ["demo-01", "demo-02"]
        past = first.past()
        assert first.end(signal.SIGINT) == 0, first.lines
    with demo("--data-dir", str(tmp_path), "--assets", "2") as second:
        second.until(lambda demo: len(demo.rows()) > 1 and demo.rows()[-1] > first.rows()[-1])
        asset = httpx.get(f"http://127.0.0.1:{second.port}/api/v1/assets/demo-01").json()
        assert asset["rows_rejected"] == 0
        # No row is missing and none came twice: the fleet went on with the very next one.
        assert asset["lifetime"]["metrics"]["gap_count"]["value"] == 0
        assert past.keys() <= second.past().keys()  # the history goes on too
        assert second.end(signal.SIGTERM) == 0, second.lines


def test_demo_refuses_what_is_taken(tmp_path: Path) -> None:
    """A folder that another demo uses, and a port that is taken, are each told in one line; so is a killed worker."""
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
        os.kill(running.child("worker"), signal.SIGKILL)
        assert running.process.wait(END_TIMEOUT_S) == 1
        told = next(line for line in running.lines if line.startswith("error:"))
        assert told.startswith("error: the worker was killed (SIGKILL)")
        assert told.endswith(f"Start the demo again: it goes on where it was; the log is {tmp_path / 'worker.log'}\n")


def test_demo_once_prints_the_metrics(tmp_path: Path) -> None:
    """``--once`` uploads the simulated day, prints each metric of its 21,600 rows, and ends."""
    command = [sys.executable, "-m", "stream_app", "demo", "--once", "--port", str(free_port())]
    run = subprocess.run(
        [*command, "--data-dir", str(tmp_path)], capture_output=True, text=True, check=False, timeout=START_TIMEOUT_S
    )
    assert run.returncode == 0, run.stderr
    assert re.search(r"total_data_points +21600", run.stdout)
    assert re.search(r"rte_raw +– +1 +not_closed", run.stdout)
