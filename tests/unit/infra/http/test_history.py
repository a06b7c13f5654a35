"""Questions about the past over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from schemas.history import FleetAnswer, HistoryAnswer
from stream_app.infra.http.api import ApiOptions
from tests.unit.infra.http.test_problems import problem_of

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site
    from tests.unit.infra.http.keys import Keys

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
PATH = "/api/v1/assets/a/history"


@pytest.fixture
def site(site: Site) -> Site:
    """Six windows of an asset: values 0 to 5, the second undefined, the fourth missing."""
    for i in (0, 1, 2, 4, 5):
        value = "no_charge" if i == 1 else float(i)
        site.history.put("a", "15m", BEGIN + i * QUARTER, rte_raw=value, soc_mean_percent=float(i))
    return site


async def history(site: Site, **query: Any) -> HistoryAnswer:
    answer = await site.client.get(PATH, params={"metric": "rte_raw", **query})
    assert answer.status_code == 200, answer.text
    return HistoryAnswer.model_validate_json(answer.content)


async def test_gaps_are_gaps(site: Site) -> None:
    """An even grid: null where there is no window, and where there is no value; the latter are counted by reason."""
    found = await history(site, **{"from": "2026-03-01T00:00:00Z"})
    assert found.values == [0, None, 2, None, 4, 5]
    assert (found.start, found.end, found.step_s) == ("2026-03-01T00:00:00Z", "2026-03-01T01:30:00Z", 900)
    assert found.undefined == {"no_charge": 1}
    assert (found.unit, found.low) == ("1", None)


async def test_windows_are_put_together_for_few_points(site: Site) -> None:
    """Means with the extremes; no more steps than points."""
    found = await history(site, points=2, **{"from": "2026-03-01T01:00:00+01:00", "to": "2026-03-01T01:20:00Z"})
    assert (found.step_s, found.values) == (2700, [1, 4.5])
    assert (found.low, found.high) == ([0, 4], [2, 5])


async def test_without_a_time_the_newest_windows_come(site: Site) -> None:
    """A thousand of them."""
    found = await history(site)
    assert (len(found.values), found.values[-3:]) == (1000, [None, 4, 5])


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"metric": "nothing"}, 422, "unknown_metric"),
        ({"metric": "soc_dwell_s"}, 422, "unknown_metric"),
        ({"metric": "soc_dwell_s.10"}, 422, "unknown_metric"),
        ({"metric": "rte_raw.0"}, 422, "unknown_metric"),
        ({"size": "lifetime"}, 422, "bad_window_size"),
        ({"size": "x"}, 422, "bad_window_size"),
        ({"size": "1d"}, 404, "unknown_window_size"),
        ({"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, 422, "bad_time_range"),
        ({"from": "2000-03-02T00:00:00Z", "points": 1}, 200, None),
        ({"from": "2000-03-02T00:00:00Z"}, 422, "bad_time_range"),
        ({"from": "1900-03-02T00:00:00Z"}, 422, "bad_time_range"),
        ({"to": "9999-12-31T23:59:59Z"}, 422, "bad_time_range"),
        ({"from": "2026-03-02T00:00:00"}, 422, "bad_request_field"),
    ],
)
async def test_wrong_questions_are_told(site: Site, query: dict[str, Any], status: int, code: str | None) -> None:
    """With the cure."""
    answer = await site.client.get(PATH, params={"metric": "rte_raw", **query})
    if code is None:
        assert answer.status_code == status
    else:
        problem_of(answer, status, code)


async def test_a_number_of_a_list_has_a_name(site: Site) -> None:
    """As in the flat form."""
    found = await history(site, metric="soc_dwell_s.9")
    assert found.unit == "s"
    assert set(found.values) == {None}


async def test_an_asset_without_windows_is_unknown(site: Site) -> None:
    """As everywhere."""
    problem_of(await site.client.get("/api/v1/assets/b/history?metric=rte_raw"), 404, "unknown_asset")


async def test_the_fleet_is_ranked(site: Site) -> None:
    """By the window that a time is in, or by each asset's newest."""
    site.history.put("b", "15m", BEGIN, rte_raw=7.0)
    site.history.put("c", "15m", BEGIN, rte_raw="no_charge")
    cases: list[tuple[dict[str, Any], list[tuple[str, float]], int]] = [
        ({"at": "2026-03-01T00:14:00Z"}, [("b", 7), ("a", 0)], 1),
        ({"at": "2026-03-01T00:14:00Z", "order": "asc", "limit": 1}, [("a", 0)], 1),
        ({}, [("b", 7), ("a", 5)], 1),
        ({"at": "2026-04-01T00:00:00Z"}, [], 0),
        ({"size": "lifetime"}, [], 0),
    ]
    for query, ranked, undefined in cases:
        answer = await site.client.get("/api/v1/fleet", params={"metric": "rte_raw", **query})
        found = FleetAnswer.model_validate_json(answer.content)
        assert [(each.asset_id, each.value) for each in found.assets] == ranked
        assert found.undefined == undefined
    answer = await site.client.get("/api/v1/fleet?metric=rte_raw&size=lifetime&at=2026-03-01T00:00:00Z")
    problem_of(answer, 422, "bad_window_size")


async def test_others_assets_are_not_ranked(open_site: OpenSite, keys: Keys) -> None:
    """Who sees a prefix gets these assets alone, in the counts too."""
    options = ApiOptions(max_upload_bytes=1000, max_body_bytes=1000, credentials=keys.credentials)
    site = open_site(options=options)
    for asset_id in ("mine-1", "mine-2", "foreign"):
        site.history.put(asset_id, "15m", BEGIN, rte_raw=1.0)
    answer = await site.client.get("/api/v1/fleet?metric=rte_raw", headers={"X-API-Key": keys.mine})
    found = FleetAnswer.model_validate_json(answer.content)
    assert ([each.asset_id for each in found.assets], found.defined) == (["mine-1", "mine-2"], 2)


async def test_a_store_that_is_away_or_missing_is_told(site: Site, open_site: OpenSite) -> None:
    """503: ask again; 501: with the settings that give the deployment a history."""
    site.history.away = True
    without = open_site("without", has_history=False)
    for path in (f"{PATH}?metric=rte_raw", "/api/v1/fleet?metric=rte_raw"):
        away = await site.client.get(path)
        problem_of(away, 503, "history_unavailable")
        assert away.headers["retry-after"]
        missing = problem_of(await without.client.get(path), 501, "no_history_store")
        assert "STREAM_HISTORY__URL" in missing["detail"]


async def test_the_past_is_answered_while_the_worker_recovers(site: Site) -> None:
    """The store is asked, not the worker's state."""
    site.cluster.phase = "recovering"
    assert len((await history(site)).values) == 1000
