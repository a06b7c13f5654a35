"""Runs contenders one after the other on one broker; a workload is generated and written once for each size."""

from __future__ import annotations

from pathlib import Path

from bench import topics
from bench.contenders import Contender, Job
from bench.measure import Outcome, measure
from bench.messages import FORMS
from bench.observer import Observer
from bench.workload import ASSETS, Rows


class Lab:
    """A broker, and the topics that are full already."""

    def __init__(self, broker: str, directory: Path, *, http_port: int, timeout_s: float) -> None:
        self._broker, self._directory = broker, directory
        self._http_port, self._timeout_s = http_port, timeout_s
        self._rows: dict[tuple[int, int], Rows] = {}
        self._full: set[str] = set()

    async def warm(self) -> None:
        """Get the broker ready."""
        await topics.warm(self._broker)

    async def run(self, contender: Contender, form: str, rows: int, number: int) -> Outcome:
        """Do one run."""
        outcome, _ = await self.observe(contender, form, rows, number)
        return outcome

    async def observe(
        self, contender: Contender, form: str, rows: int, number: int, assets: int = ASSETS
    ) -> tuple[Outcome, Observer | None]:
        """Do one run; with it what was seen."""
        generated = self.rows(rows, assets)
        name = self.run_name(contender, form, number, assets)
        job = Job(
            broker=self._broker,
            form=FORMS[form],
            rows=generated,
            input=await self._topic(form, generated),
            run=name,
            directory=self._directory / name,
            http_port=self._http_port,
        )
        return await measure(contender, job, self._timeout_s)

    def run_name(self, contender: Contender, form: str, number: int, assets: int = ASSETS) -> str:
        """Name that a run's topics begin with."""
        return f"{contender.name}-{form}-{number}" + ("" if assets == ASSETS else f"-{assets}")

    def rows(self, rows: int, assets: int = ASSETS) -> Rows:
        """Rows, generated once."""
        if (rows, assets) not in self._rows:
            self._rows[rows, assets] = Rows.of(rows, assets)
        return self._rows[rows, assets]

    def forget(self) -> None:
        """Give back the memory of all generated rows."""
        self._rows.clear()

    async def _topic(self, form: str, rows: Rows) -> str:
        name = f"{form}-{rows.total}-{len(rows.assets)}"
        if name not in self._full:
            await topics.create(self._broker, name)
            await topics.fill(self._broker, name, FORMS[form].messages(rows))
            self._full.add(name)
        return name
