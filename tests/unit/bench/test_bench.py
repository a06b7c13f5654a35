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

from bench import contenders, environments, pages, report
from bench.ledger import Ledger, own_update, peers_record
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
    assert len(files) == 4
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9_.-]+==[\w.]+", line)] == []


def test_every_peer_takes_single_rows_and_arrays() -> None:
    """No peer is left out of a workload that its program can read."""
    assert all({"rows", "arrays"} == set(peer.limits) for peer in contenders.PEERS)


def test_a_table_takes_the_place_that_its_marks_have() -> None:
    """What stands around the marks stays; a second writing replaces the first."""
    page = "a\n<!-- table x -->old<!-- end of x -->\nb\n"
    once = pages.filled(page, {"x": r"| 1\2 |"})
    assert once == "a\n<!-- table x -->\n\n| 1\\2 |\n\n<!-- end of x -->\nb\n"
    assert pages.filled(once, {"x": r"| 1\2 |"}) == once
    with pytest.raises(MarkMissingError, match="no place for the table 'y'"):
        pages.filled(page, {"y": ""})


def test_the_told_command_names_no_files() -> None:
    """A page says how a figure was taken, not where somebody keeps his files."""
    machine = {"cores": 2, "cpu": "c", "memory_gb": 8.0, "python": "3.11"}
    command = ["python", "-m", "bench", "--markdown", "/mine/x.md", "--rows", "5", "--output=/mine/y"]
    content = {"date": "2026-01-01T00", "commit": "abc", "machine": machine, "versions": {}, "command": command}
    assert report.provenance(content).endswith(": `python -m bench --rows 5`")
