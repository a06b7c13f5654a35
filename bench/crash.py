"""Kills the contenders that claim to be exact after a crash, and compares their sums: ``make bench-check``.

The input topic is filled in portions. A contender is killed (SIGKILL) once the output topic shows work that is in no
checkpoint yet, the next time while it writes a checkpoint, and so on; each time it is started again. In the end all
sums must be exact, and the first window of each asset must have come out only once: a contender that began anew would
write it again.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from bench import processes, topics
from bench.broker import own_broker
from bench.contenders import Contender, Job
from bench.environments import BuildError, ToolMissingError
from bench.ledger import Ledger
from bench.measure import LOG, failed
from bench.messages import FORMS, Message
from bench.peers import PEERS
from bench.workload import START_S, Rows

KILLS: Final = 4
_FORMS: Final = ("rows", "arrays")
_POLL_S: Final = 0.02
_TIMEOUT_S: Final = 60.0
_CONTENDERS: Final = {each.name: each for each in PEERS if each.exact_after_crash}


def portions(messages: Sequence[Message], number: int) -> list[Sequence[Message]]:
    """Cut messages into portions of about the same size, in their order."""
    cuts = [len(messages) * index // number for index in range(number + 1)]
    return [messages[begin:end] for begin, end in itertools.pairwise(cuts)]


class Crash:
    """A contender, its topics, and what came out of it so far."""

    def __init__(self, contender: Contender, job: Job, output: topics.Tail, changelog: topics.Tail) -> None:
        self._contender, self._job, self._output, self._changelog = contender, job, output, changelog
        self._ledger = Ledger(contender.read)
        self._first_windows = 0
        self._process: subprocess.Popen[bytes] | None = None

    async def run(self) -> list[str]:
        """Kill it :data:`KILLS` times; returns what is wrong in the end."""
        command = await asyncio.to_thread(self._contender.command, self._job)
        parts = iter(portions(list(self._job.form.messages(self._job.rows)), 2 * KILLS + 2))
        try:
            self._start(command)
            await self._fill(next(parts))
            await self._until(self._all_first_windows, "the first windows came out")
            for kill in range(KILLS):
                await self._fill_until_grown(next(parts), self._changelog, "it wrote a checkpoint")
                grows = self._changelog if kill % 2 else self._output
                await self._fill_until_grown(next(parts), grows, "it worked on the next rows")
                self._kill()
                self._start(command)
            await self._fill(next(parts))
            await self._until(self._finished, "all came out")
        except TimeoutError as error:
            return failed(str(error), self._job, self._ledger)
        finally:
            if self._process is not None:
                await asyncio.to_thread(processes.end, self._process)
        wrong = self._ledger.problems(self._job.rows.truth, held=self._contender.held)
        assets = len(self._job.rows.assets)
        again = [f"{self._first_windows} first windows came out, not {assets}: it began anew after a crash"]
        return wrong + (again if self._first_windows != assets else [])

    def _start(self, command: Sequence[str]) -> None:
        self._process = processes.start(command, self._contender.environment(self._job), self._job.directory / LOG)

    def _kill(self) -> None:
        process, self._process = self._process, None
        assert process is not None, "it was started"  # noqa: S101  # for the type checker
        process.send_signal(signal.SIGKILL)
        process.wait()

    async def _fill(self, messages: Sequence[Message]) -> None:
        await topics.fill(self._job.broker, self._job.input, messages)

    async def _fill_until_grown(self, messages: Sequence[Message], topic: topics.Tail, what: str) -> None:
        before = await topic.length()
        await self._fill(messages)

        async def grown() -> bool:
            return await topic.length() > before

        await self._until(grown, what)

    async def _until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait for a condition that only the broker shows; TimeoutError says what did not come."""
        deadline = time.monotonic() + _TIMEOUT_S
        while not await condition():
            assert self._process is not None, "it was started"  # noqa: S101  # for the type checker
            status = self._process.poll()
            if status is not None or time.monotonic() > deadline:
                ended = f"it ended by itself (status {status})" if status is not None else f"{_TIMEOUT_S:.0f} s passed"
                msg = f"{ended} before {what}"
                raise TimeoutError(msg)
            await asyncio.sleep(_POLL_S)

    async def _all_first_windows(self) -> bool:
        await self._read()
        return self._first_windows == len(self._job.rows.assets)

    async def _finished(self) -> bool:
        await self._read()
        return self._ledger.finished_at(self._job.rows.truth) is not None

    async def _read(self) -> None:
        async for value, at in self._output.new():
            self._ledger.take(value, at)
            reading = self._contender.read(value)
            self._first_windows += reading is not None and reading.start_s == START_S


async def _crash(contender: Contender, form: str, rows: Rows, broker: str, directory: Path) -> list[str]:
    run = f"crash-{contender.name}-{form}"
    job = Job(broker, FORMS[form], rows, f"{run}-input", run, directory / run, http_port=0)
    job.directory.mkdir()
    await topics.create(broker, job.input, *contender.topics(job))
    changelogs = contender.changelogs(job)
    await topics.create(broker, *changelogs, compacted=True)
    async with AsyncExitStack() as stack:
        output = await stack.enter_async_context(topics.tail(broker, job.output))
        changelog = await stack.enter_async_context(topics.tail(broker, changelogs[0]))
        return await Crash(contender, job, output, changelog).run()


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the contenders that the command line names; status 0 when none was wrong."""
    asked = _parser().parse_args(arguments)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its clients here try again by themselves
    names = asked.contenders.split(",") if asked.contenders else list(_CONTENDERS)
    if unknown := sorted(set(names) - set(_CONTENDERS)):
        _parser().error(f"none that is exact after a crash is named {', '.join(unknown)}: {', '.join(_CONTENDERS)}")
    rows = Rows.of(asked.rows)
    wrong = False
    with own_broker(asked.port) as (broker, directory):
        for name, form in itertools.product(names, _FORMS):
            try:
                problems = asyncio.run(_crash(_CONTENDERS[name], form, rows, broker, directory))
                text = "WRONG: " + "; ".join(problems) if problems else "exact"
            except ToolMissingError as error:
                problems, text = [], f"skipped: {error}"
            except BuildError as error:
                problems, text = [str(error)], f"WRONG: {error}"
            wrong = wrong or bool(problems)
            sys.stdout.write(f"{name} {form}: {rows.total:,} rows, killed {KILLS} times: {text}\n")
            sys.stdout.flush()
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.crash", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--contenders", metavar="NAME,...", help=f"some of {', '.join(_CONTENDERS)}")
    parser.add_argument("--rows", type=int, default=180_000, help="of each run")
    parser.add_argument("--port", type=int, default=22500, help="first of the two ports that the broker uses")
    return parser


if __name__ == "__main__":
    sys.exit(main())
