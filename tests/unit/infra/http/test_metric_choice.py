"""Answers with some of the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.unit.infra.http.test_problems import problem_of

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site

ASSET = "/api/v1/assets/a"


def updates_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    if "windows" in answer:
        return list(answer["windows"])
    return [answer["lifetime"], *answer["open_windows"]] + ([answer["span"]["update"]] if "span" in answer else [])


@pytest.mark.parametrize("path", [ASSET, f"{ASSET}?span=2m", f"{ASSET}/windows/1m"])
async def test_an_answer_has_the_metrics_that_are_named(site: Site, path: str) -> None:
    """With the same values; the rest of the answer is as it was."""
    site.tables.put("a")
    site.tables.close_window("a", "1m", -60)
    names = "energy_in_kwh, soc_dwell_s"
    whole = (await site.client.get(path)).json()
    joint = "&" if "?" in path else "?"
    part = (await site.client.get(f"{path}{joint}metrics={names}")).json()
    assert updates_of(part)
    for of_all, of_some in zip(updates_of(whole), updates_of(part), strict=True):
        assert list(of_some["metrics"]) == [name for name in of_all["metrics"] if name in names]
        assert len(of_some["metrics"]) == 2
        for name in of_all["metrics"].keys() - of_some["metrics"].keys():
            del of_all["metrics"][name]
        assert of_some == of_all
    assert part == whole


async def test_a_name_that_is_no_metric_is_refused(site: Site) -> None:
    """An answer without it would look as if it had no value."""
    site.tables.put("a")
    for path in (ASSET, f"{ASSET}/windows/1m"):
        answer = await site.client.get(f"{path}?metrics=rte_v1,rte_v9")
        assert "'rte_v9'" in problem_of(answer, 422, "unknown_metric")["detail"]
        problem_of(await site.client.get(f"{path}?metrics="), 422, "bad_request_field")


async def test_another_worker_chooses_too(open_site: OpenSite) -> None:
    """The choice goes with the question."""
    here, there = open_site("here"), open_site("there")
    here.tables.owned, here.cluster.others, there.cluster.others = set(), [there.url], [here.url]
    here.cluster.owners = there.cluster.owners = dict.fromkeys(here.cluster.owners, there.url)
    there.tables.put("a")
    answer = await here.client.get(ASSET, params={"metrics": "rte_v1"})
    assert list(orjson.loads(answer.content)["lifetime"]["metrics"]) == ["rte_v1"]
