"""Runs one after the other on one broker; a workload is made and written once for each number of rows."""

from __future__ import annotations

from pathlib import Path

from bench import topics
from bench.contenders import Contender, Job
from bench.measure import Outcome, measure
from bench.messages import FORMS
from bench.workload import Rows


class Lab:
    """A broker, and the topics that are full already."""

    def __init__(self, broker: str, directory: Path, *, http_port: int, timeout_s: float) -> None:
        self._broker, self._directory = broker, directory
        self._http_port, self._timeout_s = http_port, timeout_s
        self._rows: dict[int, Rows] = {}
        self._full: set[str] = set()

    async def warm(self) -> None:
        """Get the broker ready."""
        await topics.warm(self._broker)

    async def run(self, contender: Contender, form: str, rows: int, number: int) -> Outcome:
        """Do one run."""
        if rows not in self._rows:
            self._rows[rows] = Rows.of(rows)
        made = self._rows[rows]
        name = f"{contender.name}-{form}-{number}"
        job = Job(
            broker=self._broker,
            form=FORMS[form],
            rows=made,
            input=await self._topic(form, made),
            run=name,
            directory=self._directory / name,
            http_port=self._http_port,
        )
        return await measure(contender, job, self._timeout_s)

    async def _topic(self, form: str, rows: Rows) -> str:
        name = f"{form}-{rows.total}"
        if name not in self._full:
            await topics.create(self._broker, name)
            await topics.fill(self._broker, name, FORMS[form].messages(rows))
            self._full.add(name)
        return name
