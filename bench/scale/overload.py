"""Whether memory stays bounded while a worker faces a topic that is full far beyond what it can hold."""

from __future__ import annotations

from typing import Final

from bench.project import ThisProject
from bench.scale.experiment import Experiment, count, yes
from bench.scale.numbers import percentile
from bench.scale.testbed import Record, Testbed

_FORMS: Final = ("rows", "columns")
_POINTS: Final = 400  # of a curve


class Overload(Experiment):
    """One worker drains a full topic; its resident memory is looked at each 50 ms meanwhile."""

    name = "overload"
    note = (
        "Resident memory of the worker, looked at each 50 ms from the first rows that reach it until its last update. "
        "Start: at the first rows, with nothing in the tables."
    )
    columns = (
        ("workload", lambda record: record["form"]),
        ("rows", count("rows")),
        ("drained in s", count("wall_s", 1)),
        ("looks", count("looks")),
        ("start MB", count("start_mb")),
        ("p50 MB", count("p50_mb")),
        ("peak, first half MB", count("peak_first_mb")),
        ("peak, last half MB", count("peak_last_mb")),
        ("peak of the process MB", count("peak_mb")),
        ("right", yes),
    )

    async def measure(self, testbed: Testbed) -> list[Record]:
        records: list[Record] = []
        for form in _FORMS:
            outcome, observer = await testbed.lab.observe(ThisProject(), form, testbed.sizes.backlog_rows, number=-3)
            record: Record = {"form": form, "rows": outcome.rows, "problems": outcome.problems}
            record |= {"wall_s": outcome.wall_s, "peak_mb": outcome.peak_mb}
            if observer is not None and observer.began_at is not None and outcome.wall_s is not None:
                began = observer.began_at
                record |= memory(observer.resident_mb(began, began + outcome.wall_s))
            records.append(record)
            testbed.say(f"overload: {form}: {record.get('p50_mb', 0):,.0f} MB, at most {outcome.peak_mb or 0:,.0f} MB")
        return records


def memory(looks: list[tuple[float, float]]) -> Record:
    """Summary of memory samples of a drain: seconds since its beginning, and MB."""
    if not looks:
        return {"looks": 0}
    values = [mb for _, mb in looks]
    middle = looks[-1][0] / 2
    step = max(1, len(looks) // _POINTS)
    return {
        "looks": len(looks),
        "start_mb": values[0],
        "p50_mb": percentile(values, 0.5),
        "peak_first_mb": max(mb for at, mb in looks if at <= middle),
        "peak_last_mb": max(mb for at, mb in looks if at >= middle),
        "curve": [[round(at, 2), round(mb, 1)] for at, mb in looks[::step]],
    }
