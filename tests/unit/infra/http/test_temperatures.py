"""An asset by its temperature, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.lookup import TemperaturesAnswer
from tests.unit.infra.http.test_problems import problem_of
from tests.unit.infra.http.test_routes import checked
from tests.unit.infra.http.test_upload_to_result import Worker

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site

PATH = "/api/v1/assets/a/temperatures"
START_S = 1_767_225_600


def rows(minute: int, temperature_c: float | None, soc: float, count: int = 12) -> list[dict[str, object]]:
    """A minute of rows at 40 A, one each five seconds."""
    row = {"asset_id": "a", "current": 40.0, "voltage": 900.0, "soc": soc, "temperature": temperature_c}
    return [{**row, "timestamp": START_S + 60 * minute + 5 * number} for number in range(count)]


@pytest.fixture
async def site(open_site: OpenSite) -> Site:
    """Minutes at 12, 24, 13 degC, one without a temperature, and an open one at -1 degC."""
    worker = Worker(open_site)
    minutes = [rows(0, 12, 15), rows(1, 24, 25), rows(2, 13, 95), rows(3, None, 50), rows(4, -1, 50, 6)]
    body = {"rows": [row for minute in minutes for row in minute]}
    answer = await worker.site.client.post("/api/v1/measurements", json=body)
    assert answer.status_code == 202, answer.text
    worker.work()
    return worker.site


async def test_windows_that_are_as_warm_as_each_other_are_one(site: Site) -> None:
    """Energy and time by state of charge are theirs together, the open window too; coverage is of their length."""
    found = checked(TemperaturesAnswer, await site.client.get(PATH, params={"size": "1m"}))
    assert [(each.from_c, each.to_c, each.windows) for each in found.bins] == [(-5, 0, 1), (10, 15, 2), (20, 25, 1)]
    assert (found.size, found.unknown) == ("1m", 1)
    mild = found.bins[1].update
    assert mild.metrics["energy_in_kwh"].value == pytest.approx(2 * 60 * 40 * 900 / 3.6e6, rel=0.02)
    dwell = mild.metrics["soc_dwell_s"].value
    assert isinstance(dwell, list)
    assert dwell == [0, 60, 0, 0, 0, 0, 0, 0, 0, 60]
    assert mild.metrics["temperature_mean_c"].value == pytest.approx(12.5)
    assert (mild.window.size, mild.window.start) == ("2m", "2026-01-01T00:00:00Z")
    assert mild.metrics["coverage"].value == pytest.approx(1, abs=0.02)


async def test_the_energies_of_all_bins_are_those_of_the_lifetime(site: Site) -> None:
    """Nothing is counted twice and nothing lost but what has no temperature."""
    asset = (await site.client.get("/api/v1/assets/a?metrics=charge_in_ah")).json()
    found = (await site.client.get(f"{PATH}?size=1m&metrics=charge_in_ah")).json()
    parts = [each["update"]["metrics"] for each in found["bins"]]
    assert all(list(each) == ["charge_in_ah"] for each in parts)
    without = (await site.client.get("/api/v1/assets/a/windows/1m?metrics=charge_in_ah")).json()["windows"][3]
    together = sum(each["charge_in_ah"]["value"] for each in parts) + without["metrics"]["charge_in_ah"]["value"]
    assert together == pytest.approx(asset["lifetime"]["metrics"]["charge_in_ah"]["value"], rel=1e-12)


async def test_sizes_that_the_asset_has_not(site: Site) -> None:
    """As for its windows."""
    problem_of(await site.client.get(f"{PATH}?size=7m"), 404, "unknown_window_size")
    problem_of(await site.client.get(f"{PATH}?size=hour"), 422, "bad_window_size")
    problem_of(await site.client.get("/api/v1/assets/none/temperatures?size=1m"), 404, "unknown_asset")
