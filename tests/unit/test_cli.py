"""The command line as a user meets it: answers on stdout, errors in one line on stderr."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.metrics import MetricsUpdate
from stream_app import __version__
from stream_app.cli import main

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "example" / "sample_day.csv"
NOBODY = "127.0.0.1:1"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["stream-app", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(exit_.value.code or 0)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small day.csv"
    path.write_text("\n".join(SAMPLE.read_text("utf-8").splitlines()[:901]) + "\n", "utf-8")
    return path


def test_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` prints the version alone."""
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["worker", "--help"], ["query", "a", "--url", NOBODY]]
)
def test_quick_commands_import_nothing_heavy(arguments: list[str]) -> None:
    """Neither numba nor pyarrow nor Kafka's libraries are imported by who does not need them."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "stream_app", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "stream_app.cli" in imported
    assert (
        imported & {"numba", "numpy", "faust", "aiokafka", "pyarrow", "pandas", "fastapi", "stream_app.bootstrap"}
        == set()
    )


def test_compute_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], small: Path) -> None:
    """``compute --json`` prints a metrics update of the lifetime; the asset is named after the file."""
    assert run(monkeypatch, "compute", str(small), "--nominal-capacity", "100", "--json") == 0
    update = MetricsUpdate.model_validate_json(capsys.readouterr().out)
    assert (update.asset_id, update.window.size, update.final) == ("small-day", "lifetime", True)
    assert update.metrics["total_data_points"].value == 900


def test_compute_windows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], small: Path) -> None:
    """``--window`` adds the windows of a size, and they add up to the lifetime."""
    options = ("--nominal-capacity", "100", "--window", "15m", "--asset", "a", "--json")
    assert run(monkeypatch, "compute", str(small), *options) == 0
    updates = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [update["window"]["size"] for update in updates] == ["lifetime", *["15m"] * 4]
    rows = [update["metrics"]["total_data_points"]["value"] for update in updates]
    assert rows[0] == sum(rows[1:]) == 900
    assert {update["asset_id"] for update in updates} == {"a"}


def test_compute_as_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], small: Path) -> None:
    """Without ``--json`` there is a line per metric, uncut, with the reason of what is undefined."""
    assert run(monkeypatch, "compute", str(small), "--nominal-capacity", "100") == 0
    lines = {line.split()[2]: line for line in capsys.readouterr().out.splitlines()[1:]}
    assert "900" in lines["total_data_points"]
    assert lines["rte_loop"].split()[3] == "–"
    assert lines["rte_loop"].split()[-1].isidentifier()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nope"], "No such command"),
        (["compute", "missing.csv", "--nominal-capacity", "1"], "missing.csv: No such file"),
        (["compute", str(SAMPLE)], "--nominal-capacity"),
        (["compute", str(SAMPLE), "--nominal-capacity", "0"], "--nominal-capacity: Input should be greater than 0"),
        (["compute", str(SAMPLE), "--nominal-capacity", "1", "--window", "7x"], "is not a window size"),
        (["compute", str(SAMPLE.parent / "README.md"), "--nominal-capacity", "1"], "README.md: "),
        (["query", "a", "--url", f"http://{NOBODY}"], "no worker answers at http://127.0.0.1:1"),
        (["topics", "check", "--broker", NOBODY], "no Kafka broker answers at 127.0.0.1:1"),
        (["topics", "ensure", "--broker", NOBODY], "no Kafka broker answers at 127.0.0.1:1"),
        (["produce", str(SAMPLE), "--asset", "a", "--broker", NOBODY], "no Kafka broker answers at 127.0.0.1:1"),
        (["produce", "missing.csv", "--broker", NOBODY], "missing.csv: No such file"),
        (["worker", "--port", "0"], "--port"),
    ],
)
def test_errors_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    """Whatever goes wrong is told in one line on stderr, with an exit code that says so."""
    assert run(monkeypatch, *arguments) in (1, 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert told in err
    assert err.count("\n") == 1


def test_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong environment variable is told by its name."""
    monkeypatch.setenv("STREAM_KAFKA__PARTITIONS", "many")
    assert run(monkeypatch, "topics", "check") == 1
    assert "STREAM_KAFKA__PARTITIONS" in capsys.readouterr().err


def test_bug_is_told_without_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An error that nobody foresaw is one line too, and says how to see more."""
    monkeypatch.setattr("stream_app.cli.app", lambda **_: 1 / 0)
    assert run(monkeypatch) == 1
    assert "ZeroDivisionError: division by zero (a bug; STREAM_LOG_LEVEL=DEBUG shows where)" in capsys.readouterr().err
