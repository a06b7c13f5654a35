"""One run of one contender, measured from outside.

The rule is the same for all:

- The topic is full before the contender's process is started. Nothing else runs but the broker and this program, which
  looks at the process twenty times a second (``bench.observer``) and asks for the length of the output topic twice.
- **The clock begins** when the first answer with rows has come in over one of the process's connections to the broker:
  at the last look before the kernel had counted 128 KiB received on it. What comes before (interpreter or JVM, joining
  the group, empty tables) is start-up, and is not counted.
- **The clock ends** when the broker has taken the last record that had to be in the output topic: each asset's lifetime
  with all its rows, and every 1-minute window but the last one of each asset, which no later row closes. The broker's
  own stamps say when (``LogAppendTime``), not when somebody looked. What a contender does afterwards (a last commit)
  is not counted.
- **CPU** is user and system time of the process and its children between the two, all threads; **memory** the
  kernel's high-water mark of resident memory, start-up included.
- State with a changelog (Bytewax: its recovery store), the 1-minute event-time window and the output topic are on.
- **Right** means: the sums are those that the generator computed from its own integers, counts exactly, sums within
  1e-9.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bench import processes, topics
from bench.contenders import Contender, Job
from bench.environments import BuildError, ToolMissingError
from bench.ledger import Ledger
from bench.observer import Observer

_POLL_S: Final = 0.5
#: So long nothing must have been added to the output topic before it is read; reading disturbs.
_QUIET_S: Final = 1.5
#: A contender that has written nothing and done nothing for so long will not finish.
_IDLE_S: Final = 20.0
_LOG_BYTES: Final = 1500
LOG: Final = "log.txt"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was measured."""

    contender: str
    title: str
    form: str
    rows: int
    problems: list[str] = field(default_factory=list)
    wall_s: float | None = None
    cpu_s: float | None = None
    peak_mb: float | None = None
    startup_s: float | None = None  # from the process's start to the first rows
    whole_cpu_s: float | None = None  # start-up and end included
    others_cpu_s: float | None = None  # all else on the machine meanwhile: the broker, and who disturbs
    skipped: str | None = None  # why it did not run: a tool that it is built with is not installed here

    @property
    def right(self) -> bool:
        """Whether all sums came out, and were right."""
        return not self.problems

    @property
    def rows_per_s(self) -> float | None:
        """Rows per second."""
        return self.rows / self.wall_s if self.wall_s else None

    @property
    def rows_per_cpu_s(self) -> float | None:
        """Rows per second of CPU time."""
        return self.rows / self.cpu_s if self.cpu_s else None


async def measure(contender: Contender, job: Job, timeout_s: float) -> tuple[Outcome, Observer | None]:
    """Run a contender; whatever happens, its processes have ended afterwards. With it what was seen, if it ran."""
    outcome = Outcome(contender.name, contender.title, job.form.name, job.rows.total)
    job.directory.mkdir(parents=True)
    if wanted := contender.topics(job):
        await topics.create(job.broker, *wanted)
    if changelogs := contender.changelogs(job):
        await topics.create(job.broker, *changelogs, compacted=True)
    try:
        command = await asyncio.to_thread(contender.command, job)
    except ToolMissingError as error:
        return replace(outcome, skipped=str(error)), None
    except BuildError as error:
        return replace(outcome, problems=[str(error)]), None
    process = processes.start(command, contender.environment(job), job.directory / LOG)
    started_at = time.time()
    observer = Observer(process.pid, int(job.broker.rpartition(":")[2])).start()
    try:
        ledger = Ledger(contender.read)
        problems = await until_finished([(process, observer)], job, ledger, timeout_s)
        if not problems:
            problems = await contender.confirm(job)
    finally:
        observer.stop()
        await asyncio.to_thread(processes.end, process)
    if observer.error is not None:
        raise observer.error
    finished = ledger.finished_at(job.rows.truth)
    if finished is not None:
        problems += ledger.problems(job.rows.truth, held=contender.held)
        problems += [] if observer.began_at else ["its first rows were not seen coming in: too few for a measurement"]
    return _measured(replace(outcome, problems=problems), observer, started_at, finished), observer


def _measured(outcome: Outcome, observer: Observer, started_at: float, finished: float | None) -> Outcome:
    """Enter what was seen between the first rows and the last record."""
    began = observer.began_at
    outcome = replace(outcome, peak_mb=observer.peak_mb, whole_cpu_s=observer.whole_cpu_s)
    if began is None or finished is None:
        return outcome
    return replace(
        outcome,
        wall_s=finished - began,
        cpu_s=observer.cpu_s(began, finished),
        startup_s=began - started_at,
        others_cpu_s=observer.others_cpu_s(began, finished),
    )


async def until_finished(
    seen: Sequence[tuple[subprocess.Popen[bytes], Observer]], job: Job, ledger: Ledger, timeout_s: float
) -> list[str]:
    """Wait until all sums are in the output topic; returns what is wrong if they do not come."""
    truth = job.rows.truth
    deadline = time.monotonic() + timeout_s
    length, changed_at, read = 0, time.monotonic(), 0
    async with topics.tail(job.broker, job.output) as output:
        while True:
            await asyncio.sleep(_POLL_S)
            statuses = [status for process, _ in seen if (status := process.poll()) is not None]
            ended, late = bool(statuses), time.monotonic() > deadline
            now = await output.length()
            if now != length:
                length, changed_at = now, time.monotonic()
            quiet_s = time.monotonic() - changed_at
            if length > read and (quiet_s > _QUIET_S or ended or late):
                async for value, at in output.new():
                    ledger.take(value, at)
                read = length
                if ledger.finished_at(truth) is not None:
                    return []
            elif ended:
                return failed(f"it ended by itself (status {statuses[0]})", job, ledger)
            elif quiet_s > _IDLE_S and all(observer.is_idle(_IDLE_S) for _, observer in seen):
                return failed(f"it did nothing for {_IDLE_S:.0f} s", job, ledger)
            if late:
                return failed(f"not done within {timeout_s:.0f} s", job, ledger)


def failed(what: str, job: Job, ledger: Ledger) -> list[str]:
    """Say what went wrong, how far the contender had come, and what its log ends with."""
    said = (job.directory / LOG).read_text("utf-8", "replace").strip()[-_LOG_BYTES:]
    return [
        f"{what}, with {ledger.rows} of {job.rows.total} rows in its output",
        f"its log ends with: {said or 'nothing'}",
    ]
