"""The pure results of ``bench.scale``. Nothing here is timed."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka.record.memory_records import MemoryRecords

from bench.pages import MarkMissingError
from bench.scale.__main__ import EXPERIMENTS, main
from bench.scale.client import Connection, length_of, status_of
from bench.scale.cycle import CYCLE_S, Cycle, rows_per_batch
from bench.scale.experiment import count
from bench.scale.figures import draw
from bench.scale.numbers import Pace, Summary, first_at, percentile
from bench.scale.overload import memory
from bench.scale.worker_process import parsed
from bench.topics import partition_of
from bench.workload import ASSETS, START_S


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1.0), (0.01, 1.0), (0.5, 50.0), (0.501, 51.0), (0.99, 99.0), (1.0, 100.0)]
)
def test_a_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    """Nearest rank, whatever the order."""
    assert percentile([float(number) for number in range(100, 0, -1)], share) == value
    assert percentile([7.0], share) == 7.0


def test_of_nothing_there_is_no_percentile() -> None:
    """A summary of nothing has no figures, rather than zeros."""
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)
    assert Summary.of([]) == Summary(0, None, None, None)
    assert Summary.of([0.002, 0.001]) == Summary(2, 1.0, 2.0, 2.0)


def test_a_pace_catches_up_and_leaves_nothing_out() -> None:
    """What was due is due at once; the next waits for its time, however late the one before was."""
    pace = Pace(rate_per_s=10, began_at=100.0)
    assert [pace.wait_s(done, 100.0) for done in (0, 1, 5)] == pytest.approx([0.0, 0.1, 0.5])
    assert [pace.wait_s(done, 102.05) for done in (3, 20, 21)] == pytest.approx([0.0, 0.0, 0.05])


def test_a_position_is_reached_when_it_is_first_passed() -> None:
    """An update may include several rows."""
    reached = [(3, 1.0), (7, 2.0), (9, 3.0)]
    assert [first_at(reached, offset) for offset in (0, 3, 4, 9, 10)] == [1.0, 1.0, 2.0, 3.0, None]


@pytest.mark.parametrize(("rate", "rows"), [(10, 1), (7_000, 35), (10_000_000, 1000)])
def test_batches_are_what_a_lingering_producer_makes(rate: float, rows: int) -> None:
    """20 ms of a partition, within bounds."""
    assert rows_per_batch(rate) == rows


def _rows(cycle: Cycle, number: int) -> list[tuple[bytes, dict[str, Any]]]:
    """Rows of a cycle as a consumer reads them."""
    found = []
    for partition, rows, content in cycle.batches(number, now_ms=5):
        records = MemoryRecords(content)
        batch = records.next_batch()
        assert batch is not None
        assert batch.validate_crc()
        messages = list(batch)
        assert len(messages) == rows
        assert records.next_batch() is None
        assert {partition_of(message.key) for message in messages} == {partition}
        assert [message.offset for message in messages] == list(range(rows))
        found += [(message.key, json.loads(message.value)) for message in messages]
    return found


def test_a_lap_goes_on_where_the_one_before_ended() -> None:
    """Each cycle has the same readings; an asset's stamps go on second by second. A cycle can be sent again."""
    cycle = Cycle(assets=5, rows_per_batch=7)
    first, second = _rows(cycle, 0), _rows(cycle, 1)
    assert len(first) == len(second) == 5 * CYCLE_S
    for asset in {key for key, _ in first}:
        rows = [[row for key, row in each if key == asset] for each in (first, second)]
        stamps = [
            int(datetime.fromisoformat(row.pop("timestamp")).timestamp()) - START_S for each in rows for row in each
        ]
        assert stamps == list(range(2 * CYCLE_S))
        assert rows[0] == rows[1]
    assert _rows(cycle, 0) != second


def test_an_answer_s_head_is_read() -> None:
    """Status and length, whatever the case; an answer without a length is an error."""
    head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 17\r\nx: y\r\n\r\n"
    assert (status_of(head), length_of(head)) == (503, 17)
    with pytest.raises(OSError, match="without a length"):
        length_of(b"HTTP/1.1 200 OK\r\n\r\n")


async def test_a_connection_that_the_server_closed_is_opened_again() -> None:
    """A server may close what it has answered; the next question goes over a new connection. Nobody there: an error."""
    connections = 0

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]")
        writer.close()

    server = await asyncio.start_server(answer_once, "127.0.0.1", 0)
    connection = Connection(server.sockets[0].getsockname()[1])
    async with server:
        assert [await connection.json("/") for _ in range(3)] == [(200, [])] * 3
    assert connections == 3
    await connection.close()
    with pytest.raises(OSError, match=r"^/gone$"):
        await connection.get("/gone")


def test_samples_without_labels_are_read() -> None:
    """What the bench reads of Prometheus' text format."""
    text = '# TYPE a counter\na_total 3.0\nb_bucket{le="1.0"} 4.0\nb_sum 0.5\n'
    assert parsed(text) == {"a_total": 3.0, "b_sum": 0.5}


def test_memory_of_a_drain_is_told_by_halves() -> None:
    """Growth shows in the second half."""
    told = memory([(0.0, 100.0), (1.0, 150.0), (2.0, 140.0), (3.0, 150.0), (4.0, 180.0)])
    assert (told["start_mb"], told["p50_mb"]) == (100.0, 150.0)
    assert (told["peak_first_mb"], told["peak_last_mb"]) == (150.0, 180.0)
    assert memory([]) == {"looks": 0}


RECORDS: dict[str, dict[str, Any]] = {
    "assets": {"assets": 100, "rows_per_s": 1234567.8, "rows_per_cpu_s": 2e6, "relative": 1.0, "peak_mb": 200.0},
    "workers": {"workers": 2, "rows_per_s": 5e5, "cpu_s": 1.5, "others_cpu_s": 1.0},
    "steady": {"assets": 1_000, "worker_cores": 0.25, "states_per_s": 1_000.0},
    "latency": {"share": 0.5, "topic_ms": [1.0, 2.0], "http_ms": [3.0, 4.0], "topic_p50_ms": 1.0},
    "lookups": {"share": 0.0, "loop": "open", "p99_ms": 2.25},
    "listeners": {"listeners": 100, "page": "fleet", "worker_cores": 0.79},
    "recovery": {"start": "again", "assets": 100_000, "ready_s": 12.345},
    "overload": {"form": "rows", "rows": 5_000_000, "curve": [[0.0, 100.0], [1.0, 110.0]]},
}


@pytest.mark.parametrize("name", list(EXPERIMENTS))
def test_a_table_says_what_is_known_and_what_is_wrong(name: str) -> None:
    """As many cells as heads in each line; a dash where nothing was measured; problems stand below."""
    experiment = EXPERIMENTS[name]
    wrong = {**RECORDS[name], "problems": ["a row is missing"]}
    head, rule, *lines = experiment.table([RECORDS[name], wrong]).splitlines()
    assert {line.count("|") for line in (head, rule, *lines[:2])} == {len(experiment.columns) + 1}
    assert " - |" in lines[0]
    assert experiment.note in lines
    assert lines[-1] == "WRONG: a row is missing"


def test_numbers_are_easy_to_read() -> None:
    """Thousands are set apart."""
    assert [count("a")({"a": 1234567.8}), count("a", 2)({"a": 0.126}), count("a")({})] == ["1,234,568", "0.13", "-"]


def test_every_part_is_drawn_that_has_a_curve(tmp_path: Path) -> None:
    """A file each; the same records make the same file; what failed leaves the others theirs."""
    records = {name: [record] for name, record in RECORDS.items()} | {"workers": []}
    files = draw(records, tmp_path)
    assert list(files) == ["assets", "latency", "overload"]
    before = [file.read_bytes() for file in files.values()]
    assert [file.read_bytes() for file in draw(records, tmp_path).values()] == before


def test_tables_and_curves_are_made_from_what_was_kept(tmp_path: Path) -> None:
    """A file of figures gives the page again, with a link to each curve, and tells by the status what is wrong."""
    machine = {"cores": 2, "cpu": "c", "memory_gb": 8.0, "python": "3.11"}
    results = {name: [record] for name, record in RECORDS.items()}
    kept = {
        "date": "2026-01-01T00",
        "commit": "abc",
        "machine": machine,
        "versions": {},
        "command": [],
        "experiments": results,
    }
    source, page, folder = tmp_path / "kept.json", tmp_path / "page.md", tmp_path / "img"
    source.write_text(json.dumps(kept))
    page.write_text("<!-- table assets --><!-- end of assets -->")
    asked = ["--from", str(source), "--markdown", str(page), "--figures", str(folder)]
    with pytest.raises(MarkMissingError, match="'workers'"):
        main(asked)
    assert main([*asked, "--only", "assets"]) == 0
    assert "| 100 | - | 1,234,568 |" in page.read_text()
    assert "![assets](img/scale-assets.svg)" in page.read_text()
    kept["experiments"]["assets"][0]["problems"] = ["a row is missing"]  # type: ignore[index]
    source.write_text(json.dumps(kept))
    assert main([*asked, "--only", "assets"]) == 1


def test_loads_use_the_fleet_of_the_throughput() -> None:
    """A share of a throughput means the same rows."""
    assert len({key for key, _ in _rows(Cycle(ASSETS, 1000), 0)}) == ASSETS
