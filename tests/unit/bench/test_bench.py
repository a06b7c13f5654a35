"""The bench measures the same for all, and finds out who is wrong. Nothing here is timed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import environments, history, pages, peers, provenance, report
from bench.crash import portions
from bench.environments import ToolMissingError
from bench.ledger import Ledger, own_update, peers_record
from bench.measure import Outcome
from bench.messages import FORMS
from bench.pages import MarkMissingError
from bench.programs.fold import advance
from bench.sockets import received_from
from bench.workload import ASSETS, SUMS, Rows

ROWS = Rows.of(150 * ASSETS)


def _records(form: str) -> Iterator[dict[str, Any]]:
    """What a program by hand tells of a workload."""
    states: dict[bytes, list[Any]] = {}
    told: list[dict[str, Any]] = []
    for key, value in FORMS[form].messages(ROWS):
        content = json.loads(value)
        rows = content if isinstance(content, list) else [content]
        states[key] = advance(states.get(key), key.decode(), rows, ROWS.per_asset, told.append)
    yield from told


def _ledger(records: Iterator[dict[str, Any]]) -> Ledger:
    ledger = Ledger(peers_record)
    for number, record in enumerate(records):
        ledger.take(json.dumps(record).encode(), float(number))
    return ledger


@pytest.mark.parametrize("form", ["rows", "arrays"])
def test_what_the_programs_fold_is_what_the_generator_summed(form: str) -> None:
    """Rows one by one come to the integers' sums; the time of the end is the last needed record's."""
    records = list(_records(form))
    ledger = _ledger(iter(records))
    assert ledger.rows == ROWS.total
    assert ledger.finished_at(ROWS.truth) == len(records) - 1
    assert ledger.problems(ROWS.truth, held=False) == []


def test_workloads_hold_the_same_rows() -> None:
    """Columns say what single rows say."""
    single = [json.loads(value) for key, value in FORMS["rows"].messages(ROWS) if key == b"bess-007"]
    [columns] = [json.loads(value) for key, value in FORMS["columns"].messages(ROWS) if key == b"bess-007"]
    for name in ("current", "voltage", "soc"):
        assert columns[name] == [row[name] for row in single]
    assert len(columns["timestamp"]) == ROWS.per_asset


@pytest.mark.parametrize(("rows", "assets"), [(700, 7), (1200, 1000)])
def test_rows_of_any_number_of_assets_have_exact_sums(rows: int, assets: int) -> None:
    """What the programs by hand fold of other fleets is what the generator says, in all their names."""
    made = Rows.of(rows, assets)
    assert len(set(made.assets)) == assets
    assert made.total == assets * made.per_asset >= rows
    states: dict[bytes, Any] = {}
    told: list[dict[str, Any]] = []
    for key, value in FORMS["rows"].messages(made):
        states[key] = advance(states.get(key), key.decode(), [json.loads(value)], made.per_asset, told.append)
    ledger = _ledger(iter(told))
    assert ledger.rows == made.total
    assert ledger.problems(made.truth, held=False) == []


def test_the_first_hundred_assets_are_the_fleet_that_there_was() -> None:
    """Figures taken before the number of assets could be chosen stay comparable."""
    digest = hashlib.sha256(b"".join(value for _, value in FORMS["rows"].messages(Rows.of(1500))))
    assert digest.hexdigest() == "e9bf2ebcd36b4b2139ad296ae8bb8bb9ca4fef3fde0d493ee756c3af329ed508"


@pytest.mark.parametrize("name", SUMS)
def test_a_wrong_sum_is_found(name: str) -> None:
    """A sum that is off by a billionth and a bit is wrong, and so is a row too many."""
    records = list(_records("rows"))
    record = next(record for record in reversed(records) if record["window"] is None and record[name])
    record[name] = record[name] + 1 if name == "rows" else record[name] * (1 + 3e-9)
    ledger = _ledger(iter(records))
    assert [problem for problem in ledger.problems(ROWS.truth, held=False) if name in problem] != []


def test_a_missing_window_is_found() -> None:
    """Who leaves a window out has not finished."""
    records = [record for record in _records("rows") if record["window"] != "2022-04-13T00:01"]
    ledger = _ledger(iter(records))
    assert ledger.finished_at(ROWS.truth) is None
    assert any("is missing" in problem for problem in ledger.problems(ROWS.truth, held=False))


def test_windows_of_other_sizes_are_passed_over() -> None:
    """The project tells more than is compared."""
    update = {"asset_id": "a", "window": {"size": "15m", "start": "2022-04-13T00:00:00Z"}, "metrics": {}}
    assert own_update(json.dumps(update).encode()) is None


def test_received_bytes_are_those_of_the_connection() -> None:
    """The kernel tells what came over a connection to a port, and of nobody else's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            with accepted:
                accepted.sendall(b"x" * 1000)
                assert client.recv(1000, socket.MSG_WAITALL) == b"x" * 1000
                try:
                    received = received_from(port, [os.getpid()])
                except OSError as error:
                    pytest.skip(str(error))
                assert received == 1000
                assert received_from(port, []) == 0


def test_every_requirement_is_pinned() -> None:
    """Peers are measured in the versions that are written down."""
    files = sorted((Path(environments.__file__).parent / "requirements").glob("*.txt"))
    lines = [line for file in files for line in environments.requirements(file.stem)]
    assert len(files) == 5
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9_.-]+==[\w.]+", line)] == []


def test_every_peer_takes_single_rows_and_arrays() -> None:
    """No peer is left out of a workload that its program can read."""
    assert all({"rows", "arrays"} == set(peer.limits) for peer in peers.PEERS)


def test_a_table_takes_the_place_that_its_marks_have() -> None:
    """What stands around the marks stays; a second writing replaces the first."""
    page = "a\n<!-- table x -->old<!-- end of x -->\nb\n"
    once = pages.filled(page, {"x": r"| 1\2 |"})
    assert once == "a\n<!-- table x -->\n\n| 1\\2 |\n\n<!-- end of x -->\nb\n"
    assert pages.filled(once, {"x": r"| 1\2 |"}) == once
    with pytest.raises(MarkMissingError, match="no place for the table 'y'"):
        pages.filled(page, {"y": ""})


def test_crates_and_modules_and_jars_are_pinned() -> None:
    """Each crate exactly, for there is no lock file; Go modules by go.sum, jars by one version."""
    assert all(re.fullmatch(r"[\w-]+==\d+\.\d+\.\d+", crate) for crate in environments.crates("rust"))
    assert "github.com/twmb/franz-go==v1.22.3" in environments.go_modules("go")
    for name in ("streams", "flink"):
        found = environments.jars(name)
        assert found
        assert [jar for jar in found if not re.fullmatch(r"[\w.-]+:[\w.-]+:\d[\w.-]*", jar)] == []


def test_a_contender_whose_tool_is_missing_says_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The reason names the tool and where it comes from."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for build, tool in ((environments.go_program, "go"), (environments.rust_program, "cargo")):
        with pytest.raises(ToolMissingError, match=rf"^{tool} is not installed \("):
            build(tool)
    with pytest.raises(ToolMissingError, match=r"java is not installed .*; mvn is not installed"):
        environments.java_classpath("flink")


def _outcome(name: str, **known: Any) -> Outcome:
    return Outcome(name, f"title of {name}", "rows", 1000, **known)


def test_a_skipped_contender_has_a_line_and_a_reason() -> None:
    """It is neither right nor wrong, and costs the others nothing."""
    ours = [_outcome("ours", wall_s=seconds, cpu_s=2.0, peak_mb=5.0) for seconds in (1.0, 2.0, 4.0)]
    rows = report.rows_of([*ours, _outcome("slow", wall_s=4.0, cpu_s=5.0), _outcome("go", skipped="go is not there")])
    text = report.table(rows, "ours")
    assert "| title of ours | 1,000 | 500 | 500 | 5 | 1.00 | 1.00 | yes |" in text
    assert "| title of slow | 1,000 | 250 | 200 | - | 2.00 | 2.50 | yes |" in text
    assert "| title of go | 1,000 | - | - | - | - | - | skipped |" in text
    assert text.endswith("skipped title of go: go is not there")
    assert [row["right"] for row in report.kept_rows(rows)] == [True, True, None]
    assert "problems" not in report.kept_rows(rows)[0]
    assert report.ratio_line(rows[:2], "ours") == "ratio wall=2.00 cpu=2.50 ours=500 slow=250 right=yes"


def test_portions_are_all_messages_in_their_order() -> None:
    """Nothing is lost between two portions; sizes differ by one at most."""
    messages = [(b"k", str(number).encode()) for number in range(11)]
    cut = portions(messages, 4)
    assert [message for portion in cut for message in portion] == messages
    assert sorted(len(portion) for portion in cut) == [2, 3, 3, 3]


def test_a_kept_result_says_what_a_table_shows_and_names_no_machine(tmp_path: Path) -> None:
    """Sections of a release stand side by side; a section written again takes its place."""
    machine = {"cpu": "c", "cores": 2, "memory_gb": 8.0, "kernel": "k", "python": "3.11", "load_1m": 0.5}
    measured = {"date": "d", "commit": "abc", "machine": machine, "versions": {"kafka": ["kafka-clients-4"]}}
    for name, rows in (("scale", {"assets": [{"rows": 1}]}), ("peers", [{"rows": 1}])):
        history.keep(name, history.section(measured, rows), tmp_path, "1.2.3")
    file = history.keep("peers", history.section(measured, [{"rows": 2}]), tmp_path, "1.2.3")
    shape = {"cores": 2, "memory_gb": 8.0, "python": "3.11"}
    where = {"date": "d", "commit": "abc", "machine": shape, "kafka": ["kafka-clients-4"]}
    assert file.name == "1.2.3.json"
    assert json.loads(file.read_text()) == {
        "schema": 1,
        "version": "1.2.3",
        "scale": {**where, "rows": {"assets": [{"rows": 1}]}},
        "peers": {**where, "rows": [{"rows": 2}]},
    }


def test_the_told_command_names_no_files() -> None:
    """A page says how a figure was taken, not where somebody keeps his files."""
    machine = {"cores": 2, "cpu": "c", "memory_gb": 8.0, "python": "3.11"}
    command = ["python", "-m", "bench", "--markdown", "/mine/x.md", "--rows", "5", "--output=/mine/y"]
    content = {"date": "2026-01-01T00", "commit": "abc", "machine": machine, "versions": {}, "command": command}
    assert provenance.provenance(content).endswith(": `python -m bench --rows 5`")
