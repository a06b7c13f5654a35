"""The parts of ``bench.profile``."""

from __future__ import annotations

import json
import threading
import zlib
from pathlib import Path

import pytest

from bench.profile.__main__ import profile, table
from bench.profile.sampler import NATIVE, SAMPLER, Sampler
from bench.profile.steps import OTHER_STEP, STEPS, longest, step_of


@pytest.mark.parametrize(
    ("modules", "step"),
    [
        (["stream_app.wire.decode.scan", "stream_app.usecases.ingest"], "decode"),
        (["stream_app.domain.metrics.energy", "stream_app.domain.samples"], "domain: metrics"),
        (["stream_app.domain.samples"], "domain"),
        (["numpy.lib", "stream_app.columns.segments", "stream_app.domain.panes"], "domain"),
        (["aiokafka.codec", "aiokafka.producer.sender"], "send"),
        (["aiokafka.codec", "stream_app.infra.kafka.log.record_batches"], "fetch"),
        (["selectors", "asyncio.base_events", "stream_app.__main__"], "event loop"),
        (["modelling"], OTHER_STEP),
        ([], OTHER_STEP),
    ],
)
def test_a_stack_belongs_to_its_innermost_module_that_has_a_step(modules: list[str], step: str) -> None:
    """Array tools, codecs and other libraries count for whoever calls them; the longest name decides."""
    assert step_of([(module, "f") for module in modules]) == step


def test_every_room_that_a_worker_runs_has_a_step() -> None:
    """A new room of the application is seen in the profile by its name; array tools count for their callers."""
    root = Path(__file__).parents[3] / "stream_app"
    folders = {path.parent.relative_to(root) for path in root.rglob("*.py") if path.parent.name != "__pycache__"}
    rooms = {f"stream_app.{folder.as_posix().replace('/', '.')}" for folder in folders}
    outside = ("columns", "commands", "demo", "infra.files", "infra.files.profiles", "infra", "wire", ".")
    known = {room for room in rooms if step_of([(room, "f")]) != OTHER_STEP}
    assert rooms - known <= {f"stream_app.{name}" for name in outside}
    assert {step for step in STEPS.values() if step} >= {"fetch", "decode", "domain", "encode", "send", "event loop"}


def test_samples_between_two_times_are_summed_by_step() -> None:
    """Stacks are numbered through all lines; the start does not count, the end does."""
    decode, domain = [["stream_app.wire.decode.scan", "scan"]], [["stream_app.domain.panes", "add"]]
    lines = [
        json.dumps({"stacks": [decode], "samples": [[1.0, 0, 5e9], [2.0, 0, 1e9], [2.5, NATIVE, 3e9]]}),
        json.dumps({"stacks": [domain], "samples": [[3.0, 1, 2e9], [3.0, SAMPLER, 1e9], [3.1, 1, 7e9]]}),
    ]
    found = profile(lines, 1.0, 3.0)
    assert found.steps == {"decode": 1.0, "threads without Python": 3.0, "domain": 2.0, "the sampler itself": 1.0}
    assert longest(found.functions) == [
        (("domain", "stream_app.domain.panes:add"), 2.0),
        (("decode", "stream_app.wire.decode.scan:scan"), 1.0),
    ]


def _burn(stop: threading.Event) -> None:
    data = bytes(1 << 20)
    while not stop.is_set():
        zlib.crc32(data)


def _wait(stop: threading.Event) -> None:
    stop.wait()


def test_a_thread_s_cpu_time_counts_for_the_function_that_it_is_in(tmp_path: Path) -> None:
    """A thread that computes is seen with its stack, one that waits is not; what was written is not written again."""
    stop, file = threading.Event(), tmp_path / "samples.jsonl"
    threads = [threading.Thread(target=target, args=[stop]) for target in (_burn, _wait)]
    sampler = Sampler(file)
    for thread in threads:
        thread.start()
    try:
        sampler.look()
        sampler.write()
        used_s = 0.0
        while used_s < 0.05:
            sampler.look()
            sampler.write()
            with file.open() as lines:
                found = profile(lines, 0.0, 1e12)
            used_s = sum(seconds for (_, name), seconds in found.functions.items() if name.endswith(":_burn"))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    _, *later = [json.loads(line) for line in file.read_text().splitlines()]
    stacks = [stack for line in later for stack in line["stacks"]]
    assert not any(name == "_wait" for stack in stacks for _, name in stack)


def test_the_table_has_the_shares_and_what_is_wrong() -> None:
    """Shares are of the worker's CPU time; a run that gave no profile still says why."""
    steps = [{"step": "decode", "cpu_s": 0.5}, {"step": "domain", "cpu_s": 1.5}]
    functions = [
        {"step": "decode", "function": "m:f", "cpu_s": 0.5},
        {"step": "domain", "function": "m:g", "cpu_s": 0.1},
    ]
    known = {"workload": "rows", "assets": 100, "rows": 1_000_000, "problems": []}
    text = table({**known, "cpu_s": 2.0, "steps": steps, "functions": functions}, functions=1)
    assert "| domain | 1.50 | 75% | 1,500 |\n| all | 2.00 | 100% | 2,000 |" in text
    assert text.endswith("| `m:f` | decode | 0.50 |")
    assert table({**known, "problems": ["it ended"]}).endswith("\nWRONG: it ended")
