"""A fleet in numbers: what is known is added up, at all workers; what is not has its reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schemas.fleet import FleetSum, FleetSummary
from schemas.lookup import AnswerMeta
from stream_app.usecases.fleet_summary import _shown_day_us
from tests.fakes import PARTITIONS, partition_of
from tests.unit.usecases.test_asset_lists import DAY_US, put
from tests.worker import THERE, Worker


@pytest.fixture
def worker() -> Worker:
    return Worker()


async def settled(worker: Worker, behind: int = 0) -> Any:
    """The summary once all states have been read: each question waits a moment for them."""
    while (summary := await worker.summaries.summary()).behind > behind:
        pass
    return summary


async def test_the_summary_adds_up_what_is_known(worker: Worker) -> None:
    """Power of assets that are not silent, energies of today; what nobody tells is null with its reason."""
    empty = await worker.summaries.summary()
    assert (empty.assets, empty.by_state, empty.power_w.value, empty.power_w.reason) == (0, {}, None, "no_power")
    assert empty.energy_in_today_kwh.reason == "no_day_window"
    put(worker, "a", (10, 800, 50), (10, 800, 50))
    put(worker, "b", (-20, 800, 50), (-20, 800, 50))
    put(worker, "c", (np.nan, np.nan, 50))
    summary = await settled(worker)
    assert summary.by_state == {"charging": 1, "discharging": 1, "unknown": 1}
    assert (summary.power_w.value, summary.power_w.assets, summary.rows) == (-8000, 2, 5)
    assert summary.energy_in_today_kwh.value == pytest.approx(10 * 800 * 2 / 3.6e6)
    assert summary.energy_out_today_kwh.value == pytest.approx(20 * 800 * 2 / 3.6e6)
    assert summary.day_start == "2022-04-13T00:00:00Z"
    worker.now_us += DAY_US
    summary = await settled(worker)
    assert (summary.by_state, summary.power_w.reason) == ({"silent": 3}, "no_power")
    assert summary.energy_in_today_kwh.value == pytest.approx(10 * 800 * 2 / 3.6e6)  # its newest day says more than 0
    assert summary.day_start == "2022-04-13T00:00:00Z"


def test_the_day_that_is_shown() -> None:
    """Today if anybody is at it; else where most are, not where a single clock has gone."""
    days = np.array([1, 5, 5, 9]) * DAY_US
    assert [_shown_day_us(days, today * DAY_US) // DAY_US for today in (9, 1, 7)] == [9, 1, 5]
    assert _shown_day_us(days[:0], DAY_US) == DAY_US
    assert _shown_day_us(np.array([1, 2]) * DAY_US, 9 * DAY_US) == 2 * DAY_US


@pytest.mark.parametrize(
    ("day", "energy_kwh", "told"),
    [
        ("2022-04-13T00:00:00Z", 1.5, "2022-04-13T00:00:00Z"),
        ("2022-04-12T00:00:00Z", 0.0, "2022-04-13T00:00:00Z"),
        ("2022-05-01T00:00:00Z", 0.0, "2022-04-13T00:00:00Z"),
    ],
)
async def test_summaries_of_all_workers_are_added(worker: Worker, day: str, energy_kwh: float, told: str) -> None:
    """A number that only one of them has is that one's; energies are those of the newest day of all."""
    put(worker, "a", (10, 800, 50), (10, 800, 50))
    state = worker.tables.assets[partition_of(b"a")][b"a"]
    worker.tables.assets = {p: {} for p in range(PARTITIONS)} | {3: {b"a": state}}
    worker.give_away(0, 1)

    def summed(value: float | None, unit: str) -> FleetSum:
        return FleetSum(value=value, unit=unit, reason=None if value is not None else "no_power", assets=2)

    other = FleetSummary(
        assets=2,
        by_state={"charging": 1, "silent": 1},
        uploads=1,
        power_w=summed(None, "W"),
        energy_in_today_kwh=summed(1.5, "kWh"),
        energy_out_today_kwh=summed(2.5, "kWh"),
        day_start=day,
        rows=7,
        rows_rejected=1,
        partitions=[0, 1],
        behind=3,
        meta=AnswerMeta(owner=THERE, seq=None, lag=2, stale=True),
    )
    worker.peers.answers[THERE] = (200, other.model_dump_json().encode())
    found = await settled(worker, behind=3)
    assert (found.assets, found.uploads, found.rows, found.behind, found.meta.lag) == (3, 1, 9, 3, 2)
    assert found.by_state == {"charging": 2, "silent": 1}
    assert (found.power_w.value, found.power_w.reason, found.power_w.assets) == (8000, None, 3)
    assert found.energy_in_today_kwh.value == pytest.approx(energy_kwh + 10 * 800 * 2 / 3.6e6)
    assert found.day_start == told
