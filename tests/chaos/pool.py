"""Runs one after the other or two at a time; each process has its own ports."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path

from tests.chaos.catalogue import FAULTS
from tests.chaos.lab import PORTS_PER_RUN, Options
from tests.chaos.runs import MIXED, Outcome, mixed, run

_own_port = 0


def one(name: str, seed: int, rows: int, directory: Path, port: int) -> Outcome:
    """Do one run; ``rows`` is the number of rows of a mixed run."""
    directory = directory / f"{name}-{seed}"
    if name == MIXED:
        return asyncio.run(run(name, "what the seed says", mixed, Options(directory, port, seed), rows))
    fault = FAULTS[name]
    options = Options(
        directory, port, seed, fault.properties, fault.environment, fault.cluster, fault.session_timeout_s
    )
    return asyncio.run(run(name, fault.injected, fault.script, options, fault.rows))


def outcomes(wanted: Sequence[tuple[str, int]], rows: int, directory: Path, port: int, jobs: int) -> Iterator[Outcome]:
    """Do runs by name and seed; yields their outcomes in order."""
    context = get_context("spawn")
    ports: Queue[int] = context.Queue()
    for job in range(jobs):
        ports.put(port + job * PORTS_PER_RUN)
    with ProcessPoolExecutor(jobs, context, _take_port, (ports,)) as pool:
        runs = [pool.submit(_in_pool, name, seed, rows, directory) for name, seed in wanted]
        for future in runs:
            yield future.result()


def _take_port(ports: Queue[int]) -> None:
    global _own_port  # noqa: PLW0603  # once per process of the pool
    _own_port = ports.get()


def _in_pool(name: str, seed: int, rows: int, directory: Path) -> Outcome:
    return one(name, seed, rows, directory, _own_port)
